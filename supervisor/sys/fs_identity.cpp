#include "sys/fs_identity.hpp"

#include <sys/fsuid.h>
#include <sys/prctl.h>

#include <string>
#include <utility>

namespace supervisor::sys {
namespace {

// Both calls answer with the former value; an invalid id changes nothing and so reads the present one.
uid_t present_user() {
    return static_cast<uid_t>(::setfsuid(static_cast<uid_t>(-1)));
}
gid_t present_group() {
    return static_cast<gid_t>(::setfsgid(static_cast<gid_t>(-1)));
}

}  // namespace

Result<FsIdentity> FsIdentity::take(uid_t user, gid_t group) {
    FsIdentity identity(present_user(), present_group(), ::prctl(PR_GET_DUMPABLE));
    ::setfsgid(group);
    ::setfsuid(user);
    if (present_user() == user && present_group() == group) return identity;
    return fail("the kernel refused to use files as uid " + std::to_string(user) + ", gid " +
                std::to_string(group));
}

FsIdentity::FsIdentity(FsIdentity&& other) noexcept
    : former_user_(other.former_user_),
      former_group_(other.former_group_),
      former_dumpable_(other.former_dumpable_),
      active_(std::exchange(other.active_, false)) {}

FsIdentity::~FsIdentity() {
    if (!active_) return;
    ::setfsuid(former_user_);
    ::setfsgid(former_group_);
    if (former_dumpable_ == 1) (void)::prctl(PR_SET_DUMPABLE, 1);
}

}  // namespace supervisor::sys
