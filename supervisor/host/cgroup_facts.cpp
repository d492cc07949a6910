#include "host/cgroup_facts.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/strings.hpp"
#include "sys/files.hpp"

namespace supervisor::host {
namespace {

constexpr std::string_view kMountPoint = "/sys/fs/cgroup";

// The directory below `mount` that holds cgroup `path`, "" if that part of the tree is not mounted there.
// Both `path` and the mount's root are relative to our cgroup namespace; "/.." in either means outside of it.
std::string directory_of(const sys::MountEntry& mount, const std::string& path) {
    if (mount.root.starts_with("/..") || path.starts_with("/..")) return {};
    if (!sys::path_is_inside(path, mount.root)) return {};
    const auto rest = mount.root == "/" ? path : path.substr(mount.root.size());
    return rest.empty() || rest == "/" ? mount.target : mount.target + rest;
}

const sys::CgroupMembership* membership_of(const std::vector<sys::CgroupMembership>& memberships,
                                           std::string_view controller) {
    for (const auto& membership : memberships) {
        const auto names = split(membership.controllers, ',');
        if (std::find(names.begin(), names.end(), controller) != names.end()) return &membership;
    }
    return nullptr;
}

std::vector<std::string> words_of(const std::string& path) {
    const auto text = sys::read_file_or(path);
    const auto words = split_words(text);
    return {words.begin(), words.end()};
}

// Processes and threads that our group may have at most; "max" and the roots, which have no such file, have
// no limit.
std::optional<std::uint64_t> pids_limit(const std::string& directory) {
    const auto limit = parse_unsigned(trim(sys::read_file_or(directory + "/pids.max")));
    return limit ? std::optional(*limit) : std::nullopt;
}

// A version 1 mount names its controllers among the options of its super block.
const sys::CgroupMembership* membership_of_mount(const std::vector<sys::CgroupMembership>& memberships,
                                                 const sys::MountEntry& mount) {
    for (const auto& option : mount.super_options) {
        if (const auto* found = membership_of(memberships, option)) return found;
    }
    return nullptr;
}

CgroupHierarchy version1_hierarchy(const sys::MountEntry& mount, const sys::CgroupMembership& membership) {
    CgroupHierarchy hierarchy{membership.controllers, mount.target, directory_of(mount, membership.path),
                              mount.read_only()};
    // A runtime mounts our own part of the tree; where the paths do not say so, that is what it must be.
    if (hierarchy.own_directory.empty()) hierarchy.own_directory = mount.target;
    return hierarchy;
}

// Only a hierarchy's own root has a release_agent. Where all are roots we are on the machine itself, or in a
// container without groups, and have no better place.
void find_unscoped(CgroupFacts& facts, const std::string& root) {
    bool some_are_scoped = false;
    for (auto& hierarchy : facts.hierarchies) {
        hierarchy.unscoped = sys::exists(root + hierarchy.own_directory + "/release_agent");
        some_are_scoped = some_are_scoped || !hierarchy.unscoped;
    }
    if (some_are_scoped) return;
    for (auto& hierarchy : facts.hierarchies) hierarchy.unscoped = false;
}

void read_version1(CgroupFacts& facts, const std::vector<sys::MountEntry>& mounts,
                   const std::vector<sys::CgroupMembership>& memberships, const std::string& root) {
    for (const auto& mount : mounts) {
        if (mount.type != "cgroup" || !sys::path_is_inside(mount.target, kMountPoint)) continue;
        const auto* membership = membership_of_mount(memberships, mount);
        if (membership == nullptr) continue;
        const bool known = std::any_of(
            facts.hierarchies.begin(), facts.hierarchies.end(),
            [&](const CgroupHierarchy& seen) { return seen.controllers == membership->controllers; });
        if (!known) facts.hierarchies.push_back(version1_hierarchy(mount, *membership));
    }
    for (const auto& membership : memberships) {
        const bool mounted = std::any_of(
            facts.hierarchies.begin(), facts.hierarchies.end(),
            [&](const CgroupHierarchy& seen) { return seen.controllers == membership.controllers; });
        if (!mounted && membership.hierarchy != 0)
            facts.unmounted.push_back({membership.controllers, membership.path});
    }
    find_unscoped(facts, root);
    for (const auto& hierarchy : facts.hierarchies) {
        if (!facts.pids_max) facts.pids_max = pids_limit(root + hierarchy.own_directory);
    }
    facts.read_only = std::any_of(facts.hierarchies.begin(), facts.hierarchies.end(),
                                  [](const CgroupHierarchy& hierarchy) { return hierarchy.read_only; });
}

void read_version2(CgroupFacts& facts, const sys::MountEntry& mount, const std::string& root) {
    facts.mount_point = mount.target;
    facts.read_only = mount.read_only();
    facts.own_directory = directory_of(mount, facts.own_path);
    facts.machine_root = mount.root == "/" && !sys::exists(root + mount.target + "/cgroup.type");
    const std::string own = root + (facts.own_directory.empty() ? mount.target : facts.own_directory);
    facts.type = trim(sys::read_file_or(own + "/cgroup.type"));
    facts.controllers = words_of(own + "/cgroup.controllers");
    facts.delegated = words_of(own + "/cgroup.subtree_control");
    facts.pids_max = pids_limit(own);
    facts.foreign =
        sys::exists(own) && ::access(own.c_str(), W_OK) != 0 && (errno == EACCES || errno == EPERM);
    // The root has no cgroup.kill either: any other group would do, but only a fresh one surely exists.
    facts.kill_file = sys::exists(own + "/cgroup.kill") || facts.type.empty();
}

}  // namespace

std::string_view to_string(CgroupMode mode) {
    switch (mode) {
        case CgroupMode::None:
            return "none";
        case CgroupMode::V1:
            return "v1";
        case CgroupMode::Hybrid:
            return "v1 (hybrid)";
        case CgroupMode::V2:
            return "v2";
    }
    return "unknown";
}

bool CgroupFacts::has_controller(std::string_view name) const {
    if (mode == CgroupMode::V2)
        return std::find(controllers.begin(), controllers.end(), name) != controllers.end();
    return std::any_of(hierarchies.begin(), hierarchies.end(), [&](const CgroupHierarchy& hierarchy) {
        const auto names = split(hierarchy.controllers, ',');
        return std::find(names.begin(), names.end(), name) != names.end();
    });
}

CgroupFacts probe_cgroups(const std::vector<sys::MountEntry>& mounts,
                          const std::vector<sys::CgroupMembership>& memberships, const std::string& root) {
    CgroupFacts facts;
    for (const auto& membership : memberships) {
        if (membership.hierarchy == 0 && membership.controllers.empty()) facts.own_path = membership.path;
    }
    const auto* top = sys::mount_at(mounts, kMountPoint);
    if (top != nullptr && top->type == "cgroup2") {
        facts.mode = CgroupMode::V2;
        read_version2(facts, *top, root);
        return facts;
    }
    read_version1(facts, mounts, memberships, root);
    if (facts.hierarchies.empty()) return facts;
    const auto* unified = sys::mount_at(mounts, "/sys/fs/cgroup/unified");
    facts.mode = unified != nullptr && unified->type == "cgroup2" ? CgroupMode::Hybrid : CgroupMode::V1;
    return facts;
}

}  // namespace supervisor::host
