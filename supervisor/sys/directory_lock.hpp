// A directory that one process at a time may use, by a kernel lock on the directory itself: nothing is left
// behind by a process that was killed, and nothing inside can be deleted to break the lock.
#pragma once

#include <optional>
#include <string>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace supervisor::sys {

// Held until the descriptor is closed. No value when another process holds it (flock(2), so also in another
// container on the same volume). Fails where the file system has no such locks.
Result<std::optional<UniqueFd>> lock_directory(const std::string& path);

}  // namespace supervisor::sys
