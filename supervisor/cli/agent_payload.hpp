// The agent as payload: hooks and fetcher side by side, then the JVM; its log lines, its ends, its stop.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "agent/directories.hpp"
#include "agent/job_tracker.hpp"
#include "agent/launch.hpp"
#include "cli/agent_watch.hpp"
#include "cli/docker_side.hpp"
#include "cli/hardening.hpp"
#include "cli/payload.hpp"
#include "service/service.hpp"

namespace supervisor::cli {

struct AgentPayloadContext {
    loop::EventLoop& loop;
    service::Processes& processes;
    const Config& config;
    const std::vector<std::string>& environment;
    const AgentAccount& account;
    const Hardening& hardening;
    DockerSide* docker;  // null without Docker
};

class AgentPayload final : public Payload {
  public:
    // Reads the official variables and prepares the agent's directories. Fails with 64 for wrong variables,
    // 71 for directories that the agent cannot use.
    static tl::expected<std::unique_ptr<AgentPayload>, Failure> create(AgentPayloadContext context,
                                                                       PayloadEvents events);

    void start() override;
    void stop(Deadline deadline, std::function<void()> done) override;
    bool busy() const override { return tracker_.job_running(); }
    std::string not_ready_because() const override;
    void describe(StatusModel& model) const override;
    int status_when_asked_to_stop() const override { return 0; }

  private:
    AgentPayload(AgentPayloadContext context, PayloadEvents events);
    tl::expected<void, Failure> configure();
    proc::ChildPlan child_plan(const std::string& name, const agent::Command& command) const;

    void run_next_hook();
    void hook_ended(const std::string& path, const proc::ExitStatus& status);
    service::Hooks fetcher_hooks();
    service::AfterExit fetcher_ended(const proc::ExitStatus& status);
    void launch_when_prepared();
    service::Hooks jvm_hooks();
    Result<proc::ChildPlan> jvm_plan();
    service::AfterExit jvm_ended(const proc::ExitStatus& status);
    void jvm_changed(service::State state);
    AgentWatchEvents watch_events();
    void heard(std::string_view line);
    void watch_registration();
    void registration_changed();
    void fetch_again();
    void stopped_step();

    AgentPayloadContext context_;
    PayloadEvents events_;
    agent::Settings settings_;
    agent::ServerAccess access_;
    agent::LaunchFacts facts_;
    agent::LaunchChoice choice_;
    agent::Environment environment_;
    agent::Prepared prepared_;

    agent::Owner owner_;
    UniqueFd registration_files_;
    loop::Watch registration_watch_;

    std::vector<std::string> hooks_left_;
    bool has_hooks_ = false;
    pid_t hook_ = -1;
    std::string fetcher_words_;
    std::optional<agent::FetchResult> fetched_;
    std::unique_ptr<service::Service> fetcher_;
    std::unique_ptr<service::Service> jvm_;
    agent::JobTracker tracker_;
    std::unique_ptr<AgentWatch> watch_;
    TimePoint jvm_started_{};
    int quick_upgrades_ = 0;
    proc::Backoff backoff_;
    loop::Timer again_;
    int restarts_ = 0;
    std::function<void()> stop_done_;
};

}  // namespace supervisor::cli
