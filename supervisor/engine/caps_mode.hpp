// What containment `caps` takes from the engine and everything it starts. It keeps CAP_SYS_ADMIN, without
// which no engine works, so this closes the straight ways out of the container and not all of them:
// docs/security.md lists what stays open.
#pragma once

#include <cstdint>

#include "proc/seccomp.hpp"

namespace supervisor::engine {

// Bounding set to keep; bit N is capability N.
std::uint64_t caps_bounding_set();

// Loading modules and kernels, rebooting, setting clocks, raw I/O, opening files by handle …: for 32-bit
// programs as well, which inner containers may have.
proc::SeccompRules caps_seccomp_rules();

}  // namespace supervisor::engine
