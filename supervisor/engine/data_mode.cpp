#include "engine/data_mode.hpp"

#include <fmt/core.h>

#include "sys/files.hpp"

namespace supervisor::engine {
namespace {

constexpr const char* kUserns = "/userns";

// Any engine that has run makes one of these.
bool used(const std::string& directory) {
    for (const char* name : {"/image", "/containers", "/overlay2", "/vfs", "/fuse-overlayfs", "/btrfs",
                             "/containerd", "/engine-id"}) {
        if (sys::exists(directory + name)) return true;
    }
    return false;
}

}  // namespace

DataPlace choose_data_place(const std::string& root, ContainmentMode mode, bool plain_used,
                            bool userns_used) {
    const bool contained = mode == ContainmentMode::Userns;
    const std::string own = contained ? root + kUserns : root;
    const std::string other = contained ? root : root + kUserns;
    DataPlace place{own, {}};
    const bool other_used = contained ? plain_used : userns_used;
    const bool own_used = contained ? userns_used : plain_used;
    if (!other_used) return place;
    place.note = fmt::format(
        "{} holds data of an engine {} a user namespace, which this one must not open: it stays as it is, "
        "and this "
        "engine {} in {}",
        other, contained ? "without" : "in", own_used ? "goes on with its own" : "starts empty", own);
    return place;
}

DataPlace find_data_place(const std::string& root, ContainmentMode mode) {
    return choose_data_place(root, mode, used(root), used(root + kUserns));
}

}  // namespace supervisor::engine
