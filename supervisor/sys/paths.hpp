// Small questions about paths.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

namespace supervisor::sys {

// Where the link at `path` leads; no value when it is none.
std::optional<std::string> link_target(const std::string& path);

bool is_executable(const std::string& path);

// Whose the directory entry itself is (of a link, not of where it leads); no value when there is none.
std::optional<uid_t> owner_of(const std::string& path);

// Gives a directory of root's, without what is in it, to somebody; never follows a link. True when it did.
bool give_directory(const std::string& path, uid_t user, gid_t group);
// Gives a directory to somebody if it is root's and empty, as the engine makes it when a bind mount's source
// does not exist; never follows a link. True when it did.
bool adopt_empty_directory(const std::string& path, uid_t user, gid_t group);

}  // namespace supervisor::sys
