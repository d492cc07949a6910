// The environment of containerd and dockerd: what they read, and nothing else. In particular neither a
// client's DOCKER_* variables (a DOCKER_TLS_VERIFY would turn dockerd's TLS on) nor the agent's secrets.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/daemon_config.hpp"

namespace supervisor::engine {

// "NAME=value" entries, sorted by name.
std::vector<std::string> engine_environment(const std::map<std::string, std::string>& ours,
                                            const EnginePlan& plan, const EngineSettings& settings);

}  // namespace supervisor::engine
