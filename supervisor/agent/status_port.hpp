// The agent's own status port: where it is, and what its answers mean.
//
// The agent answers GET /health/latest/isConnectedToServer with 200 when its last good ping is younger than
// twice the ping interval, else with 503 (source: a real agent). It says nothing about jobs. An agent JVM
// that stands still, or is busy with nothing but collecting garbage, takes the connection and never answers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"

namespace supervisor::agent {

struct StatusPort {
    std::string address;  // IPv4
    std::uint16_t port;
};

// From the flags of the agent's JVM. No value where the port is switched off, chosen by the kernel or bound
// to an address that cannot be read off.
std::optional<StatusPort> status_port(const std::vector<std::string>& flags);

// The exit statuses of the helper process that asks.
enum class StatusAnswer {
    Connected = 0,
    NotConnected = 1,
    NobodyThere = 2,  // refused: the agent still starts, or could not bind the port
    Silence = 3,
};

// What follows from the answers over time.
class HangRules {
  public:
    enum class Verdict { Nothing, Hangs, AnswersAgain, Restart };

    // A job is never ended here: only its server knows that nobody waits for it any more. Without a job the
    // agent is restarted when it has been silent for as long as the server takes to call it lost.
    Verdict judge(StatusAnswer answer, TimePoint now, bool job_running);
    // A new JVM.
    void reset() noexcept { silent_since_.reset(); }

    // From here on it counts as hanging, until it answers.
    bool hangs() const noexcept { return reported_ && silent_since_.has_value(); }
    std::uint64_t count() const noexcept { return count_; }

  private:
    std::optional<TimePoint> silent_since_;
    bool reported_ = false;
    std::uint64_t count_ = 0;
};

}  // namespace supervisor::agent
