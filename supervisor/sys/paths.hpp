// Small questions about paths.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "base/result.hpp"

namespace supervisor::sys {

// Where the link at `path` leads; no value when it is none.
std::optional<std::string> link_target(const std::string& path);

bool is_executable(const std::string& path);

// Lets every user pass through a directory, which does not let them read it. Best effort; never follows a
// link.
void let_others_pass(const std::string& path);

// Whose the directory entry itself is (of a link, not of where it leads); no value when there is none.
std::optional<uid_t> owner_of(const std::string& path);

// Of what `path` leads to.
struct EntryFacts {
    uid_t user;
    gid_t group;
    mode_t mode;  // permission bits
    dev_t device;
    ino_t inode;
};
Result<EntryFacts> entry_facts(const std::string& path);
// Of the entry itself, not of where a link leads.
Result<> change_owner(const std::string& path, uid_t user, gid_t group);
Result<> change_mode(const std::string& path, mode_t mode);

// Gives a directory of root's, without what is in it, to somebody; never follows a link. True when it did.
bool give_directory(const std::string& path, uid_t user, gid_t group);
// Gives a directory to somebody if it is root's and empty, as the engine makes it when a bind mount's source
// does not exist; never follows a link. True when it did.
bool adopt_empty_directory(const std::string& path, uid_t user, gid_t group);

}  // namespace supervisor::sys
