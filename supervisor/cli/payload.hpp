// What the container is for: the agent, a program given on the command line, or a shell.
#pragma once

#include <functional>
#include <string>

#include "base/clock.hpp"
#include "cli/status.hpp"

namespace supervisor::cli {

struct PayloadEvents {
    // It ended by itself: the container ends with this status.
    std::function<void(int status, const std::string& reason)> ended;
    std::function<void()> changed;
    std::function<void(const std::string& what)> event;
    std::function<void(const std::string& milestone)> reached;  // for the timeline
    std::function<void()> job_started;
    std::function<void()> job_finished;
};

class Payload {
  public:
    virtual ~Payload() = default;
    virtual void start() = 0;
    // Ends it within the deadline, then calls `done` once. A second call only shortens the deadline.
    virtual void stop(Deadline deadline, std::function<void()> done) = 0;
    // A job runs, so that a drain has something to wait for.
    virtual bool busy() const { return false; }
    virtual std::string not_ready_because() const = 0;
    virtual void describe(StatusModel& model) const = 0;
    // The container's status after a stop that somebody asked for.
    virtual int status_when_asked_to_stop() const = 0;
};

}  // namespace supervisor::cli
