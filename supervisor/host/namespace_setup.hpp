// What the holder process does between its birth and its long sleep. Only calls that are safe after fork, on
// data that was prepared before it.
#pragma once

#include <vector>

#include "host/namespaces.hpp"

namespace supervisor::host {

// The holder's answer. step: an index into the steps, or one of the negative values.
struct SetupReport {
    static constexpr int kDone = -1;
    static constexpr int kStart = -2;     // before the first step: the message with the mounts
    static constexpr int kIdentity = -3;  // becoming root of the user namespace
    static constexpr int kCgroup = -4;    // the cgroups, or their namespace
    int step = kDone;
    int error = 0;
};

constexpr std::size_t kMostMounts = 128;

// own_root: it is in a user namespace of its own.
[[noreturn]] void run_holder(int control, bool own_root, const std::vector<int>& cgroup_procs,
                             const std::vector<SetupStep>& steps);

}  // namespace supervisor::host
