// Prometheus metrics, made from status.json by a process of its own: PID 1 never accepts a connection.
#pragma once

#include <string>
#include <vector>

#include "base/json.hpp"

namespace supervisor::cli {

// The exposition text (version 0.0.4) for a status document; what is missing there is left out.
std::string metrics_text(const json::object& status);

// internal-metrics ADDRESS:PORT DIRECTORY: serves GET /metrics one request at a time until it is killed.
int serve_metrics(const std::vector<std::string>& words);

}  // namespace supervisor::cli
