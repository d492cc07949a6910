#include "host/id_mapped_mount.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace supervisor::host {
namespace {

// linux/mount.h clashes with sys/mount.h of older C libraries; these are stable kernel interface.
constexpr unsigned kOpenTreeClone = 1;
constexpr unsigned kOpenTreeCloseOnExec = O_CLOEXEC;
constexpr unsigned kAtRecursive = 0x8000;
constexpr unsigned kMoveMountFromEmptyPath = 0x4;
constexpr unsigned kFsopenCloseOnExec = 1;
constexpr unsigned kFsconfigSetString = 1;
constexpr unsigned kFsconfigCreate = 6;
constexpr unsigned kFsmountCloseOnExec = 1;
constexpr std::uint64_t kAttributeIdMap = 0x00100000;

struct MountAttributes {
    std::uint64_t set;
    std::uint64_t clear;
    std::uint64_t propagation;
    std::uint64_t user_namespace;
};

Result<> configure(int context, unsigned command, const char* key, const char* value) {
    if (::syscall(SYS_fsconfig, context, command, key, value, 0) != 0)
        return fail(system_error("configure file system", key == nullptr ? "" : key));
    return {};
}

Result<UniqueFd> open_file_system(const char* type) {
    UniqueFd context(static_cast<int>(::syscall(SYS_fsopen, type, kFsopenCloseOnExec)));
    if (!context) return fail(system_error("open file system", type));
    return context;
}

Result<UniqueFd> make_mount(int context) {
    SUPERVISOR_TRY(configure(context, kFsconfigCreate, nullptr, nullptr));
    UniqueFd mount(static_cast<int>(::syscall(SYS_fsmount, context, kFsmountCloseOnExec, 0U)));
    if (!mount) return fail(system_error("make mount"));
    return mount;
}

}  // namespace

Result<UniqueFd> clone_mount(const std::string& path, Tree tree) {
    const unsigned flags =
        kOpenTreeClone | kOpenTreeCloseOnExec | (tree == Tree::Recursive ? kAtRecursive : 0);
    UniqueFd copy(static_cast<int>(::syscall(SYS_open_tree, AT_FDCWD, path.c_str(), flags)));
    if (!copy) return fail(system_error("copy mount of", path));
    return copy;
}

Result<> map_ids(int mount, int user_namespace, Tree tree) {
    const MountAttributes attributes{kAttributeIdMap, 0, 0, static_cast<std::uint64_t>(user_namespace)};
    const unsigned flags = AT_EMPTY_PATH | (tree == Tree::Recursive ? kAtRecursive : 0);
    if (::syscall(SYS_mount_setattr, mount, "", flags, &attributes, sizeof attributes) != 0)
        return fail(system_error("map ids of mount"));
    return {};
}

Result<UniqueFd> id_mapped_copy(const std::string& path, int user_namespace, Tree tree) {
    SUPERVISOR_TRY_ASSIGN(copy, clone_mount(path, tree));
    if (auto mapped = map_ids(copy.get(), user_namespace, tree); !mapped) return fail(mapped.error(), path);
    return std::move(copy);
}

Result<UniqueFd> new_tmpfs(const TmpfsOptions& options) {
    SUPERVISOR_TRY_ASSIGN(context, open_file_system("tmpfs"));
    const auto set = [&](const char* key, const std::string& value) {
        return configure(context.get(), kFsconfigSetString, key, value.c_str());
    };
    SUPERVISOR_TRY(set("source", options.name));
    SUPERVISOR_TRY(set("mode", fmt::format("{:o}", options.mode)));
    SUPERVISOR_TRY(set("uid", std::to_string(options.user)));
    SUPERVISOR_TRY(set("gid", std::to_string(options.group)));
    return make_mount(context.get());
}

Result<UniqueFd> new_mount(const char* type) {
    SUPERVISOR_TRY_ASSIGN(context, open_file_system(type));
    return make_mount(context.get());
}

Result<> attach_mount(int mount, const std::string& path) {
    if (::syscall(SYS_move_mount, mount, "", AT_FDCWD, path.c_str(), kMoveMountFromEmptyPath) != 0)
        return fail(system_error("attach mount at", path));
    return {};
}

Result<> detach_mount(const std::string& path) {
    if (::umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0)
        return fail(system_error("detach mount", path));
    return {};
}

}  // namespace supervisor::host
