// Mounts in the engine's answers about a container, and what of them is the agent's.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "broker/rules/mount_table.hpp"

namespace supervisor::broker {

// Paths of the host that an inspected container binds.
std::vector<std::string> bind_sources(const json::object& host_config);

// The directories that the local driver binds for those of `volumes` that are in the engine's list, as binds
// of the container.
void add_binds_of_volumes(const json::object& list, const std::vector<std::string>& volumes,
                          json::object& host_config);

// Volumes of a listed or inspected container, without those that are the agent's.
std::vector<std::string> volumes_of(const json::object& container, const MountTable& mounts);

// Whether show_listed_mounts() would change anything in a list: quick, and sometimes true in vain.
bool has_agents_mounts(std::string_view list, const MountTable& mounts);
// Binds as they were asked for: sources as the agent knows them, parts of its volumes as binds.
void show_listed_mounts(const MountTable& mounts, json::object& container);
// Same, of an inspected container.
void show_mounts(const MountTable& mounts, json::object& container);

}  // namespace supervisor::broker
