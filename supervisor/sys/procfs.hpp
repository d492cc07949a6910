// Parsers for the kernel's text files and for passwd(5) and group(5). Pure functions of text: who fetches the
// text is somebody else's concern, so that every one of them is tested on literals.
// A line that does not have its documented form is skipped: a newer kernel may say more than we know.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace supervisor::sys {

// One line of /proc/<pid>/mountinfo (proc_pid_mountinfo(5)), octal escapes decoded.
struct MountEntry {
    int id = 0;
    int parent = 0;
    std::string device;  // "major:minor"
    std::string root;    // which part of the file system is mounted; for cgroups, relative to our namespace
    std::string target;
    std::vector<std::string> options;      // of this mount: rw, nosuid, …
    std::vector<std::string> propagation;  // shared:N, master:N, …
    std::string type;
    std::string source;
    std::vector<std::string> super_options;  // of the file system

    bool read_only() const;
    bool shared() const;
    bool has_super_option(std::string_view option) const;
};
std::vector<MountEntry> parse_mountinfo(std::string_view text);

// The mount that is visible exactly at `path`; of several stacked there, the last one. Null if none.
const MountEntry* mount_at(const std::vector<MountEntry>& mounts, std::string_view path);
// The mount that holds `path`, an absolute path without "." and "..". Null only for an empty table.
const MountEntry* mount_holding(const std::vector<MountEntry>& mounts, std::string_view path);
// "/a/b" is inside "/a", "/a" and "/"; "/ab" is not inside "/a".
bool path_is_inside(std::string_view path, std::string_view directory);

// One line of /proc/<pid>/cgroup (cgroups(7)). Hierarchy 0 with no controllers is version 2.
struct CgroupMembership {
    unsigned hierarchy = 0;
    std::string controllers;  // "cpu,cpuacct", "name=systemd", ""
    std::string path;         // relative to the cgroup namespace's root
};
std::vector<CgroupMembership> parse_cgroup_membership(std::string_view text);

// The lines of /proc/<pid>/status that say what a process may do.
struct ProcessStatus {
    std::uint64_t inheritable = 0;
    std::uint64_t permitted = 0;
    std::uint64_t effective = 0;
    std::uint64_t bounding = 0;
    std::uint64_t ambient = 0;
    bool no_new_privileges = false;
    unsigned seccomp_mode = 0;  // 0 none, 1 strict, 2 filter
};
ProcessStatus parse_process_status(std::string_view text);

// Names in /proc/filesystems, "nodev" dropped.
std::vector<std::string> parse_filesystems(std::string_view text);

struct User {
    std::string name;
    uid_t id = 0;
    gid_t group = 0;
    std::string home;
    std::string shell;
};
struct Group {
    std::string name;
    gid_t id = 0;
    std::vector<std::string> members;
};
std::optional<User> find_user(std::string_view passwd, std::string_view name);
std::optional<User> find_user(std::string_view passwd, uid_t id);
std::optional<Group> find_group(std::string_view group, std::string_view name);
// Ids of the groups that list `name` as a member.
std::vector<gid_t> supplementary_groups(std::string_view group, std::string_view name);

// One line of /proc/net/route, in host byte order; only routes that are up.
struct Route4 {
    std::string interface;
    std::uint32_t destination = 0;
    std::uint32_t mask = 0;
    std::uint32_t gateway = 0;
    std::uint32_t metric = 0;
};
std::vector<Route4> parse_routes(std::string_view text);
// The default route with the smallest metric; null if there is none.
const Route4* default_route(const std::vector<Route4>& routes);

// MemTotal, MemAvailable … of /proc/meminfo in bytes; 0 if the key is missing.
std::uint64_t meminfo_value(std::string_view text, std::string_view key);

}  // namespace supervisor::sys
