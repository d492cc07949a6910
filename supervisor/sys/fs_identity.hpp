// Files touched as another account, for as long as this object lives: setfsuid(2) and setfsgid(2). For a root
// process that works in directories which others can write to: a link planted there then leads no further
// than its planter could go himself, and what is created belongs to the account without a chown.
//
// Of the calling thread. The kernel takes the file capabilities away together with fsuid 0 and gives them
// back.
#pragma once

#include <sys/types.h>

#include "base/result.hpp"

namespace supervisor::sys {

class FsIdentity {
  public:
    // Fails when the kernel did not follow (no CAP_SETUID); then nothing has changed. The account that the
    // process has anyway is always possible.
    static Result<FsIdentity> take(uid_t user, gid_t group);

    FsIdentity(FsIdentity&& other) noexcept;
    FsIdentity& operator=(FsIdentity&&) = delete;
    ~FsIdentity();

  private:
    FsIdentity(uid_t user, gid_t group, int dumpable)
        : former_user_(user), former_group_(group), former_dumpable_(dumpable) {}
    uid_t former_user_;
    gid_t former_group_;
    int former_dumpable_;
    bool active_ = true;
};

}  // namespace supervisor::sys
