// The cgroup manager on this machine's own trees, in groups that the test makes and removes. A directory of
// plain files stands in for version 2's control files where this machine has no version 2 with controllers.
#include "host/cgroup.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "host/cgroup_tree.hpp"
#include "host/facts.hpp"
#include "sys/files.hpp"

namespace supervisor::host {
namespace {

CgroupFacts this_machine() {
    return probe_cgroups(sys::parse_mountinfo(sys::read_file_or("/proc/self/mountinfo")),
                         sys::parse_cgroup_membership(sys::read_file_or("/proc/self/cgroup")));
}

// Skips where this machine cannot be used for the test, and fails instead when nobody may skip.
#define REQUIRE_OR_SKIP(condition, why)                                     \
    do {                                                                    \
        if (!(condition)) {                                                 \
            if (::getenv("CI") != nullptr) FAIL() << "cannot run: " << why; \
            GTEST_SKIP() << why;                                            \
        }                                                                   \
    } while (false)

// A child that sleeps in the groups of `placement`.
pid_t sleeper(const CgroupPlacement& placement) {
    const pid_t child = ::fork();
    if (child != 0) return child;
    for (const int procs : placement.procs) {
        if (::write(procs, "0", 1) != 1) ::_exit(1);
    }
    ::pause();
    ::_exit(0);
}

bool wait_until_filled(const std::string& directory) {
    for (int i = 0; i < 2000 && processes_in(directory).empty(); ++i) ::usleep(1000);
    return !processes_in(directory).empty();
}

int signal_that_ended(pid_t child) {
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

struct RealVersion1 : ::testing::Test {
    void SetUp() override {
        const auto facts = this_machine();
        REQUIRE_OR_SKIP(::geteuid() == 0, "needs root");
        REQUIRE_OR_SKIP(facts.mode == CgroupMode::V1 || facts.mode == CgroupMode::Hybrid,
                        "this machine has no cgroup version 1");
        layout.mode = facts.mode;
        for (auto hierarchy : facts.hierarchies) {
            const std::string base =
                hierarchy.own_directory + "/supervisor-test-" + std::to_string(::getpid());
            ASSERT_TRUE(make_group(base));
            if (hierarchy.controllers.find("cpuset") != std::string::npos) {
                for (const char* file : {"/cpuset.cpus", "/cpuset.mems"})
                    ASSERT_TRUE(
                        sys::write_existing(base + file, sys::read_file_or(hierarchy.own_directory + file)));
            }
            hierarchy.own_directory = base;
            layout.hierarchies.push_back(hierarchy);
        }
        layout.groups = {
            {"supervisor", {}, false}, {"engine", {}, false}, {"containers", {64U << 20U, {}}, true}};
    }
    void TearDown() override {
        const SteadyClock clock;
        for (const auto& hierarchy : layout.hierarchies) {
            (void)kill_by_signals(hierarchy.own_directory);
            (void)remove_groups(hierarchy.own_directory, clock, Deadline::after(clock, Milliseconds(2000)));
        }
    }
    CgroupLayout layout;
};

TEST_F(RealVersion1, ChildIsBornInEveryHierarchyAndKilledWithItsGroup) {
    auto manager = CgroupManager::create(layout);
    ASSERT_TRUE(manager) << manager.error().message();
    EXPECT_THAT((*manager)->warnings(), ::testing::IsEmpty());
    const auto placement = (*manager)->placement("engine");
    ASSERT_TRUE(placement) << placement.error().message();
    EXPECT_EQ(placement->procs.size(), layout.hierarchies.size());
    const pid_t child = sleeper(*placement);
    for (const auto& directory : (*manager)->directories("engine"))
        EXPECT_TRUE(wait_until_filled(directory)) << directory;
    EXPECT_FALSE((*manager)->empty("engine"));
    EXPECT_TRUE((*manager)->kill("engine"));
    EXPECT_EQ(signal_that_ended(child), SIGKILL);
    EXPECT_TRUE((*manager)->remove(Milliseconds(2000)));
    for (const auto& directory : (*manager)->directories("engine")) EXPECT_FALSE(sys::exists(directory));
}

TEST_F(RealVersion1, KillReachesGroupsThatOthersMadeBelow) {
    auto manager = CgroupManager::create(layout);
    ASSERT_TRUE(manager) << manager.error().message();
    CgroupPlacement below;
    std::vector<UniqueFd> files;
    for (const auto& directory : (*manager)->directories("containers")) {
        ASSERT_TRUE(make_group(directory + "/c1"));
        for (const char* file : {"/cpuset.cpus", "/cpuset.mems"}) {
            if (!sys::exists(directory + file)) continue;
            ASSERT_TRUE(sys::write_existing(directory + "/c1" + file, sys::read_file_or(directory + file)));
        }
        auto procs = sys::open_file(directory + "/c1/cgroup.procs", O_WRONLY);
        ASSERT_TRUE(procs);
        below.procs.push_back(procs->get());
        files.push_back(std::move(*procs));
    }
    const pid_t child = sleeper(below);
    ASSERT_TRUE(wait_until_filled((*manager)->directories("containers").back() + "/c1"));
    EXPECT_TRUE((*manager)->kill("containers"));
    EXPECT_EQ(signal_that_ended(child), SIGKILL);
    files.clear();
    EXPECT_TRUE((*manager)->remove(Milliseconds(2000)));
}

TEST_F(RealVersion1, MemoryLimitIsSet) {
    auto manager = CgroupManager::create(layout);
    ASSERT_TRUE(manager) << manager.error().message();
    for (const auto& directory : (*manager)->directories("containers")) {
        const auto file = directory + "/memory.limit_in_bytes";
        if (!sys::exists(file)) continue;
        EXPECT_EQ(sys::read_file_or(file), std::to_string(64U << 20U) + "\n");
    }
    EXPECT_EQ((*manager)->oom_kills("containers"), 0U);
    EXPECT_TRUE((*manager)->remove(Milliseconds(2000)));
}

TEST_F(RealVersion1, LimitOfProcessesIsSet) {
    layout.groups[2].limits.pids_max = 77;
    auto manager = CgroupManager::create(layout);
    ASSERT_TRUE(manager) << manager.error().message();
    EXPECT_THAT((*manager)->warnings(), ::testing::IsEmpty());
    int limited = 0;
    for (const auto& directory : (*manager)->directories("containers")) {
        if (!sys::exists(directory + "/pids.max")) continue;
        EXPECT_EQ(sys::read_file_or(directory + "/pids.max"), "77\n");
        ++limited;
    }
    EXPECT_EQ(limited, 1);
    EXPECT_TRUE((*manager)->remove(Milliseconds(2000)));
}

TEST_F(RealVersion1, WhatAGreedyGroupHasBeyondItsSoftLimitIsTakenFirst) {
    layout.groups[2].limits.memory_soft = 48U << 20U;
    auto manager = CgroupManager::create(layout);
    ASSERT_TRUE(manager) << manager.error().message();
    EXPECT_THAT((*manager)->warnings(), ::testing::IsEmpty());
    for (const auto& directory : (*manager)->directories("containers")) {
        const auto file = directory + "/memory.soft_limit_in_bytes";
        if (!sys::exists(file)) continue;
        EXPECT_EQ(sys::read_file_or(file), std::to_string(48U << 20U) + "\n");
    }
    EXPECT_TRUE((*manager)->remove(Milliseconds(2000)));
}

// Version 2's own files, on the unified tree that a hybrid machine also has (without controllers), or on v2.
struct RealVersion2 : ::testing::Test {
    void SetUp() override {
        REQUIRE_OR_SKIP(::geteuid() == 0, "needs root");
        const std::string top = sys::exists("/sys/fs/cgroup/cgroup.procs") ? this_machine().own_directory
                                                                           : "/sys/fs/cgroup/unified";
        REQUIRE_OR_SKIP(sys::exists(top + "/cgroup.procs"), "this machine has no cgroup version 2 tree");
        layout.mode = CgroupMode::V2;
        layout.base = top + "/supervisor-test-" + std::to_string(::getpid());
        layout.move_everybody = true;
        layout.groups = {{"supervisor", {}, false}, {"engine", {}, false}, {"containers", {}, true}};
        ASSERT_TRUE(make_group(layout.base));
    }
    void TearDown() override {
        const SteadyClock clock;
        if (layout.base.empty()) return;
        (void)kill_by_signals(layout.base);
        (void)remove_groups(layout.base, clock, Deadline::after(clock, Milliseconds(2000)));
    }
    CgroupLayout layout;
};

TEST_F(RealVersion2, B3_EverybodyInTheBaseMovesToTheLeaf) {
    UniqueFd base(::open((layout.base + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
    const pid_t child = sleeper({-1, {base.get()}});
    ASSERT_TRUE(wait_until_filled(layout.base));
    auto manager = CgroupManager::create(layout);
    ASSERT_TRUE(manager) << manager.error().message();
    EXPECT_TRUE(processes_in(layout.base).empty());
    EXPECT_THAT(processes_in(layout.base + "/supervisor"), ::testing::ElementsAre(child));
    EXPECT_TRUE((*manager)->kill("supervisor"));
    EXPECT_EQ(signal_that_ended(child), SIGKILL);
    EXPECT_TRUE((*manager)->remove(Milliseconds(2000)));
    EXPECT_FALSE(sys::exists(layout.base + "/supervisor"));
}

TEST_F(RealVersion2, GroupIsEmptyAgainAfterItWasKilled) {
    auto manager = CgroupManager::create(layout);
    ASSERT_TRUE(manager) << manager.error().message();
    const auto placement = (*manager)->placement("engine");
    ASSERT_TRUE(placement);
    EXPECT_GE(placement->directory, 0);
    EXPECT_TRUE((*manager)->empty("engine"));
    const pid_t child = sleeper(*placement);
    ASSERT_TRUE(wait_until_filled(layout.base + "/engine"));
    EXPECT_FALSE((*manager)->empty("engine"));
    EXPECT_TRUE((*manager)->kill("engine"));
    EXPECT_EQ(signal_that_ended(child), SIGKILL);
    EXPECT_TRUE((*manager)->empty("engine"));
    EXPECT_TRUE((*manager)->remove(Milliseconds(2000)));
}

// What version 2 is told, written into plain files.
struct FakeVersion2 : ::testing::Test {
    FakeVersion2() {
        layout.mode = CgroupMode::V2;
        layout.base = ::mkdtemp(name);
        layout.controllers = {"cpu", "memory"};
        layout.groups = {{"supervisor", {}, false},
                         {"engine", {{}, 256U << 20U}, false},
                         {"containers", {1U << 30U, {}}, true}};
        file("cgroup.procs", "");
        file("cgroup.subtree_control", "");
        file("supervisor/cgroup.procs", "");
        file("engine/memory.low", "");
        file("containers/memory.max", "");
        file("containers/cgroup.subtree_control", "");
    }
    ~FakeVersion2() override { (void)sys::remove_tree(layout.base); }
    void file(const std::string& path, const std::string& text) const {
        const auto full = layout.base + "/" + path;
        (void)sys::make_directories(full.substr(0, full.find_last_of('/')));
        std::ofstream(full) << text;
    }
    std::string text(const std::string& path) const { return sys::read_file_or(layout.base + "/" + path); }
    char name[32] = "/tmp/cgroup-fake-XXXXXX";
    CgroupLayout layout;
};

TEST_F(FakeVersion2, ControllersAndLimitsAreWritten) {
    auto manager = CgroupManager::create(layout);
    ASSERT_TRUE(manager) << manager.error().message();
    EXPECT_EQ(text("supervisor/cgroup.procs"), "0");
    EXPECT_EQ(text("cgroup.subtree_control"), "+cpu +memory");
    EXPECT_EQ(text("containers/cgroup.subtree_control"), "+cpu +memory");
    EXPECT_EQ(text("engine/memory.low"), std::to_string(256U << 20U));
    EXPECT_EQ(text("containers/memory.max"), std::to_string(1U << 30U));
    EXPECT_THAT((*manager)->warnings(), ::testing::IsEmpty());
}

TEST_F(FakeVersion2, BirthplaceHandsControllersOnOnlyAfterItWasLeft) {
    layout.groups = {
        {"supervisor", {}, false}, {"engine", {}, true, true}, {"engine/containers", {1U << 30U, {}}, true}};
    file("engine/cgroup.subtree_control", "");
    file("engine/containers/memory.max", "");
    file("engine/containers/cgroup.subtree_control", "");
    auto manager = CgroupManager::create(layout);
    ASSERT_TRUE(manager) << manager.error().message();
    EXPECT_EQ(text("engine/cgroup.subtree_control"), "");
    EXPECT_EQ(text("engine/containers/memory.max"), "");
    (*manager)->settle();
    EXPECT_EQ(text("engine/cgroup.subtree_control"), "+cpu +memory");
    EXPECT_EQ(text("engine/containers/memory.max"), std::to_string(1U << 30U));
    EXPECT_THAT((*manager)->warnings(), ::testing::IsEmpty());
}

TEST_F(FakeVersion2, MissingControllerIsAWarning) {
    ASSERT_TRUE(sys::remove_file(layout.base + "/engine/memory.low"));
    auto manager = CgroupManager::create(layout);
    ASSERT_TRUE(manager) << manager.error().message();
    EXPECT_THAT((*manager)->warnings(), ::testing::ElementsAre(::testing::HasSubstr("memory.low")));
}

TEST_F(FakeVersion2, OomKillsAreCounted) {
    file("containers/memory.events", "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n");
    auto manager = CgroupManager::create(layout);
    ASSERT_TRUE(manager);
    EXPECT_EQ((*manager)->oom_kills("containers"), 2U);
    EXPECT_EQ((*manager)->oom_kills("engine"), 0U);
}

TEST(OomVictimTest, NamesTaskCgroupAndWhoseLimitWasHit) {
    constexpr const char* kLog =
        "6,1,1,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=a,mems_allowed=0,oom_memcg=/"
        "docker/x/"
        "containers/1,task_memcg=/docker/x/containers/1,task=first,pid=10,uid=0\n"
        "6,2,2,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=a,mems_allowed=0,oom_memcg=/"
        "docker/x/"
        "containers/2,task_memcg=/docker/x/containers/2,task=stress,pid=11,uid=0\n"
        "6,3,3,-;oom-kill:constraint=CONSTRAINT_NONE,task_memcg=/docker/x/agent,task=java,pid=12,uid=1000\n";
    const auto victims = oom_victims(kLog);
    ASSERT_EQ(victims.size(), 3U);
    EXPECT_EQ(victims[1].task, "stress");
    EXPECT_EQ(victims[1].pid, "11");
    EXPECT_EQ(victims[1].limit_of, "/docker/x/containers/2");
    EXPECT_EQ(victims[2].cgroup, "/docker/x/agent");
    EXPECT_EQ(victims[2].limit_of, "");
}

TEST(OomVictimTest, ThePathBeginsWithOurGroup) {
    EXPECT_EQ(path_from("/docker/x/engine/containers/1", "engine/containers"), "engine/containers/1");
    EXPECT_EQ(path_from("/docker/x/agent", "agent"), "agent");
    EXPECT_EQ(path_from("/docker/x/agents", "agent"), "");
}

TEST(GroupError, B12_NoRoomForMoreNamesWhatFillsIt) {
    EXPECT_THAT(group_error(ENOSPC, "/sys/fs/cgroup/memory/engine").message(),
                ::testing::HasSubstr("groups without processes"));
    EXPECT_THAT(group_error(EACCES, "/g").message(), ::testing::Not(::testing::HasSubstr("room")));
}

}  // namespace
}  // namespace supervisor::host
