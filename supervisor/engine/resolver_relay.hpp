// Rules that let inner containers reach a name server which answers only on the loopback of this network
// namespace, as the resolver of Docker's user-defined networks does (127.0.0.11): what comes to the default
// bridge's own address on port 53 is redirected to it.
//
// Bridges must accept packets for 127/8 for that (route_localnet). They inherit the setting when they are
// made; interfaces that exist already, the one to the outside among them, keep refusing.
#pragma once

#include <string>

#include "engine/plan.hpp"
#include "engine/space_network.hpp"

namespace supervisor::engine {

// Input of `iptables-restore --noflush`.
std::string relay_rules(const ResolverRelay& relay, const LoopbackResolver& resolver);
std::string relay_rules_removal(const ResolverRelay& relay, const LoopbackResolver& resolver);

}  // namespace supervisor::engine
