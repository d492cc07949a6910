#include "host/mounts.hpp"

#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>

#include "sys/files.hpp"

namespace supervisor::host {
namespace {

// The flags that a remount must repeat to keep them.
unsigned long kept_flags(unsigned long statvfs_flags) {
    unsigned long flags = 0;
    if ((statvfs_flags & ST_NOSUID) != 0) flags |= MS_NOSUID;
    if ((statvfs_flags & ST_NODEV) != 0) flags |= MS_NODEV;
    if ((statvfs_flags & ST_NOEXEC) != 0) flags |= MS_NOEXEC;
    if ((statvfs_flags & ST_NOATIME) != 0) flags |= MS_NOATIME;
    if ((statvfs_flags & ST_RELATIME) != 0) flags |= MS_RELATIME;
    return flags;
}

Result<> mount_logged(const char* source, const std::string& target, const char* type, unsigned long flags,
                      const std::string& options, UndoLog& undo) {
    if (::mount(source, target.c_str(), type, flags, options.c_str()) != 0)
        return fail(system_error(std::string("mount ") + type + " at", target));
    undo.add("unmount " + target, [target]() -> Result<> {
        if (::umount2(target.c_str(), MNT_DETACH) != 0) return fail(system_error("unmount", target));
        return {};
    });
    return {};
}

}  // namespace

std::vector<std::string> UndoLog::run() {
    std::vector<std::string> failures;
    for (; !actions_.empty(); actions_.pop_back()) {
        const auto& entry = actions_.back();
        if (const auto done = entry.action(); !done) failures.push_back(done.error().message());
    }
    return failures;
}

Result<> remount_writable(const std::string& path) {
    struct statvfs status {};
    if (::statvfs(path.c_str(), &status) != 0) return fail(system_error("examine", path));
    const unsigned long flags = MS_REMOUNT | MS_BIND | kept_flags(status.f_flag);
    if (::mount(nullptr, path.c_str(), nullptr, flags, nullptr) == 0) {
        if (::statvfs(path.c_str(), &status) != 0 || (status.f_flag & ST_RDONLY) == 0) return {};
    }
    // The file system itself may be read-only, not only this mount of it.
    const unsigned long whole = MS_REMOUNT | kept_flags(status.f_flag);
    if (::mount(nullptr, path.c_str(), nullptr, whole, nullptr) != 0)
        return fail(system_error("remount read-write", path));
    return {};
}

Result<> make_shared(const std::string& path) {
    if (::mount(nullptr, path.c_str(), nullptr, MS_REC | MS_SHARED, nullptr) != 0)
        return fail(system_error("make shared", path));
    return {};
}

Result<> mount_securityfs(UndoLog& undo) {
    return mount_logged("securityfs", "/sys/kernel/security", "securityfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
                        "", undo);
}

Result<> mount_tmpfs(const std::string& path, const std::string& options, UndoLog& undo) {
    return mount_logged("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, options, undo);
}

Result<> ensure_writable(const std::string& path) {
    struct statvfs status {};
    if (::statvfs(path.c_str(), &status) != 0) return fail(system_error("examine", path));
    if ((status.f_flag & ST_RDONLY) == 0) return {};
    if (::mount("tmpfs", path.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "mode=755") != 0)
        return fail(system_error("mount tmpfs at", path));
    return {};
}

Result<> make_character_device(const std::string& path, unsigned major_number, unsigned minor_number,
                               mode_t mode, UndoLog& undo) {
    if (::mknod(path.c_str(), S_IFCHR | mode, ::makedev(major_number, minor_number)) != 0) {
        if (errno == EEXIST) return {};
        return fail(system_error("make device", path));
    }
    // Independent of our umask.
    if (::chmod(path.c_str(), mode) != 0) return fail(system_error("chmod", path));
    undo.add("remove " + path, [path]() -> Result<> { return sys::remove_file(path); });
    return {};
}

}  // namespace supervisor::host
