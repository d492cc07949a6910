// Which cgroup file systems there are, where this process stands in them, and what it may do there.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sys/procfs.hpp"

namespace supervisor::host {

enum class CgroupMode { None, V1, Hybrid, V2 };
std::string_view to_string(CgroupMode mode);

// One version 1 hierarchy, or in Hybrid mode also the version 2 tree beside them (controllers == "").
struct CgroupHierarchy {
    std::string controllers;  // "memory", "cpu,cpuacct", "name=systemd"
    std::string mount_point;
    std::string own_directory;  // where our process is, as a path; == mount_point when we see only our part
    bool read_only = false;
    // The runtime gave us no group of our own in it: what is mounted is the machine's.
    bool unscoped = false;
};

// A version 1 hierarchy that /proc/self/cgroup names and that is mounted nowhere.
struct UnmountedHierarchy {
    std::string controllers;
    std::string own_path;  // "/" in the machine's own group
};

struct CgroupFacts {
    CgroupMode mode = CgroupMode::None;
    std::string mount_point = "/sys/fs/cgroup";
    bool read_only = false;

    // Version 2.
    std::string own_path;       // of /proc/self/cgroup, "/" in a namespace of our own
    std::string own_directory;  // the same as a path below mount_point, "" if it is not reachable from there
    // The mount shows the machine's own root (only there cgroup.type is missing). With own_path "/" this
    // process owns the machine; with another own_path it is a guest that must not touch the root: a
    // privileged pod, to which the runtime gives no cgroup namespace.
    bool machine_root = false;
    std::string type;  // cgroup.type of own_directory: domain, threaded, domain invalid …
    std::vector<std::string> controllers;  // that own_directory can hand to its children
    std::vector<std::string> delegated;    // that it already does (cgroup.subtree_control)
    bool kill_file = false;                // cgroup.kill is there (kernel 5.14)
    // own_directory is another user's: a user namespace whose runtime did not hand the group over.
    bool foreign = false;

    // Version 1 and hybrid.
    std::vector<CgroupHierarchy> hierarchies;
    std::vector<UnmountedHierarchy> unmounted;

    std::optional<std::uint64_t> pids_max;  // of our own group, if it has a limit that we can see

    bool guest_of_machine_root() const { return machine_root && own_path != "/"; }
    bool has_controller(std::string_view name) const;
};

// `root` is put before every path that is read: "" on a real host, a directory in tests.
CgroupFacts probe_cgroups(const std::vector<sys::MountEntry>& mounts,
                          const std::vector<sys::CgroupMembership>& memberships,
                          const std::string& root = {});

}  // namespace supervisor::host
