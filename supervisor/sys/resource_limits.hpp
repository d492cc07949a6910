// The limits of setrlimit(2), by the names that are left of RLIMIT_….
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace supervisor::sys {

inline constexpr std::uint64_t kNoLimit = UINT64_MAX;

struct HardLimit {
    std::string name;  // "nofile"
    std::uint64_t value = kNoLimit;
};

// The calling process's own, all that the kernel knows.
std::vector<HardLimit> own_hard_limits();

}  // namespace supervisor::sys
