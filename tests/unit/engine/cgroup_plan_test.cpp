// Named after the catalogue: B cgroups, C cgroups in Kubernetes.
#include "plan_fixture.hpp"

namespace supervisor::engine {
namespace {

using CgroupPlan = PlanTest;

std::vector<std::string> group_names(const EnginePlan& plan) {
    std::vector<std::string> names;
    for (const auto& group : plan.cgroup.layout.groups) names.push_back(group.name);
    return names;
}

void become_version1(host::HostFacts& host) {
    host.cgroup = {};
    host.cgroup.mode = host::CgroupMode::Hybrid;
    for (const char* name : {"memory", "devices", "cpu,cpuacct", "pids"}) {
        const std::string mount = std::string("/sys/fs/cgroup/") + name;
        host.cgroup.hierarchies.push_back({name, mount, mount, false});
    }
}

TEST_F(CgroupPlan, KeepsSupervisorEngineAgentAndContainersApart) {
    const auto plan = drafted();
    EXPECT_THAT(group_names(plan), ::testing::ElementsAre("supervisor", "engine", "containers", "agent"));
    EXPECT_EQ(plan.cgroup.parent, "/containers");
}

TEST_F(CgroupPlan, ContainedEngineOwnsOneGroupWithItsContainersBelow) {
    settings.contained = true;
    const auto plan = drafted();
    EXPECT_EQ(plan.cgroup.engine, "engine/daemons");
    EXPECT_EQ(plan.cgroup.containers, "engine/containers");
    EXPECT_EQ(plan.cgroup.parent, "/containers");
}

TEST_F(CgroupPlan, B1_DomainInvalidIsAnErrorBeforeAnythingStarts) {
    host.cgroup.type = "domain invalid";
    EXPECT_THAT(drafted(), FailsSaying("domain invalid"));
}

TEST_F(CgroupPlan, B2_ThreadedIsAnErrorBeforeAnythingStarts) {
    host.cgroup.type = "threaded";
    EXPECT_THAT(drafted(), FailsSaying("threaded"));
}

TEST_F(CgroupPlan, B3_EverybodyLeavesTheRootOfOurNamespace) {
    EXPECT_TRUE(drafted().cgroup.layout.move_everybody);
}

TEST_F(CgroupPlan, B5_PidOneSitsInALeaf) {
    EXPECT_EQ(drafted().cgroup.layout.nest, "supervisor");
}

TEST_F(CgroupPlan, B6_MissingNamedHierarchyIsMounted) {
    become_version1(host);
    host.cgroup.unmounted = {{"name=systemd", "/docker/abc"}};
    const auto plan = drafted();
    ASSERT_EQ(plan.cgroup.layout.mount_missing.size(), 1U);
    EXPECT_EQ(plan.cgroup.layout.mount_missing[0].controllers, "name=systemd");
    EXPECT_EQ(plan.cgroup.layout.mount_missing[0].own_path, "/docker/abc");
}

TEST_F(CgroupPlan, B7_HierarchiesOfTheMachineAreHiddenFromContainers) {
    become_version1(host);
    host.cgroup.hierarchies.push_back({"misc", "/sys/fs/cgroup/misc", "/sys/fs/cgroup/misc", false, true});
    const auto plan = drafted();
    EXPECT_THAT(plan, Suits());
    EXPECT_THAT(plan.cgroup.layout.hide, ::testing::ElementsAre("/sys/fs/cgroup/misc"));
    for (const auto& hierarchy : plan.cgroup.layout.hierarchies) EXPECT_NE(hierarchy.controllers, "misc");
    lose(sys::kCapSysAdmin);
    EXPECT_THAT(drafted().cgroup.layout.hide, ::testing::IsEmpty());
}

TEST_F(CgroupPlan, B7_AMissingHierarchyWithoutAGroupOfOursStaysAway) {
    become_version1(host);
    host.cgroup.unmounted = {{"misc", "/"}, {"rdma", "/docker/abc"}, {"name=systemd", "/"}};
    std::string mounted;
    for (const auto& hierarchy : drafted().cgroup.layout.mount_missing)
        mounted += hierarchy.controllers + " ";
    EXPECT_EQ(mounted, "rdma name=systemd ");
}

TEST_F(CgroupPlan, B9_DevicesControllerMustBeMountedOnVersion1) {
    become_version1(host);
    std::erase_if(host.cgroup.hierarchies, [](const auto& h) { return h.controllers == "devices"; });
    EXPECT_THAT(drafted(), FailsSaying("devices controller"));
}

TEST_F(CgroupPlan, B10_KernelsWithoutDeviceRulesOnVersion2AreNamed) {
    struct Case {
        const char* kernel;
        bool fails;
        bool warns;
    };
    const Case cases[] = {{"4.9.0-19-amd64", true, false},
                          {"4.14.336-253.554.amzn2", true, false},
                          {"4.15.0", false, true},
                          {"5.1.21", false, true},
                          {"5.2", false, false},
                          {"6.18.44-fc-v669", false, false},
                          {"", false, false}};
    for (const auto& [kernel, fails, warns] : cases) {
        host.machine.kernel = kernel;
        const auto plan = drafted();
        EXPECT_EQ(plan.suitable(), !fails) << kernel;
        EXPECT_EQ(all_text(plan).find("no docker pause") != std::string::npos, warns) << kernel;
    }
    become_version1(host);
    host.machine.kernel = "4.9.0-19-amd64";
    EXPECT_THAT(drafted(), Suits());
}

TEST_F(CgroupPlan, B11_DriverIsCgroupfsWhateverIsMountedAtRun) {
    const auto config = daemon_config(drafted(), settings, choices);
    EXPECT_EQ(config.file.at("exec-opts").at(0).as_string(), "native.cgroupdriver=cgroupfs");
}

TEST_F(CgroupPlan, C1_PodWithoutANamespaceStaysBelowItsOwnGroup) {
    host.cgroup.machine_root = true;
    host.cgroup.own_path = "/kubepods.slice/pod1/abc";
    host.cgroup.own_directory = "/sys/fs/cgroup/kubepods.slice/pod1/abc";
    const auto plan = drafted();
    EXPECT_EQ(plan.cgroup.layout.base, "/sys/fs/cgroup/kubepods.slice/pod1/abc");
    EXPECT_EQ(plan.cgroup.parent, "/kubepods.slice/pod1/abc/containers");
    EXPECT_TRUE(plan.cgroup.layout.move_everybody);
}

TEST_F(CgroupPlan, C1_OnTheMachineItselfNobodyElseIsMoved) {
    host.cgroup.machine_root = true;
    EXPECT_FALSE(drafted().cgroup.layout.move_everybody);
}

TEST_F(CgroupPlan, C1_C2_ForeignMountIsReplacedByOneOfOurNamespace) {
    host.cgroup.own_directory.clear();
    const auto plan = drafted();
    EXPECT_TRUE(plan.cgroup.layout.mount_fresh);
    EXPECT_EQ(plan.cgroup.parent, "/containers");
}

// The pod's limits hold for everything that the engine makes, and `kubectl top` sees it.
TEST_F(CgroupPlan, C3_EverythingIsBelowThePodsOwnGroup) {
    host.cgroup.machine_root = true;
    host.cgroup.own_path = "/kubepods.slice/pod1/abc";
    host.cgroup.own_directory = "/sys/fs/cgroup/kubepods.slice/pod1/abc";
    for (const bool contained : {false, true}) {
        settings.contained = contained;
        const auto plan = drafted();
        EXPECT_EQ(plan.cgroup.layout.base, host.cgroup.own_directory);
        EXPECT_THAT(plan, Suits());
        // A contained engine sees its own group as the root of its namespace.
        EXPECT_EQ(plan.cgroup.parent, contained ? "/containers" : "/kubepods.slice/pod1/abc/containers");
        for (const auto& group : plan.cgroup.layout.groups) EXPECT_FALSE(group.name.starts_with("/"));
    }
    EXPECT_THAT(all_text(drafted()), ::testing::HasSubstr("everything stays below /kubepods.slice/pod1/abc"));
}

TEST_F(CgroupPlan, C4_GroupOfAnotherUserIsNamedWithTheWayOut) {
    host.process.initial_user_namespace = false;
    host.cgroup.foreign = true;
    EXPECT_THAT(drafted(), FailsSaying("our cgroup / belongs to another user"));
    EXPECT_THAT(drafted(), FailsSaying("hostUsers: true"));
    host.cgroup.foreign = false;
    EXPECT_THAT(drafted(), Suits());
}

TEST_F(CgroupPlan, C5_Version1ShowsOnlyOurPart) {
    become_version1(host);
    const auto plan = drafted();
    EXPECT_THAT(plan, Suits());
    EXPECT_EQ(plan.cgroup.parent, "/containers");
}

TEST_F(CgroupPlan, Version1WholeHierarchyPutsContainersBelowOurMemoryGroup) {
    become_version1(host);
    host.cgroup.hierarchies[0].own_directory = "/sys/fs/cgroup/memory/job/7";
    EXPECT_EQ(drafted().cgroup.parent, "/job/7/containers");
}

TEST_F(CgroupPlan, ReadOnlyTreeIsRemountedOrAnError) {
    host.cgroup.read_only = true;
    EXPECT_TRUE(drafted().cgroup.layout.make_writable);
    lose(sys::kCapSysAdmin);
    EXPECT_THAT(drafted(), FailsSaying("/sys/fs/cgroup is read-only"));
}

TEST_F(CgroupPlan, NoCgroupFileSystemIsAnError) {
    host.cgroup = {};
    EXPECT_THAT(drafted(), FailsSaying("no cgroup file system"));
}

TEST_F(CgroupPlan, MissingControllersWarn) {
    host.cgroup.controllers = {"cpu", "pids"};
    EXPECT_THAT(drafted(), Warns("memory controller is not delegated"));
}

TEST_F(CgroupPlan, LimitsReachTheirGroups) {
    settings.agent_memory_max = 1 << 30;
    settings.containers_memory_max = 2U << 30U;
    std::map<std::string, host::CgroupLimits> limits;
    for (const auto& group : drafted().cgroup.layout.groups) limits[group.name] = group.limits;
    EXPECT_EQ(limits["agent"].memory_max, 1U << 30U);
    EXPECT_EQ(limits["containers"].memory_max, 2U << 30U);
    EXPECT_EQ(limits["engine"].memory_low, 256U << 20U);
}

// Measured with 600 MiB of memory and 150 MiB of the engine's files in the page cache, while a container read
// a file of 1 GiB: docs/operations.md has the figures.
TEST_F(CgroupPlan, EngineIsProtectedAsEachVersionCan) {
    for (const bool version2 : {true, false}) {
        if (!version2) become_version1(host);
        std::map<std::string, host::CgroupLimits> limits;
        for (const auto& group : drafted().cgroup.layout.groups) limits[group.name] = group.limits;
        EXPECT_EQ(limits["engine"].memory_low.has_value(), version2);
        EXPECT_FALSE(limits["engine"].memory_soft.has_value());
        for (const char* greedy : {"agent", "containers"}) {
            EXPECT_EQ(limits[greedy].memory_soft.value_or(0), version2 ? 0 : host.machine.memory_total / 2)
                << greedy;
            EXPECT_FALSE(limits[greedy].memory_low.has_value());
        }
    }
}

// Seen: a job that forked without end left the engine unable to start anything for as long as the container
// ran.
TEST_F(CgroupPlan, JobsLeaveTheEngineAPartOfALimitOfProcesses) {
    const auto limits_under = [&](std::optional<std::uint64_t> pids_max) {
        host.cgroup.pids_max = pids_max;
        std::map<std::string, host::CgroupLimits> limits;
        for (const auto& group : drafted().cgroup.layout.groups) limits[group.name] = group.limits;
        EXPECT_FALSE(limits["engine"].pids_max);
        EXPECT_EQ(limits["agent"].pids_max, limits["containers"].pids_max);
        return limits["agent"].pids_max;
    };
    EXPECT_EQ(limits_under(2048), 2048U - 682U);
    EXPECT_EQ(limits_under(100'000), 100'000U - 768U);
    EXPECT_EQ(limits_under(192), 128U);
    EXPECT_EQ(limits_under(191), std::nullopt);
    EXPECT_EQ(limits_under(std::nullopt), std::nullopt);
}

TEST_F(CgroupPlan, UsersCgroupParentWins) {
    choose(R"({"cgroup-parent": "/mine"})");
    EXPECT_EQ(drafted().cgroup.parent, "/mine");
}

}  // namespace
}  // namespace supervisor::engine
