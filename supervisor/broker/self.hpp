// Finding out which container the agent is, and what is mounted in it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "broker/config.hpp"

namespace supervisor::broker {

// Possible ids of the own container, the likeliest first: the last 64 hexadecimal digits in
// /proc/self/cgroup, the directory from which /etc/hostname is mounted, the host name. Each has to be
// confirmed by the engine.
std::vector<std::string> own_container_candidates(std::string_view cgroup, std::string_view mountinfo,
                                                  std::string_view hostname);

// "Mounts" of a container's inspect answer, those with a path that the engine can use again.
std::vector<Mount> mounts_from_inspect(const json::object& inspect);

}  // namespace supervisor::broker
