#include "sys/directory_lock.hpp"

#include <sys/file.h>

#include <cerrno>

#include "sys/files.hpp"

namespace supervisor::sys {

Result<std::optional<UniqueFd>> lock_directory(const std::string& path) {
    SUPERVISOR_TRY_ASSIGN(directory, open_directory(path));
    if (::flock(directory.get(), LOCK_EX | LOCK_NB) == 0) return std::optional(std::move(directory));
    if (errno == EWOULDBLOCK) return std::optional<UniqueFd>();
    return fail(system_error("lock", path));
}

}  // namespace supervisor::sys
