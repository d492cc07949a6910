// Where a process stands in the cgroup tree, from the texts that real hosts give.
#include "host/cgroup_facts.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "sys/files.hpp"

namespace supervisor::host {
namespace {

using ::testing::ElementsAre;

struct CgroupFactsTest : ::testing::Test {
    CgroupFactsTest() { root = ::mkdtemp(name); }
    ~CgroupFactsTest() override { (void)sys::remove_tree(root); }
    void file(const std::string& path, const std::string& text) {
        const auto full = root + path;
        (void)sys::make_directories(full.substr(0, full.find_last_of('/')));
        std::ofstream(full) << text;
    }
    CgroupFacts facts(const char* mountinfo, const char* membership) const {
        return probe_cgroups(sys::parse_mountinfo(mountinfo), sys::parse_cgroup_membership(membership), root);
    }
    char name[32] = "/tmp/cgroup-facts-XXXXXX";
    std::string root;
};

TEST_F(CgroupFactsTest, Version2InANamespace) {
    file("/sys/fs/cgroup/cgroup.type", "domain\n");
    file("/sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory pids\n");
    file("/sys/fs/cgroup/cgroup.subtree_control", "\n");
    file("/sys/fs/cgroup/cgroup.kill", "");
    const auto found = facts("31 22 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n", "0::/\n");
    EXPECT_EQ(found.mode, CgroupMode::V2);
    EXPECT_EQ(found.own_directory, "/sys/fs/cgroup");
    EXPECT_FALSE(found.machine_root);
    EXPECT_TRUE(found.kill_file);
    EXPECT_EQ(found.type, "domain");
    EXPECT_TRUE(found.has_controller("memory"));
    EXPECT_FALSE(found.has_controller("hugetlb"));
    EXPECT_FALSE(found.pids_max);
}

TEST_F(CgroupFactsTest, LimitOfProcessesIsOurOwnGroups) {
    file("/sys/fs/cgroup/cgroup.type", "domain\n");
    file("/sys/fs/cgroup/pids.max", "2048\n");
    const char* version2 = "31 22 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n";
    EXPECT_EQ(facts(version2, "0::/\n").pids_max, 2048U);
    file("/sys/fs/cgroup/pids.max", "max\n");
    EXPECT_EQ(facts(version2, "0::/\n").pids_max, std::nullopt);
    file("/sys/fs/cgroup/pids/pids.max", "300\n");
    const char* version1 =
        "31 30 0:27 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
        "32 30 0:28 /docker/abc /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n";
    EXPECT_EQ(facts(version1, "3:memory:/docker/abc\n2:pids:/docker/abc\n").pids_max, 300U);
}

TEST_F(CgroupFactsTest, C1_PrivilegedPodSeesTheNodesRoot) {
    const std::string own = "/kubepods.slice/kubepods-pod1.slice/cri-containerd-7.scope";
    file("/sys/fs/cgroup/cgroup.controllers", "cpu memory\n");
    file("/sys/fs/cgroup" + own + "/cgroup.type", "domain\n");
    file("/sys/fs/cgroup" + own + "/cgroup.controllers", "cpu memory pids\n");
    const auto found =
        facts("31 22 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n", ("0::" + own + "\n").c_str());
    EXPECT_TRUE(found.machine_root);
    EXPECT_TRUE(found.guest_of_machine_root());
    EXPECT_EQ(found.own_directory, "/sys/fs/cgroup" + own);
    EXPECT_THAT(found.controllers, ElementsAre("cpu", "memory", "pids"));
}

TEST_F(CgroupFactsTest, OnTheMachineItselfTheRootIsOurs) {
    file("/sys/fs/cgroup/cgroup.controllers", "cpu memory\n");
    const auto found = facts("31 22 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n", "0::/\n");
    EXPECT_TRUE(found.machine_root);
    EXPECT_FALSE(found.guest_of_machine_root());
}

TEST_F(CgroupFactsTest, ForeignMountDoesNotReachOurGroup) {
    const auto found = facts("31 22 0:27 /../.. /sys/fs/cgroup rw - cgroup2 cgroup rw\n", "0::/\n");
    EXPECT_TRUE(found.own_directory.empty());
}

TEST_F(CgroupFactsTest, Version1MountShowsOnlyOurPart) {
    const auto found = facts(
        "30 22 0:26 / /sys/fs/cgroup ro - tmpfs tmpfs rw\n"
        "31 30 0:27 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
        "32 30 0:28 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n",
        "3:memory:/docker/abc\n2:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc\n0::/system.slice\n");
    EXPECT_EQ(found.mode, CgroupMode::V1);
    ASSERT_EQ(found.hierarchies.size(), 2U);
    EXPECT_EQ(found.hierarchies[0].own_directory, "/sys/fs/cgroup/memory");
    EXPECT_TRUE(found.hierarchies[1].read_only);
    EXPECT_TRUE(found.read_only);
    ASSERT_EQ(found.unmounted.size(), 1U);
    EXPECT_EQ(found.unmounted[0].controllers, "name=systemd");
    EXPECT_EQ(found.unmounted[0].own_path, "/docker/abc");
    EXPECT_TRUE(found.has_controller("cpuacct"));
}

TEST_F(CgroupFactsTest, B8_Version1WholeHierarchyIsEnteredAtOurPath) {
    const auto found = facts(
        "31 30 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
        "41 30 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
        "3:memory:/job/7\n0::/\n");
    EXPECT_EQ(found.mode, CgroupMode::Hybrid);
    EXPECT_EQ(found.hierarchies[0].own_directory, "/sys/fs/cgroup/memory/job/7");
}

TEST_F(CgroupFactsTest, B8_Version1PathThatDoesNotMatchTheMountFallsBackToTheMount) {
    const auto found = facts("31 30 0:27 /kubepods/x /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
                             "3:memory:/docker/abc\n");
    EXPECT_EQ(found.hierarchies[0].own_directory, "/sys/fs/cgroup/memory");
}

TEST_F(CgroupFactsTest, B7_HierarchyWithoutAGroupOfOursIsKnownByItsReleaseAgent) {
    const char* mounts =
        "31 30 0:27 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
        "32 30 0:28 / /sys/fs/cgroup/misc rw - cgroup cgroup rw,misc\n";
    const char* memberships = "3:memory:/docker/abc\n2:misc:/\n";
    file("/sys/fs/cgroup/misc/release_agent", "");
    file("/sys/fs/cgroup/memory/notify_on_release", "");
    const auto found = facts(mounts, memberships);
    ASSERT_EQ(found.hierarchies.size(), 2U);
    EXPECT_FALSE(found.hierarchies[0].unscoped);
    EXPECT_TRUE(found.hierarchies[1].unscoped);
    // Where every hierarchy is the machine's own, there is no better place.
    file("/sys/fs/cgroup/memory/release_agent", "");
    for (const auto& hierarchy : facts(mounts, memberships).hierarchies) EXPECT_FALSE(hierarchy.unscoped);
}

TEST_F(CgroupFactsTest, C4_GroupThatIsNotOursToWriteIsForeign) {
    file("/sys/fs/cgroup/cgroup.type", "domain\n");
    const char* mounts = "31 22 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n";
    EXPECT_FALSE(facts(mounts, "0::/\n").foreign);
    // As root everything can be written: asked as nobody.
    ASSERT_EQ(::chmod(root.c_str(), 0755), 0);
    ASSERT_EQ(::chmod((root + "/sys/fs/cgroup").c_str(), 0555), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        if (::geteuid() == 0 && ::setresuid(65534, 65534, 65534) != 0) ::_exit(2);
        ::_exit(facts(mounts, "0::/\n").foreign ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(CgroupFactsTest, NothingMountedIsNone) {
    EXPECT_EQ(facts("22 1 0:29 / / rw - overlay overlay rw\n", "0::/\n").mode, CgroupMode::None);
}

}  // namespace
}  // namespace supervisor::host
