#include "sys/paths.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

#include "sys/files.hpp"

namespace supervisor::sys {

std::optional<std::string> link_target(const std::string& path) {
    std::array<char, 4096> target;
    const auto size = ::readlink(path.c_str(), target.data(), target.size());
    if (size < 0) return std::nullopt;
    return std::string(target.data(), static_cast<std::size_t>(size));
}

bool is_executable(const std::string& path) {
    return !is_directory(path) && ::access(path.c_str(), X_OK) == 0;
}

std::optional<uid_t> owner_of(const std::string& path) {
    struct stat status = {};
    if (::lstat(path.c_str(), &status) != 0) return std::nullopt;
    return status.st_uid;
}

bool give_directory(const std::string& path, uid_t user, gid_t group) {
    const auto directory = open_file(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    struct stat status = {};
    if (!directory || ::fstat(directory->get(), &status) != 0 || status.st_uid != 0 || user == 0)
        return false;
    return ::fchown(directory->get(), user, group) == 0;
}

bool adopt_empty_directory(const std::string& path, uid_t user, gid_t group) {
    const auto names = list_directory(path);
    return names && names->empty() && give_directory(path, user, group);
}

}  // namespace supervisor::sys
