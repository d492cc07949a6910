// One request to a Docker engine over its unix socket, for the supervisor's short-lived helper processes. PID
// 1 itself never talks to the API: what comes back can be shaped by a job.
#pragma once

#include <string>

#include "base/clock.hpp"
#include "base/json.hpp"
#include "base/result.hpp"

namespace supervisor::engine {

struct ApiResponse {
    int status = 0;
    std::string body;
};

class ApiClient {
  public:
    ApiClient(std::string socket_path, const Clock& clock)
        : socket_path_(std::move(socket_path)), clock_(clock) {}

    // Waits for the whole answer, until the deadline. Each call has a connection of its own, closed at the
    // end: an open one would delay dockerd's stop by 5 s. The path is taken as it is, without a version: the
    // engine then answers in its newest one.
    Result<ApiResponse> request(const std::string& method, const std::string& path, Deadline deadline) const;

    // GET, status 200, body as JSON.
    Result<json::value> get(const std::string& path, Deadline deadline) const;

  private:
    std::string socket_path_;
    const Clock& clock_;
};

}  // namespace supervisor::engine
