// Linux capabilities as bits of a mask (the numbers are a stable kernel interface, linux/capability.h) and by
// their names, for messages. Children lose theirs after the fork, where libcap's allocations are not allowed:
// that is in proc/child_exec.cpp.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace supervisor::sys {

constexpr unsigned kCapChown = 0;
constexpr unsigned kCapDacOverride = 1;
constexpr unsigned kCapFowner = 3;
constexpr unsigned kCapKill = 5;
constexpr unsigned kCapSetgid = 6;
constexpr unsigned kCapSetuid = 7;
constexpr unsigned kCapSetpcap = 8;
constexpr unsigned kCapNetAdmin = 12;
constexpr unsigned kCapNetRaw = 13;
constexpr unsigned kCapSysModule = 16;
constexpr unsigned kCapSysChroot = 18;
constexpr unsigned kCapSysPtrace = 19;
constexpr unsigned kCapSysAdmin = 21;
constexpr unsigned kCapSysResource = 24;
constexpr unsigned kCapMknod = 27;

constexpr bool has_capability(std::uint64_t mask, unsigned capability) {
    return (mask >> capability & 1U) != 0;
}

constexpr std::uint64_t capability_mask(std::initializer_list<unsigned> capabilities) {
    std::uint64_t mask = 0;
    for (const unsigned capability : capabilities) mask |= std::uint64_t{1} << capability;
    return mask;
}

// "CAP_SYS_ADMIN"; "CAP_57" for one that is younger than libcap.
std::string capability_name(unsigned capability);
std::vector<std::string> capability_names(std::uint64_t mask);

}  // namespace supervisor::sys
