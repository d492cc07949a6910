// What helper processes do to the inner engine's objects: end every container at once, and remove what a job
// left.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "engine/api_client.hpp"

namespace supervisor::engine {

// Kills all running containers in parallel and waits until none runs or the deadline is over. Paused ones are
// killed too; restart policies do not bring them back, since the engine sees a request and not a death. The
// number that was running.
Result<int> kill_all_containers(const std::string& socket_path, const Clock& clock, Deadline deadline);

// Names of everything that exists: "container/ID", "network/ID", "volume/NAME".
Result<std::set<std::string>> list_objects(const ApiClient& client, Deadline deadline);

struct CleanupScope {
    bool everything = false;  // networks, volumes and dangling images too, not only containers
};

// Removes what exists now and did not exist in `before`. The number of removed objects.
Result<int> remove_new_objects(const ApiClient& client, const std::set<std::string>& before,
                               const CleanupScope& scope, Deadline deadline);

}  // namespace supervisor::engine
