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

void let_others_pass(const std::string& path) {
    const auto directory = open_file(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    struct stat status = {};
    if (!directory || ::fstat(directory->get(), &status) != 0 || (status.st_mode & S_IXOTH) != 0) return;
    (void)::fchmod(directory->get(), (status.st_mode & 07777U) | S_IXOTH);
}

std::optional<uid_t> owner_of(const std::string& path) {
    struct stat status = {};
    if (::lstat(path.c_str(), &status) != 0) return std::nullopt;
    return status.st_uid;
}

Result<EntryFacts> entry_facts(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return fail(system_error("stat", path));
    return EntryFacts{status.st_uid, status.st_gid, status.st_mode & 07777U, status.st_dev, status.st_ino};
}

Result<> change_owner(const std::string& path, uid_t user, gid_t group) {
    if (::lchown(path.c_str(), user, group) != 0) return fail(system_error("change the owner of", path));
    return {};
}

Result<> change_mode(const std::string& path, mode_t mode) {
    if (::chmod(path.c_str(), mode) != 0) return fail(system_error("change the mode of", path));
    return {};
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
