// What follows when the agent has ended by itself. (When somebody asked for the end, nothing is decided here:
// an ordered stop exits 0.)
#pragma once

#include <string>

#include "agent/settings.hpp"

namespace supervisor::agent {

// What the user wants: auto ends an elastic agent's container (its plugin made it for one job and stops it)
// and restarts a static agent.
enum class RestartRule { Auto, Always, Never };

struct ExitFacts {
    LaunchMode launch = LaunchMode::Direct;
    int exit_code = 0;         // when `signal` is 0
    int signal = 0;            // what killed it
    bool memory_kill = false;  // the cgroup's oom_kill counter grew while it ran
    bool elastic = false;
    // Agent JVMs in a row that ended with 0 less than a minute after their start.
    int quick_upgrades = 0;
};

struct ExitDecision {
    enum class Next {
        Refetch,  // fetch what the server has and start again, at once
        Restart,  // start again after the back-off
        End,      // end the container with `status`
    };
    Next next = Next::Restart;
    int status = 0;      // as a shell would say it: the code, or 128 + signal
    std::string reason;  // one line for the log
};

ExitDecision decide_after_exit(const ExitFacts& facts, RestartRule rule);

}  // namespace supervisor::agent
