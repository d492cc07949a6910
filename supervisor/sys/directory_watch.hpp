// Tells of files in a directory that were written, replaced or removed, by inotify(7): costs nothing while
// nothing happens.
#pragma once

#include <set>
#include <string>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace supervisor::sys {

// Becomes readable when a file in `path` was closed after writing, moved or removed. Links in `path` are
// followed now, once.
Result<UniqueFd> watch_directory(const std::string& path);

// Names of the files that changed since the last call; never waits. An empty name means that some were lost.
std::set<std::string> take_changes(int watch);

}  // namespace supervisor::sys
