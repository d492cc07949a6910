// Every decision about how the engine runs on this host, made from plain facts and without touching anything.
//
// draft() always gives a plan, with every decision and its reason in it, so that `doctor` can show one for a
// host that does not do; plan() turns the ones that cannot be lived with into an error.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "engine/address_pools.hpp"
#include "engine/engine_facts.hpp"
#include "engine/settings.hpp"
#include "engine/user_choices.hpp"
#include "host/cgroup_layout.hpp"
#include "host/facts.hpp"

namespace supervisor::engine {

enum class Verdict { Ok, Warn, Fail };

// One decision: "storage: overlay2, because …".
struct Decision {
    Verdict verdict = Verdict::Ok;
    std::string topic;   // "storage", "cgroup", …
    std::string choice;  // what will be done
    std::string reason;  // what was found
    std::string fix;     // what the user can change; "" when nothing needs to
};

struct StoragePlan {
    std::string driver;             // a graph driver, or a snapshotter when image_store is on
    bool image_store = false;       // containerd's image store instead of graph drivers
    bool make_fuse_device = false;  // mknod /dev/fuse
    // What `docker info` will say as Driver.
    const std::string& expected_driver() const { return driver; }
};

struct CgroupPlan {
    host::CgroupLayout layout;
    std::string supervisor = "supervisor";
    std::string engine = "engine";
    std::string agent = "agent";
    std::string containers = "containers";
    std::string parent;  // --cgroup-parent: `containers` as the engine sees it
};

enum class IptablesBackend { Nft, Legacy, None };

// Makes the resolver of the container, which answers on its loopback only, answer on the bridge as well.
struct ResolverRelay {
    std::string listen;  // address without prefix
    std::string target;  // 127.0.0.11
};

struct NetworkPlan {
    IptablesBackend backend = IptablesBackend::None;
    bool ip6tables = false;
    std::optional<unsigned> mtu;  // for the default bridge and for new networks; none: leave 1500
    std::optional<AddressPlan> addresses;
    std::vector<std::string> dns;
    std::optional<ResolverRelay> relay;
    bool without_raw = false;            // tell the engine to do without the raw table
    bool without_bridge_filter = false;  // … and without br_netfilter, although it is configured to use it
};

struct MountsPlan {
    bool share_root = false;  // mount --make-rshared /
    bool securityfs = false;
    bool writable_proc_sys = false;  // remount /proc/sys read-write
    std::vector<std::string> tmpfs;  // directories that need one on a read-only root
    bool make_kmsg = false;          // mknod /dev/kmsg
};

struct SecurityPlan {
    bool ignore_apparmor = false;         // environment `container`, see security_plan.cpp
    std::optional<int> oom_score_adjust;  // of the engine's daemons
    bool selinux = false;
};

struct FileLimits {
    std::uint64_t soft = 1024;
    std::uint64_t hard = 524288;
};

struct EnginePlan {
    EngineVersion version;
    StoragePlan storage;
    CgroupPlan cgroup;
    NetworkPlan network;
    MountsPlan mounts;
    SecurityPlan security;
    FileLimits open_files;
    bool live_restore = true;
    std::vector<Decision> decisions;

    bool suitable() const;
};

struct PlanInput {
    const EngineSettings& settings;
    const UserChoices& choices;
    const EngineFacts& engine;
    const host::HostFacts& host;
};

EnginePlan draft(const PlanInput& input);
// The error names everything that is missing and what would give it; it is the one for exit code 71.
Result<EnginePlan> plan(const PlanInput& input);

// One line: "storage: …; cgroup: …" of the decisions that fail.
std::string failures_text(const std::vector<Decision>& decisions);

// The parts of draft(), each in a file of its own. They append to plan.decisions.
void plan_api(const PlanInput& input, EnginePlan& plan);
void plan_rights(const PlanInput& input, EnginePlan& plan);
void plan_storage(const PlanInput& input, EnginePlan& plan);
void plan_cgroup(const PlanInput& input, EnginePlan& plan);
void plan_network(const PlanInput& input, EnginePlan& plan);
void plan_mounts(const PlanInput& input, EnginePlan& plan);
void plan_security(const PlanInput& input, EnginePlan& plan);

}  // namespace supervisor::engine
