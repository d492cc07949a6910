// Mounts that the engine needs and its relation to the host's security modules.
#include <fmt/core.h>

#include <cstdint>

#include "base/strings.hpp"
#include "engine/plan.hpp"
#include "sys/capabilities.hpp"

namespace supervisor::engine {
namespace {

constexpr int kEngineOomScore = -500;  // what docker.service gives dockerd
constexpr std::uint64_t kSmallRun = 16ULL << 20U;

void decide(EnginePlan& plan, Verdict verdict, std::string topic, std::string choice, std::string reason,
            std::string fix = {}) {
    plan.decisions.push_back(
        {verdict, std::move(topic), std::move(choice), std::move(reason), std::move(fix)});
}

void plan_read_only_root(const host::HostFacts& host, EnginePlan& plan) {
    for (const char* directory : {"/run", "/tmp", "/var/log", "/var/tmp"}) {
        const auto* mount = sys::mount_holding(host.mounts, directory);
        if (mount == nullptr || mount->target == "/") plan.mounts.tmpfs.emplace_back(directory);
    }
    if (!plan.mounts.tmpfs.empty())
        decide(plan, Verdict::Ok, "mounts", "tmpfs on what must be writable",
               "the root file system is read-only");
}

// The engine turns forwarding on and switches IPv6 off on containers' interfaces through /proc/sys.
void plan_proc_sys(const host::HostFacts& host, EnginePlan& plan) {
    if (!host.network.proc_sys_read_only) return;
    plan.mounts.writable_proc_sys = host.process.can(sys::kCapSysAdmin);
    if (plan.mounts.writable_proc_sys) {
        decide(plan, Verdict::Ok, "mounts", "remounts /proc/sys read-write", "it is read-only and we may");
    } else {
        decide(plan, Verdict::Fail, "mounts", "none", "/proc/sys is read-only and CAP_SYS_ADMIN is missing",
               "docker run --privileged, or --cap-add SYS_ADMIN");
    }
}

// Sockets, pid files and the state of every container lie in /run; a pod's volume for it may be tiny.
void plan_run(const host::HostFacts& host, EnginePlan& plan) {
    if (host.run_size == 0 || host.run_size >= kSmallRun) return;
    decide(plan, Verdict::Warn, "run", "/run as it is",
           fmt::format("it holds only {}, and every inner container takes some of it",
                       format_size(host.run_size)),
           "give the tmpfs or emptyDir at /run 64 MiB or more");
}

void plan_apparmor(const host::HostFacts& host, EnginePlan& plan) {
    const auto& security = host.security;
    if (!security.apparmor) return;
    // Loading the engine's profile from in here would replace the one of the same name that the host's own
    // engine uses: the kernel has one set of profiles for all.
    plan.security.ignore_apparmor = true;
    plan.mounts.securityfs =
        security.securityfs_directory && !security.securityfs_mounted && host.process.can(sys::kCapSysAdmin);
    decide(plan, Verdict::Ok, "apparmor", "inner containers run without a profile",
           "the profile's name belongs to the host's engine");
    const auto& profile = security.apparmor_profile;
    if (!profile.empty() && !profile.starts_with("unconfined")) {
        decide(plan, Verdict::Fail, "apparmor", "none",
               fmt::format("this container runs under the profile '{}', which forbids mounts", profile),
               "docker run --privileged, or --security-opt apparmor=unconfined");
    }
}

void plan_selinux(const PlanInput& input, EnginePlan& plan) {
    const auto& security = input.host.security;
    if (!security.selinux) return;
    plan.security.selinux = input.choices.boolean("selinux-enabled").value_or(false);
    const bool confined = security.label.find("container_t") != std::string::npos;
    if (security.selinux_enforcing && confined) {
        decide(plan, Verdict::Warn, "selinux", "enforcing",
               "this container runs confined as " + security.label,
               "docker run --privileged, or --security-opt label=disable");
    } else {
        decide(plan, Verdict::Ok, "selinux", "inner containers are not labelled",
               "the label is " + security.label);
    }
}

}  // namespace

void plan_mounts(const PlanInput& input, EnginePlan& plan) {
    const auto& host = input.host;
    plan.mounts.share_root = !host.root_shared && host.process.can(sys::kCapSysAdmin);
    if (plan.mounts.share_root)
        decide(plan, Verdict::Ok, "mounts", "makes / shared", "-v …:rshared in inner containers needs it");
    if (host.root_read_only) plan_read_only_root(host, plan);
    plan_proc_sys(host, plan);
    plan_run(host, plan);
    plan.mounts.make_kmsg = host.kmsg.can_be_made();
}

void plan_security(const PlanInput& input, EnginePlan& plan) {
    plan_apparmor(input.host, plan);
    plan_selinux(input, plan);
    if (input.host.process.can(sys::kCapSysResource)) {
        plan.security.oom_score_adjust = kEngineOomScore;
    } else {
        decide(plan, Verdict::Warn, "memory", "the engine is not protected from the kernel's OOM killer",
               "CAP_SYS_RESOURCE is missing", "docker run --privileged");
    }
}

}  // namespace supervisor::engine
