// Docker in Docker: probe the host, decide, prepare it, and run an engine of our own for the jobs.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "cli/broker_service.hpp"
#include "cli/dind_plan.hpp"
#include "cli/docker_side.hpp"
#include "engine/apply.hpp"
#include "engine/data_directory.hpp"
#include "engine/data_remover.hpp"
#include "engine/engine.hpp"
#include "engine/engine_space.hpp"
#include "engine/housekeeping.hpp"
#include "engine/oom_watch.hpp"

namespace supervisor::cli {

class Dind final : public DockerSide {
  public:
    explicit Dind(DockerSideContext context) : context_(std::move(context)) {}

    tl::expected<void, Failure> prepare() override;
    void start() override;
    void stop(Deadline deadline, std::function<void()> done) override;
    void reload() override { engine_->reload(); }
    std::vector<std::string> clean_up() override;
    void place_agent(proc::ChildPlan& plan) const override;
    int kill_agent_leftovers() override;
    bool agent_was_killed_for_memory() override;
    std::vector<std::string> agent_environment() const override;
    std::string not_ready_because() const override;
    void describe(StatusModel& model) const override;
    void job_finished() override;

  private:
    Result<> take_data_directory();
    Result<> decide();
    Result<> apply();
    Result<> make_engine();
    Result<> make_space();
    engine::SpaceInputs space_inputs() const;
    engine::EngineSetup engine_setup();
    engine::HousekeepingSetup housekeeping_setup();
    void watch_memory();
    void engine_changed(engine::EngineState state);
    void holder_ended(const proc::ExitStatus& status);
    engine::DataRemover::Setup remover_setup();
    proc::ChildPlan helper_plan(const std::vector<std::string>& words) const;
    bool behind_broker() const { return !context_.config.broker.policy.empty(); }
    std::string engine_socket() const;

    DockerSideContext context_;
    std::optional<DindPlan> plan_;
    std::optional<engine::DataDirectory> data_directory_;
    engine::DaemonConfig daemon_;
    std::optional<engine::PreparedHost> host_;
    host::CgroupPlacement engine_placement_;
    host::CgroupPlacement agent_placement_;
    std::unique_ptr<engine::Engine> engine_;
    std::unique_ptr<engine::Housekeeping> housekeeping_;
    std::unique_ptr<BrokerService> broker_;
    std::unique_ptr<engine::OomWatch> oom_watch_;
    engine::EngineSpace space_;
    std::string stores_;  // where directories of the agent go that cannot be id-mapped where they are
    std::vector<std::string> discarded_slots_;
    std::unique_ptr<engine::DataRemover> remover_;
    std::uint64_t agent_memory_kills_ = 0;
    bool was_ready_ = false;
    bool holder_gone_ = false;
    bool stopping_ = false;
};

}  // namespace supervisor::cli
