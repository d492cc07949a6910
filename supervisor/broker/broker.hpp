// The broker: stands between the jobs and a Docker engine. An own process; PID 1 starts it with a Config.
//
// Startup contract: the listener is listening already and stays the parent's too, so clients that come early
// (or while the broker is restarted) wait in its backlog. The engine's socket is reached through
// Config.host_socket. Descriptors named in the Config are inherited; the broker marks them close-on-exec,
// though it never executes anything. Privileges are dropped before run() is called: the broker needs to
// connect to the engine's socket and nothing else.
#pragma once

#include <cstdint>

#include "broker/config.hpp"

namespace supervisor::broker {

// Serves until SIGTERM or until PID 1 closes its end of the socket pair; returns the exit status. What is
// running is cut off then: an orderly end is AgentEnding (see peer_protocol.hpp) first.
int run(Config config);

struct SweepOptions {
    std::string host_socket = "/var/run/docker.sock";
    // What carries this agent's id is removed too, whatever its incarnation; "" removes only what has no
    // owner.
    std::string agent_id;
    // Kept: the incarnation that is alive now.
    std::string keep_incarnation;
    std::uint32_t deadline_ms = 30'000;
};

// Removes what belongs to agents that are no longer there. Prints what it did; returns the exit status (0
// when nothing is left that should have gone).
int sweep(const SweepOptions& options);

}  // namespace supervisor::broker
