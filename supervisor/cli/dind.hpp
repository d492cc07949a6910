// Docker in Docker: probe the host, decide, prepare it, and run an engine of our own for the jobs.
#pragma once

#include <memory>
#include <optional>

#include "cli/docker_side.hpp"
#include "engine/daemon_config.hpp"
#include "engine/engine.hpp"
#include "engine/plan.hpp"
#include "engine/settings.hpp"
#include "engine/user_choices.hpp"
#include "host/facts.hpp"

namespace supervisor::cli {

class Dind final : public DockerSide {
  public:
    explicit Dind(DockerSideContext context) : context_(std::move(context)) {}

    tl::expected<void, Failure> prepare() override;
    void start() override { engine_->start(); }
    void stop(Deadline deadline, std::function<void()> done) override {
        engine_->stop(deadline, std::move(done));
    }
    void reload() override { engine_->reload(); }
    std::vector<std::string> clean_up() override;
    void place_agent(proc::ChildPlan& plan) const override;
    int kill_agent_leftovers() override;
    std::string not_ready_because() const override;
    void describe(StatusModel& model) const override;

  private:
    Result<> read_settings();
    Result<> decide();
    Result<> apply();
    Result<> write_configuration();
    engine::EngineSetup engine_setup();
    proc::ChildPlan helper_plan(const std::vector<std::string>& words) const;

    DockerSideContext context_;
    engine::EngineSettings settings_;
    std::optional<engine::UserChoices> choices_;
    host::HostFacts facts_;
    engine::EngineFacts engine_facts_;
    engine::EnginePlan plan_;
    engine::DaemonConfig daemon_;
    std::unique_ptr<engine::Engine> engine_;
};

}  // namespace supervisor::cli
