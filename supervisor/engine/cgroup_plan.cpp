// Where the supervisor, the engine, the agent and the containers stand in the cgroup tree.
//
// Version 2 in a namespace of our own: everybody leaves the root for `supervisor`, because a group that has
// processes cannot give controllers to children. Without a namespace (a privileged pod: its runtime does not
// make one) what is mounted is the node's root, which is nobody's to change: everything goes below our own
// group, the containers by --cgroup-parent.
#include <fmt/core.h>

#include <algorithm>
#include <cstdint>

#include "base/strings.hpp"
#include "engine/plan.hpp"
#include "sys/capabilities.hpp"

namespace supervisor::engine {
namespace {

using host::CgroupMode;

constexpr std::uint64_t kEngineMemoryLow = 256ULL << 20U;
// Of a limit of processes: what the supervisor, the engine's daemons and the shims of its containers keep.
constexpr std::uint64_t kLeastKeptPids = 64;
constexpr std::uint64_t kMostKeptPids = 768;
constexpr const char* kPrivilegedFix = "docker run --privileged, or securityContext.privileged: true";

void decide(EnginePlan& plan, Verdict verdict, std::string choice, std::string reason, std::string fix = {}) {
    plan.decisions.push_back({verdict, "cgroup", std::move(choice), std::move(reason), std::move(fix)});
}

// Group `name` below the base as a cgroup path, for --cgroup-parent.
std::string path_below(const std::string& own_path, const std::string& name) {
    return (own_path == "/" ? "" : own_path) + "/" + name;
}

// A greedy job must not push the daemons out of memory; a small machine keeps most of its memory for jobs. On
// version 2 the engine is protected; on version 1 jobs that have more than half of the machine are taken from
// first.
void protect_engine(const PlanInput& input, host::CgroupLimits& engine, host::CgroupLimits& jobs) {
    const auto total = input.host.machine.memory_total;
    if (total == 0) return;
    if (input.host.cgroup.mode == CgroupMode::V2)
        engine.memory_low = std::min(kEngineMemoryLow, total / 8);
    else
        jobs.memory_soft = total / 2;
}

// A job that forks without end must not keep the engine from starting or removing a container. Where a third
// of the limit is less than the daemons need, there is nothing to share out.
void protect_forks(const PlanInput& input, host::CgroupLimits& jobs) {
    const auto limit = input.host.cgroup.pids_max.value_or(0);
    if (limit / 3 < kLeastKeptPids) return;
    jobs.pids_max = limit - std::min(limit / 3, kMostKeptPids);
}

void add_groups(const PlanInput& input, CgroupPlan& cgroup) {
    host::CgroupLimits engine_limits;
    host::CgroupLimits containers_limits;
    protect_engine(input, engine_limits, containers_limits);
    protect_forks(input, containers_limits);
    host::CgroupLimits agent_limits = containers_limits;
    containers_limits.memory_max = input.settings.containers_memory_max;
    agent_limits.memory_max = input.settings.agent_memory_max;
    auto& groups = cgroup.layout.groups;
    groups.push_back({cgroup.supervisor, {}, false});
    if (input.settings.contained) {
        // A contained engine owns the whole of `engine` and sees it as its root.
        cgroup.engine = "engine/daemons";
        cgroup.containers = "engine/containers";
        groups.push_back({"engine", engine_limits, true, true});
    }
    groups.push_back({cgroup.engine, engine_limits, false});
    groups.push_back({cgroup.containers, containers_limits, true});
    groups.push_back({cgroup.agent, agent_limits, false});
}

void choose_parent(const PlanInput& input, CgroupPlan& cgroup, const std::string& own_path) {
    const auto asked = input.choices.text("cgroup-parent");
    if (!asked.empty()) {
        cgroup.parent = asked;
    } else {
        cgroup.parent = input.settings.contained ? "/containers" : path_below(own_path, cgroup.containers);
    }
}

bool check_type(const host::CgroupFacts& facts, EnginePlan& plan) {
    if (facts.type != "threaded" && facts.type != "domain invalid") return true;
    decide(plan, Verdict::Fail, "none",
           fmt::format("our cgroup is in the state '{}': containers with limits cannot run below it",
                       facts.type),
           "start the container afresh; something put its parent into threaded mode");
    return false;
}

// A user namespace does not change whom the group belongs to: its runtime has to hand it over.
bool check_owner(const host::CgroupFacts& facts, EnginePlan& plan) {
    if (!facts.foreign || facts.read_only) return true;
    decide(
        plan, Verdict::Fail, "none",
        fmt::format("our cgroup {} belongs to another user: the runtime put this container into a user "
                    "namespace and did not hand the group over",
                    facts.own_path),
        "hostUsers: true in the pod, or a runtime that delegates cgroups (containerd 2.1: cgroup_writable)");
    return false;
}

// Device rules are programs of BPF on version 2, and pausing needs its freezer.
bool check_kernel(const host::MachineFacts& machine, EnginePlan& plan) {
    if (!machine.kernel_at_least(4, 15)) {
        decide(plan, Verdict::Fail, "none",
               fmt::format("Linux {} has no device rules on cgroup version 2, which every container needs",
                           machine.kernel),
               "a kernel of 4.15 or later (5.2 or later is better), or a host booted with cgroup version 1");
        return false;
    }
    if (!machine.kernel_at_least(5, 2))
        decide(plan, Verdict::Warn, "no docker pause",
               fmt::format("Linux {} has no freezer on cgroup version 2", machine.kernel),
               "a kernel of 5.2 or later");
    return true;
}

std::string describe_version2(const host::CgroupFacts& facts) {
    if (facts.guest_of_machine_root())
        return fmt::format(
            "v2 without a namespace of its own: the mount shows the node's root, everything stays "
            "below {}",
            facts.own_path);
    if (facts.machine_root) return "v2, this is the machine's own root";
    return "v2 in a namespace of its own";
}

void plan_version2(const PlanInput& input, EnginePlan& plan) {
    const auto& facts = input.host.cgroup;
    auto& layout = plan.cgroup.layout;
    if (!check_type(facts, plan) || !check_owner(facts, plan) || !check_kernel(input.host.machine, plan))
        return;
    layout.mount_fresh = facts.own_directory.empty();
    layout.base = layout.mount_fresh ? facts.mount_point : facts.own_directory;
    layout.move_everybody = !facts.machine_root || facts.guest_of_machine_root();
    layout.controllers = facts.controllers;
    add_groups(input, plan.cgroup);
    choose_parent(input, plan.cgroup, layout.mount_fresh ? "/" : facts.own_path);
    decide(plan, Verdict::Ok, "containers below " + plan.cgroup.parent, describe_version2(facts));
    for (const char* controller : {"memory", "pids", "cpu"}) {
        if (layout.mount_fresh || facts.has_controller(controller)) continue;
        decide(plan, Verdict::Warn, "no limits of " + std::string(controller),
               fmt::format("the {} controller is not delegated to this container", controller));
    }
}

// Directory of hierarchy relative to its mount, "/" when we see only our part.
std::string path_in_mount(const host::CgroupHierarchy& hierarchy) {
    const auto path = hierarchy.own_directory.substr(hierarchy.mount_point.size());
    return path.empty() ? "/" : path;
}

// One --cgroup-parent serves all hierarchies. Normally we are at the top of each mount; elsewhere (a runtime
// that mounts whole hierarchies) the memory hierarchy's path is the one that limits.
std::string own_path_version1(const host::CgroupFacts& facts) {
    std::string path = "/";
    for (const auto& hierarchy : facts.hierarchies) {
        const auto names = split(hierarchy.controllers, ',');
        const bool memory = std::find(names.begin(), names.end(), "memory") != names.end();
        if (memory) path = path_in_mount(hierarchy);
    }
    return path;
}

// A controller's hierarchy in which we have no group of our own shows the machine's: better none.
std::vector<host::UnmountedHierarchy> worth_mounting(const host::CgroupFacts& facts) {
    std::vector<host::UnmountedHierarchy> wanted;
    for (const auto& hierarchy : facts.unmounted) {
        if (hierarchy.own_path != "/" || hierarchy.controllers.starts_with("name="))
            wanted.push_back(hierarchy);
    }
    return wanted;
}

void plan_version1(const PlanInput& input, EnginePlan& plan) {
    const auto& facts = input.host.cgroup;
    auto& layout = plan.cgroup.layout;
    const bool can_mount = input.host.process.can(sys::kCapSysAdmin);
    for (const auto& hierarchy : facts.hierarchies) {
        if (hierarchy.unscoped && can_mount)
            layout.hide.push_back(hierarchy.mount_point);
        else
            layout.hierarchies.push_back(hierarchy);
    }
    if (can_mount) layout.mount_missing = worth_mounting(facts);
    add_groups(input, plan.cgroup);
    choose_parent(input, plan.cgroup, own_path_version1(facts));
    if (!facts.has_controller("devices") && input.host.process.initial_user_namespace) {
        decide(plan, Verdict::Fail, "none",
               "the devices controller is not mounted, and dockerd insists on it", kPrivilegedFix);
        return;
    }
    decide(plan, Verdict::Ok, "containers below " + plan.cgroup.parent,
           fmt::format("{} with {} hierarchies", to_string(facts.mode), facts.hierarchies.size()));
    std::string mounted;
    for (const auto& hierarchy : layout.mount_missing)
        mounted += (mounted.empty() ? "" : ", ") + hierarchy.controllers;
    if (!mounted.empty())
        decide(plan, Verdict::Ok, "mounts " + mounted,
               "runc looks for every hierarchy that /proc/self/cgroup names");
    if (!layout.hide.empty())
        decide(
            plan, Verdict::Ok, "hides " + join(layout.hide, ", "),
            "they show the machine's own groups: what containers make there would outlive them on the host");
}

}  // namespace

void plan_cgroup(const PlanInput& input, EnginePlan& plan) {
    const auto& facts = input.host.cgroup;
    plan.cgroup.layout.mode = facts.mode;
    plan.cgroup.layout.nest = plan.cgroup.supervisor;
    const bool can_mount = input.host.process.can(sys::kCapSysAdmin);
    if (facts.mode == CgroupMode::None) {
        decide(plan, Verdict::Fail, "none", "no cgroup file system is mounted at /sys/fs/cgroup",
               kPrivilegedFix);
        return;
    }
    if (facts.read_only && !can_mount) {
        decide(plan, Verdict::Fail, "none", "/sys/fs/cgroup is read-only and CAP_SYS_ADMIN is missing",
               kPrivilegedFix);
        return;
    }
    plan.cgroup.layout.make_writable = facts.read_only;
    if (facts.read_only)
        decide(plan, Verdict::Ok, "remounts /sys/fs/cgroup read-write", "it is read-only and we may");
    if (facts.mode == CgroupMode::V2) {
        plan_version2(input, plan);
    } else {
        plan_version1(input, plan);
    }
}

}  // namespace supervisor::engine
