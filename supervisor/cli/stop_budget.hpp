// How long a stop may take depends on who will pull the plug.
#pragma once

#include <string>
#include <vector>

#include "base/clock.hpp"

namespace supervisor::cli {

struct StopBudget {
    Milliseconds total;
    std::string reason;
};

// The docker elastic plugin waits 2 s before SIGKILL, docker stop and swarm 10 s, kubernetes and ECS 30 s; a
// reserve is kept for the way of the signal. The plugin is known by GO_EA_AUTO_REGISTER_ELASTIC_PLUGIN_ID.
StopBudget stop_budget(const std::vector<std::string>& environment);

}  // namespace supervisor::cli
