// How much of the outer container's privilege the engine keeps.
//
//   userns  engine and inner containers live in a user namespace: their root is nobody on the host
//   caps    the engine keeps the host's user ids, but not the capabilities, devices and system calls that
//           lead straight out of the container
//   off     the engine may do everything that the outer container may do
//
// Decided here from facts, without touching anything; EngineSpace carries it out.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "host/containment_facts.hpp"
#include "host/namespaces.hpp"

namespace supervisor::engine {

enum class ContainmentMode { Userns, Caps, Off };
enum class ContainmentRequest { Auto, Userns, Caps, Off };

std::string_view to_string(ContainmentMode mode);
// "auto", "userns", "caps", "off".
Result<ContainmentRequest> parse_containment(std::string_view text);

struct ContainmentPlan {
    ContainmentMode mode = ContainmentMode::Off;
    std::string reason;  // one clause: why this mode, and what kept a stronger one away
    host::IdRange ids;   // userns
    // Of the agent's directories: those that can be shown to the engine with its ids, and those that cannot
    // and must be moved to the data volume or do without.
    std::vector<std::string> mappable;
    std::vector<std::string> unmappable;

    // Who, outside, the engine's root is: the owner of what it must be able to use.
    uid_t engine_root() const { return mode == ContainmentMode::Userns ? ids.first : 0; }
};

// The error names what is missing; it is the one for exit code 71.
Result<ContainmentPlan> plan_containment(ContainmentRequest request, const host::ContainmentFacts& facts);

}  // namespace supervisor::engine
