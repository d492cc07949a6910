// Is the engine well? Asked through the API by a short-lived process, answered by its exit status and one
// line.
#pragma once

#include <string>

#include "engine/api_client.hpp"

namespace supervisor::engine {

enum class Health {
    Well = 0,
    DaemonSick = 1,      // dockerd does not answer, or answers nonsense
    ContainerdSick = 2,  // dockerd answers, but has no containerd
    WrongDriver = 3,     // another storage driver than the one that was planned
};

struct CheckResult {
    Health health = Health::Well;
    std::string reason;  // one line; for Well the engine's version and driver
};

struct CheckRequest {
    std::string expected_driver;  // empty: any, and /info is not asked
};

CheckResult check_engine(const ApiClient& client, const CheckRequest& request, Deadline deadline);

// The same over answers that are already here.
bool has_containerd(const json::value& version);

}  // namespace supervisor::engine
