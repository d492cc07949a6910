#include "sys/files.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "base/scope_exit.hpp"

namespace supervisor::sys {
namespace {

Result<UniqueFd> open_at(int directory, const std::string& path, int flags, mode_t mode) {
    int fd = -1;
    do {
        fd = ::openat(directory, path.c_str(), flags | O_CLOEXEC, mode);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) return fail(system_error("open", path));
    return UniqueFd(fd);
}

Result<std::string> read_whole(int fd, const std::string& name, std::size_t limit) {
    std::string text;
    char chunk[4096];
    for (;;) {
        const auto got = ::read(fd, chunk, sizeof chunk);
        if (got == 0) return text;
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail(system_error("read", name));
        text.append(chunk, static_cast<std::size_t>(got));
        if (text.size() > limit)
            return fail(Error(EFBIG, fmt::format("read {}: larger than {} bytes", name, limit)));
    }
}

// Kernel interface files take one write; a short one is an error there.
Result<> write_once(int fd, const std::string& name, std::string_view text) {
    ssize_t written = -1;
    do {
        written = ::write(fd, text.data(), text.size());
    } while (written < 0 && errno == EINTR);
    if (written < 0) return fail(system_error("write", name));
    if (static_cast<std::size_t>(written) != text.size())
        return fail(Error(EIO, "write " + name + ": incomplete"));
    return {};
}

struct CloseDirectory {
    void operator()(DIR* directory) const { ::closedir(directory); }
};
using DirectoryStream = std::unique_ptr<DIR, CloseDirectory>;

Result<std::vector<std::string>> names_in(UniqueFd directory, const std::string& path) {
    DirectoryStream stream(::fdopendir(directory.get()));
    if (!stream) return fail(system_error("read directory", path));
    (void)directory.release();  // the stream owns it now
    std::vector<std::string> names;
    for (;;) {
        errno = 0;
        const dirent* entry = ::readdir(stream.get());
        if (entry == nullptr) break;
        const std::string_view name = entry->d_name;
        if (name != "." && name != "..") names.emplace_back(name);
    }
    if (errno != 0) return fail(system_error("read directory", path));
    std::sort(names.begin(), names.end());
    return names;
}

Result<> remove_entry(int parent, const std::string& name, const std::string& path, dev_t device);

// Tells a mount from a subvolume of btrfs, which has a device number of its own as well. Kernels before 5.8
// do not say: then it counts as a mount.
bool is_mounted(int parent, const std::string& name) {
    struct statx status {};
    if (::statx(parent, name.c_str(), AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_TYPE, &status) != 0)
        return true;
    if ((status.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) == 0) return true;
    return (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

Result<> remove_contents(int parent, const std::string& name, const std::string& path, dev_t device) {
    SUPERVISOR_TRY_ASSIGN(directory, open_at(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0));
    SUPERVISOR_TRY_ASSIGN(names, names_in(UniqueFd(::fcntl(directory.get(), F_DUPFD_CLOEXEC, 3)), path));
    for (const auto& entry : names) {
        SUPERVISOR_TRY(remove_entry(directory.get(), entry, path + "/" + entry, device));
    }
    return {};
}

Result<> remove_entry(int parent, const std::string& name, const std::string& path, dev_t device) {
    struct stat status {};
    if (::fstatat(parent, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT) return {};
        return fail(system_error("stat", path));
    }
    const bool directory = S_ISDIR(status.st_mode);
    if (directory && status.st_dev != device && is_mounted(parent, name))
        return fail(Error(EBUSY, "remove " + path + ": something is mounted there"));
    if (directory) {
        auto removed = remove_contents(parent, name, path, status.st_dev);
        // Somebody else removes the same tree.
        if (!removed && removed.error().code() != ENOENT) return removed;
    }
    if (::unlinkat(parent, name.c_str(), directory ? AT_REMOVEDIR : 0) != 0 && errno != ENOENT) {
        return fail(system_error("remove", path));
    }
    return {};
}

}  // namespace

Result<UniqueFd> open_file(const std::string& path, int flags, mode_t mode) {
    return open_at(AT_FDCWD, path, flags, mode);
}

Result<UniqueFd> open_directory(const std::string& path) {
    return open_file(path, O_RDONLY | O_DIRECTORY);
}

Result<std::string> read_regular_file(const std::string& path, std::size_t limit) {
    SUPERVISOR_TRY_ASSIGN(file, open_file(path, O_RDONLY | O_NONBLOCK | O_NOCTTY));
    struct stat status {};
    if (::fstat(file.get(), &status) != 0) return fail(system_error("stat", path));
    if (!S_ISREG(status.st_mode)) return fail(Error(EINVAL, "read " + path + ": not a regular file"));
    return read_whole(file.get(), path, limit);
}

Result<std::string> read_file_at(int directory, const std::string& name, std::size_t limit) {
    SUPERVISOR_TRY_ASSIGN(fd, open_at(directory, name, O_RDONLY, 0));
    return read_whole(fd.get(), name, limit);
}

Result<std::string> read_file(const std::string& path, std::size_t limit) {
    return read_file_at(AT_FDCWD, path, limit);
}

Result<std::string> read_beginning(const std::string& path, std::size_t limit) {
    SUPERVISOR_TRY_ASSIGN(fd, open_file(path, O_RDONLY));
    std::string text(limit, '\0');
    std::size_t filled = 0;
    while (filled < limit) {
        const auto got = ::read(fd.get(), text.data() + filled, limit - filled);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail(system_error("read", path));
        if (got == 0) break;
        filled += static_cast<std::size_t>(got);
    }
    text.resize(filled);
    return text;
}

Result<std::string> read_open_file(int fd, std::size_t limit) {
    if (::lseek(fd, 0, SEEK_SET) < 0) return fail(system_error("rewind descriptor"));
    return read_whole(fd, "descriptor " + std::to_string(fd), limit);
}

std::string read_file_or(const std::string& path, std::string otherwise) {
    auto text = read_file(path);
    return text ? std::move(*text) : std::move(otherwise);
}

Result<> write_existing_at(int directory, const std::string& name, std::string_view text) {
    SUPERVISOR_TRY_ASSIGN(fd, open_at(directory, name, O_WRONLY, 0));
    return write_once(fd.get(), name, text);
}

Result<> write_existing(const std::string& path, std::string_view text) {
    return write_existing_at(AT_FDCWD, path, text);
}

Result<> write_all(int fd, std::string_view data) {
    while (!data.empty()) {
        const auto written = ::write(fd, data.data(), data.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return fail(system_error("write"));
        data.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

Result<> replace_file(const std::string& path, std::string_view text, mode_t mode, const Owner* owner) {
    const std::string temporary = path + ".new";
    (void)::unlink(temporary.c_str());
    SUPERVISOR_TRY_ASSIGN(fd, open_file(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    ScopeExit cleanup([&] { (void)::unlink(temporary.c_str()); });
    if (auto written = write_all(fd.get(), text); !written) return fail(written.error(), temporary);
    if (owner != nullptr && ::fchown(fd.get(), owner->user, owner->group) != 0) {
        return fail(system_error("chown", temporary));
    }
    if (::fchmod(fd.get(), mode) != 0) return fail(system_error("chmod", temporary));
    if (::rename(temporary.c_str(), path.c_str()) != 0) return fail(system_error("rename to", path));
    cleanup.dismiss();
    return {};
}

Result<> make_link(const std::string& target, const std::string& path) {
    SUPERVISOR_TRY(remove_file(path));
    if (::symlink(target.c_str(), path.c_str()) != 0) return fail(system_error("make link", path));
    return {};
}

Result<> make_directories(const std::string& path, mode_t mode) {
    for (std::size_t at = 1; at != std::string::npos;) {
        at = path.find('/', at);
        const std::string prefix = path.substr(0, at);
        if (::mkdir(prefix.c_str(), mode) != 0) {
            const int code = errno == EEXIST ? ENOTDIR : errno;
            if (!is_directory(prefix)) return fail(system_error(code, "make directory", prefix));
        }
        if (at != std::string::npos) ++at;
    }
    return {};
}

Result<> remove_tree(const std::string& path) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) {
        if (errno == ENOENT) return {};
        return fail(system_error("stat", path));
    }
    return remove_entry(AT_FDCWD, path, path, status.st_dev);
}

Result<> rename_path(const std::string& from, const std::string& to) {
    if (::rename(from.c_str(), to.c_str()) != 0) return fail(system_error("rename " + from + " to", to));
    return {};
}

Result<> remove_file(const std::string& path) {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail(system_error("remove", path));
    return {};
}

bool exists(const std::string& path) {
    return ::access(path.c_str(), F_OK) == 0;
}

Result<std::uint64_t> file_size(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return fail(system_error("stat", path));
    if (!S_ISREG(status.st_mode)) return fail(path + " is not a regular file");
    return static_cast<std::uint64_t>(status.st_size);
}

Result<std::int64_t> modification_time(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return fail(system_error("stat", path));
    return status.st_mtim.tv_sec;
}

Result<DiskSpace> disk_space(const std::string& path) {
    struct statvfs status {};
    if (::statvfs(path.c_str(), &status) != 0) return fail(system_error("examine file system of", path));
    return DiskSpace{std::uint64_t{status.f_blocks} * status.f_frsize,
                     std::uint64_t{status.f_bavail} * status.f_frsize};
}

bool is_directory(const std::string& path) {
    struct stat status {};
    return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

Result<std::vector<std::string>> list_directory(const std::string& path) {
    SUPERVISOR_TRY_ASSIGN(directory, open_directory(path));
    return names_in(std::move(directory), path);
}

}  // namespace supervisor::sys
