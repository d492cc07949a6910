// A program or an interactive shell in place of the agent: same user, same hardening, the container's own
// stdio.
#pragma once

#include <vector>

#include "cli/payload.hpp"
#include "service/service.hpp"

namespace supervisor::cli {

class Program final : public Payload {
  public:
    // `plan` is complete but for stdio, which it inherits from PID 1. On a terminal it becomes the foreground
    // group.
    Program(loop::EventLoop& loop, service::Processes& processes, proc::ChildPlan plan, PayloadEvents events);

    void start() override;
    void stop(Deadline deadline, std::function<void()> done) override;
    std::string not_ready_because() const override;
    void describe(StatusModel& model) const override;
    int status_when_asked_to_stop() const override { return status_; }

  private:
    service::Hooks hooks(proc::ChildPlan plan);
    void changed(service::State state);

    PayloadEvents events_;
    int status_ = 0;
    std::function<void()> stop_done_;
    service::Service service_;
};

}  // namespace supervisor::cli
