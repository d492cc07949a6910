// Docker in Docker: probe the host, decide, prepare it, and run an engine of our own for the jobs.
//
// DindPlan is facts and decisions and changes nothing (`doctor` prints it); Dind carries it out.
#pragma once

#include <memory>
#include <optional>

#include "cli/docker_side.hpp"
#include "engine/containment.hpp"
#include "engine/daemon_config.hpp"
#include "engine/engine.hpp"
#include "engine/engine_space.hpp"
#include "engine/plan.hpp"
#include "engine/settings.hpp"
#include "engine/user_choices.hpp"
#include "host/cgroup.hpp"
#include "host/facts.hpp"
#include "host/mounts.hpp"

namespace supervisor::cli {

struct DindPlan {
    engine::EngineSettings settings;
    engine::UserChoices choices;
    host::HostFacts host;
    engine::EngineFacts engine;
    engine::ContainmentPlan containment;
    engine::EnginePlan plan;

    // Reads options and files only. Errors are the user's (64).
    static Result<DindPlan> read(const Config& config);
    // Probes and decides. Errors are the host's (71); with `strict` off the plan is a draft that may hold failed decisions.
    Result<> decide(const Config& config, const std::vector<std::string>& environment, bool strict = true);

private:
    Result<> decide_containment(const Config& config);
};

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
    std::string not_ready_because() const override;
    void describe(StatusModel& model) const override;

private:
    Result<> apply();
    Result<> apply_mounts();
    Result<> apply_cgroups();
    Result<> make_space();
    engine::SpaceInputs space_inputs() const;
    Result<> write_configuration() const;
    engine::EngineSetup engine_setup();
    void engine_changed(engine::EngineState state);
    void holder_ended(const proc::ExitStatus& status);
    proc::ChildPlan helper_plan(const std::vector<std::string>& words) const;

    DockerSideContext context_;
    std::optional<DindPlan> plan_;
    engine::DaemonConfig daemon_;
    host::UndoLog undo_;
    std::unique_ptr<host::CgroupManager> cgroups_;
    host::CgroupPlacement engine_placement_;
    host::CgroupPlacement agent_placement_;
    engine::EngineSpace space_;
    std::unique_ptr<engine::Engine> engine_;
    std::uint64_t agent_memory_kills_ = 0;
    bool stopping_ = false;
};

}  // namespace supervisor::cli
