// PID 1: composes everything, turns signals into actions, and takes everything down again.
//
//   set_up()      may fail and return an exit code; nothing of ours is left behind then
//   ── point of no return ──
//   the loop      every error is a state from here on; an exception that escapes becomes an ordered stop
//   stop          payload → engine or broker → leftovers by cgroup → mounts, cgroups, devices → last line →
//   exit
#pragma once

#include <memory>
#include <optional>

#include "cli/docker_side.hpp"
#include "cli/hardening.hpp"
#include "cli/options.hpp"
#include "cli/payload.hpp"
#include "loop/signals.hpp"

namespace supervisor::cli {

class Supervisor {
  public:
    Supervisor(Invocation invocation, std::vector<std::string> environment, loop::Signals signals,
               TimePoint executed_at);
    ~Supervisor();

    // The whole life; returns the exit status.
    int run() noexcept;

  private:
    using Outcome = tl::expected<void, Failure>;

    Outcome set_up();
    Outcome set_up_loop();
    Outcome set_up_docker();
    Outcome set_up_payload();
    std::unique_ptr<Payload> make_payload();
    proc::ChildPlan program_plan() const;
    std::unique_ptr<DockerSide> make_docker_side();
    PayloadEvents payload_events();
    void start_metrics();

    void start();
    void on_signal(const loop::Signal& signal);
    void reap();
    void run_loop();
    void take_back(const std::string& why);
    void give_up(const char* what) noexcept;
    void refill_memory_reserve();
    void request_stop(const std::string& reason, int status);
    void drain_or_stop();
    void stop_payload();
    void stop_docker();
    void finish();
    void payload_ended(int status, const std::string& reason);
    void engine_failed(const std::string& cause);
    void job_finished();

    StatusModel status_model() const;
    void milestone(const std::string& name);

    std::unique_ptr<loop::EventLoop> loop_;  // first: everything below may hold a watch or a timer of it
    Invocation invocation_;
    std::vector<std::string> environment_;
    loop::Signals signals_;
    TimePoint executed_at_;

    std::optional<proc::Spawner> spawner_;
    proc::Reaper reaper_;
    std::unique_ptr<service::RealProcesses> processes_;
    std::optional<StatusWriter> status_;
    std::optional<Hardening> hardening_;
    AgentAccount account_;
    std::unique_ptr<DockerSide> docker_;
    std::unique_ptr<Payload> payload_;
    std::unique_ptr<service::Service> metrics_;
    loop::Watch output_watch_;
    loop::Watch error_watch_;

    Phase phase_ = Phase::Starting;
    Mode mode_ = Mode::Plain;
    std::string mode_reason_;
    std::vector<std::pair<std::string, Milliseconds>> timeline_;
    JobStatus job_;

    std::string stop_reason_;
    std::optional<int> exit_status_;  // unset while nobody has decided
    TimePoint stop_began_{};
    Deadline stop_deadline_ = Deadline::never();
    loop::Timer stop_timer_;
    loop::Timer drain_timer_;
    loop::Timer orphan_timer_;
    bool docker_stopping_ = false;
    bool killed_what_jobs_left_ = false;
    bool finished_ = false;
};

}  // namespace supervisor::cli
