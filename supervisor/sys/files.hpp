// Small files, read and written whole. Every descriptor is O_CLOEXEC from birth; errors name the path.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace supervisor::sys {

// open(2) with O_CLOEXEC added and EINTR retried.
Result<UniqueFd> open_file(const std::string& path, int flags, mode_t mode = 0);
Result<UniqueFd> open_directory(const std::string& path);

// The whole file, at most `limit` bytes (a larger file is an error). For /proc, /sys and configuration.
Result<std::string> read_file(const std::string& path, std::size_t limit = 4 << 20);
// Same, relative to a directory handle: the right way for cgroup and /proc/<pid> files.
Result<std::string> read_file_at(int directory, const std::string& name, std::size_t limit = 4 << 20);
// From its beginning to its end; the position is at the end afterwards.
Result<std::string> read_open_file(int fd, std::size_t limit = 64 << 20);
// The file's text, or `otherwise` when it cannot be read.
std::string read_file_or(const std::string& path, std::string otherwise = {});

// A file in a place that others can write to: anything but a regular file is an error, and nothing that lies
// there (a pipe, a device) makes the caller wait.
Result<std::string> read_regular_file(const std::string& path, std::size_t limit = 64 << 10);

// The first `limit` bytes, or fewer if the file is shorter.
Result<std::string> read_beginning(const std::string& path, std::size_t limit);

// One write(2) to an existing file, as kernel interface files want it. Never creates.
Result<> write_existing(const std::string& path, std::string_view text);
Result<> write_existing_at(int directory, const std::string& name, std::string_view text);

// Writes all of `data`, retrying short writes and EINTR.
Result<> write_all(int fd, std::string_view data);

struct Owner {
    uid_t user;
    gid_t group;
};

// Replaces `path` by a file with this content: temporary file beside it, then rename(2). Readers see the old
// text or the new one, never a part.
Result<> replace_file(const std::string& path, std::string_view text, mode_t mode,
                      const Owner* owner = nullptr);

// A symbolic link at `path`; one that is there is replaced.
Result<> make_link(const std::string& target, const std::string& path);

// mkdir -p; existing directories are fine and keep their mode.
Result<> make_directories(const std::string& path, mode_t mode = 0755);
// rm -r that never follows a link and stops at mounts (subvolumes of btrfs go as well); a missing path is
// fine.
Result<> remove_tree(const std::string& path);
// rename(2): within one file system, replacing a file that is at `to`.
Result<> rename_path(const std::string& from, const std::string& to);
// Unlinks a file if it is there.
Result<> remove_file(const std::string& path);

bool exists(const std::string& path);
// Size of a regular file in bytes.
Result<std::uint64_t> file_size(const std::string& path);
// Seconds since 1970.
Result<std::int64_t> modification_time(const std::string& path);

struct DiskSpace {
    std::uint64_t size;       // bytes
    std::uint64_t available;  // to unprivileged users
};
// Of the file system that holds `path`.
Result<DiskSpace> disk_space(const std::string& path);

bool is_directory(const std::string& path);
// Names in a directory, sorted, without "." and "..".
Result<std::vector<std::string>> list_directory(const std::string& path);

}  // namespace supervisor::sys
