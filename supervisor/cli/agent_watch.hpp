// Asks the agent's status port now and then, through a short-lived process: what answers there can be shaped
// by a job.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/status_port.hpp"
#include "service/processes.hpp"

namespace supervisor::cli {

struct AgentWatchEvents {
    std::function<bool()> job_running;
    // It has been silent for half a minute, or answers again: one line for log and events.
    std::function<void(const std::string& what)> said;
    std::function<void(const std::string& cause)> restart;
    std::function<void()> changed;
};

class AgentWatch {
  public:
    AgentWatch(loop::EventLoop& loop, service::Processes& processes, AgentWatchEvents events)
        : loop_(loop), processes_(processes), events_(std::move(events)) {}

    // For a JVM that was just started with these flags.
    void start(const std::vector<std::string>& flags);
    void stop();

    // What the port said last; no value before it said anything.
    std::optional<bool> connected() const noexcept { return connected_; }
    bool hangs() const noexcept { return rules_.hangs(); }
    std::uint64_t hang_count() const noexcept { return rules_.count(); }

  private:
    void ask_later();
    void ask();
    void answered(const proc::ExitStatus& status);
    void follow(agent::HangRules::Verdict verdict);

    loop::EventLoop& loop_;
    service::Processes& processes_;
    AgentWatchEvents events_;
    std::optional<agent::StatusPort> port_;
    agent::HangRules rules_;
    std::optional<bool> connected_;
    loop::Timer timer_;
    pid_t helper_ = -1;
};

// internal-agent-check ADDRESS PORT: exits with a StatusAnswer.
int agent_check(const std::vector<std::string>& words);

}  // namespace supervisor::cli
