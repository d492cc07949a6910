// Docker out of Docker: the host's engine, reached through the broker.
#pragma once

#include <memory>

#include "cli/broker_service.hpp"
#include "cli/docker_side.hpp"

namespace supervisor::cli {

class Dood final : public DockerSide {
  public:
    explicit Dood(DockerSideContext context) : context_(std::move(context)) {}

    tl::expected<void, Failure> prepare() override;
    void start() override { broker_->start(); }
    void stop(Deadline deadline, std::function<void()> done) override {
        broker_->stop(deadline, std::move(done));
    }
    std::vector<std::string> clean_up() override;
    void place_agent(proc::ChildPlan& plan) const override;
    std::vector<std::string> agent_environment() const override;
    std::string not_ready_because() const override;
    void describe(StatusModel& model) const override { broker_->describe(model); }
    void job_finished() override { broker_->job_finished(); }

  private:
    void warn_when_exposed() const;

    DockerSideContext context_;
    std::string listen_path_;
    gid_t host_group_ = 0;
    mode_t host_mode_ = 0;
    std::unique_ptr<BrokerService> broker_;
};

}  // namespace supervisor::cli
