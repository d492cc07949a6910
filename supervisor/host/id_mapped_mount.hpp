// Mounts that are prepared where nobody can see them and attached later, possibly by another process in
// another mount namespace: open_tree(2), mount_setattr(2), fsopen(2), move_mount(2). The descriptor is the
// only reference; closing it unattached undoes everything.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace supervisor::host {

// A copy of what is mounted at `path`, that mount alone or with all that is mounted below it.
enum class Tree { Single, Recursive };
Result<UniqueFd> clone_mount(const std::string& path, Tree tree = Tree::Single);

// Shows on-disk ids as the ids of `user_namespace`: 0 on disk is 0 there. Needs Linux 5.12 and a file system
// that supports it (ext4, xfs, btrfs, f2fs …; tmpfs since 6.3; overlay itself does not): EINVAL says that
// this one does not. Submounts of a recursive copy must all support it.
Result<> map_ids(int mount, int user_namespace, Tree tree = Tree::Single);

// clone_mount and map_ids in one.
Result<UniqueFd> id_mapped_copy(const std::string& path, int user_namespace, Tree tree = Tree::Single);

// A new tmpfs owned by user:group, not attached anywhere. Devices on it work: it belongs to the caller's user
// namespace. Needs Linux 5.2.
struct TmpfsOptions {
    std::string name;  // what /proc/mounts calls it
    mode_t mode = 0755;
    uid_t user = 0;
    gid_t group = 0;
};
Result<UniqueFd> new_tmpfs(const TmpfsOptions& options);

// A file system without options, such as cgroup2, not attached anywhere. Needs Linux 5.2.
Result<UniqueFd> new_mount(const char* type);

// Attaches a prepared mount at `path` in the caller's mount namespace.
Result<> attach_mount(int mount, const std::string& path);
// Detaches what is mounted at `path`, at once for names, later for who still uses it.
Result<> detach_mount(const std::string& path);

}  // namespace supervisor::host
