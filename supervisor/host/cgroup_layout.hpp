// The cgroups that a supervisor wants to have, as plain data: decided by a plan, made by CgroupManager
// (cgroup.hpp).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "host/cgroup_facts.hpp"

namespace supervisor::host {

struct CgroupLimits {
    std::optional<std::uint64_t> memory_max;  // bytes; hard
    std::optional<std::uint64_t> memory_low;  // v2, bytes; kept from reclaim while others have more
    // v1, bytes: when the machine runs short, what the group has beyond this is taken first. Version 1 cannot
    // protect a group; this is how one is spared, by naming the others.
    std::optional<std::uint64_t> memory_soft = std::nullopt;
    std::optional<std::uint64_t> pids_max = std::nullopt;  // processes and threads
};

struct CgroupGroup {
    std::string name;  // path below the base, "engine" or "engine/daemons"
    CgroupLimits limits;
    bool parent = false;  // v2: it has groups below it and no processes, and hands controllers on to them
    // v2: a process is first born in it and then leaves it for one of the groups below (the root of a cgroup
    // namespace is where its first process was). Until settle() it hands no controllers on, and the groups
    // below it have no limits.
    bool birthplace = false;
};

struct CgroupLayout {
    CgroupMode mode = CgroupMode::None;
    std::string base;                          // v2: directory that becomes the parent of all groups
    std::vector<CgroupHierarchy> hierarchies;  // v1: own_directory is the base of each
    // First repairs of what is mounted.
    bool make_writable = false;  // remount read-only cgroup file systems
    bool mount_fresh = false;    // v2: our own group is not reachable through the mount that is there
    std::vector<UnmountedHierarchy> mount_missing;  // v1: to mount below /sys/fs/cgroup, our part of it
    std::vector<std::string> hide;  // v1: mount points of hierarchies in which nobody may make groups
    // v2: all processes of the base move to `nest`, since a group with processes cannot have controllers.
    bool move_everybody = false;  // or this process alone (the base is the machine's root: it is not ours)
    std::string nest = "supervisor";
    std::vector<std::string> controllers;  // v2: enabled for the base's children
    std::vector<CgroupGroup> groups;       // made in order, `nest` included
};

}  // namespace supervisor::host
