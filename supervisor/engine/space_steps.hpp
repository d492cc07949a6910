// The mounts of a contained engine, as a list that the holder of its namespaces carries out.
#pragma once

#include <string>
#include <vector>

#include "engine/engine_space.hpp"
#include "host/namespaces.hpp"

namespace supervisor::engine {

// A mount that the supervisor prepares outside and the holder attaches: index in the list is its number.
struct PreparedMount {
    enum class Kind { IdMapped, AsIs, Devices };
    Kind kind;
    std::string path;  // outside, and inside
};

struct SpaceSteps {
    std::vector<PreparedMount> mounts;
    std::vector<host::SetupStep> steps;
};

// resolv_conf: what the engine is to see as /etc/resolv.conf, "" for the outer one.
SpaceSteps plan_space(const ContainmentPlan& plan, const SpaceInputs& inputs, const std::string& resolv_conf);

// Only a /dev of its own: for an engine on the host's ids.
SpaceSteps plan_device_space();

}  // namespace supervisor::engine
