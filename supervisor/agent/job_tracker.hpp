// What the agent's own log lines say about it. Every output line of a job is on the agent's stdout too, with
// the thread and logger of its pump; so thread and logger at the start of the line decide, never a text found
// somewhere inside (source: a real agent; format %date{ISO8601} %-5level [%thread] %logger{0}:%line -
// %msg%n).
#pragma once

#include <optional>
#include <string_view>

namespace supervisor::agent {

enum class AgentEvent {
    Registered,          // first registration only
    RegistrationFailed,  // repeated every 5 s while the server refuses
    Connected,           // the server knows it; a job can come from now on
    JobStarted,
    JobFinished,
};
std::string_view to_string(AgentEvent event);

// With or without the wrapper's "jvm 1    | " in front. No value for every other line.
std::optional<AgentEvent> parse_agent_line(std::string_view line);

// Whether a job runs, from the lines seen so far. A new JVM starts idle: call reset().
class JobTracker {
  public:
    std::optional<AgentEvent> feed(std::string_view line);
    bool job_running() const noexcept { return running_; }
    bool connected() const noexcept { return connected_; }
    void reset() noexcept { running_ = connected_ = false; }

  private:
    bool running_ = false;
    bool connected_ = false;
};

}  // namespace supervisor::agent
