// The first half of a Supervisor's life: what may still fail with an exit code.
#include <fmt/core.h>
#include <unistd.h>

#include <cstdint>

#include "base/log.hpp"
#include "cli/agent_payload.hpp"
#include "cli/dind.hpp"
#include "cli/dood.hpp"
#include "cli/mode.hpp"
#include "cli/program.hpp"
#include "cli/stop_budget.hpp"
#include "cli/supervisor.hpp"
#include "host/mounts.hpp"
#include "sys/files.hpp"

namespace supervisor::cli {
namespace {

// Keeps a stream flowing that was full for a while: watched only as long as something waits to be written.
void keep_flushing(loop::EventLoop& loop, loop::Watch& watch, LineWriter& stream) {
    if (!stream.pending()) return watch.reset();
    if (watch) return;
    auto flush = loop.watch(stream.fd(), EPOLLOUT, [&stream](std::uint32_t) { stream.flush(); });
    if (flush) watch = std::move(*flush);  // files cannot be watched, and never block either
}

}  // namespace

Supervisor::Outcome Supervisor::set_up() {
    if (auto done = set_up_loop(); !done) return done;
    if (auto done = set_up_docker(); !done) return done;
    if (auto done = set_up_payload(); !done) return done;
    // From inside the loop: a payload that cannot start asks for the stop at once.
    loop_->defer([this] { start(); });
    return {};
}

void Supervisor::start() {
    milestone("agent start");
    payload_->start();  // first: nothing of the engine needs to exist for it, docker's socket listens already
    if (exit_status_) return;
    if (docker_) docker_->start();
    start_metrics();
    if (phase_ == Phase::Starting) phase_ = Phase::Running;
    status_->touch();
}

// Killed with everything else at the end: it has nothing to lose.
void Supervisor::start_metrics() {
    const std::string address = invocation_.config.general.metrics_listen;
    if (address.empty()) return;
    service::Spec spec;
    spec.name = "metrics";
    spec.restart = {Milliseconds(500), Milliseconds(30'000), 5, Milliseconds(60'000), Milliseconds(60'000)};
    service::Hooks hooks;
    hooks.plan = [address]() -> Result<proc::ChildPlan> {
        constexpr uid_t kNobody = 65534;
        proc::ChildPlan plan;
        plan.name = "metrics";
        plan.executable = "/proc/self/exe";
        plan.arguments = {"gocd-supervisor", "internal-metrics", address, kRunDirectory};
        plan.identity = proc::Identity{kNobody, kNobody, {}};
        plan.capabilities = proc::Capabilities::None;
        plan.no_new_privileges = true;
        return plan;
    };
    hooks.output = {&log::error_stream(), &log::error_stream(), {}, {}};
    hooks.changed = [this](service::State) { status_->touch(); };
    metrics_ = std::make_unique<service::Service>(*loop_, *processes_, std::move(spec), std::move(hooks));
    metrics_->start();
}

Supervisor::Outcome Supervisor::set_up_loop() {
    auto loop = loop::EventLoop::create();
    if (!loop) return failure(kExitInternal, loop.error());
    loop_ = std::move(*loop);
    loop_->set_idle_hook([this] {
        refill_memory_reserve();
        keep_flushing(*loop_, output_watch_, log::output_stream());
        keep_flushing(*loop_, error_watch_, log::error_stream());
    });
    if (auto delivered = signals_.deliver(*loop_, [this](const loop::Signal& signal) { on_signal(signal); });
        !delivered) {
        return failure(kExitInternal, delivered.error());
    }
    if (::getpid() != 1) (void)proc::become_subreaper();  // older kernels: orphans then go to the real PID 1
    auto spawner = proc::Spawner::create(signals_.original_mask());
    if (!spawner) return failure(kExitInternal, spawner.error());
    spawner_ = std::move(*spawner);
    processes_ = std::make_unique<service::RealProcesses>(*loop_, *spawner_, reaper_);
    (void)host::ensure_writable("/run");  // what cannot be written is reported by whoever needs it
    status_.emplace(*loop_, kRunDirectory, [this] { return status_model(); });
    status_->remove();  // an earlier life of this container may have ended as "ready"
    if (auto made = sys::make_directories(kRunDirectory); !made) {
        log::warn("supervisor", made.error().message() + "; status and events will be missing");
    }
    milestone("exec");
    return {};
}

Supervisor::Outcome Supervisor::set_up_docker() {
    const auto& config = invocation_.config;
    const ModeChoice choice = choose_mode(config, environment_);
    mode_ = choice.mode;
    mode_reason_ = choice.reason;
    status_->event("mode " + std::string(mode_name(mode_)), mode_reason_);
    auto account = find_agent_account(sys::read_file_or("/etc/passwd"), sys::read_file_or("/etc/group"));
    if (!account) return failure(kExitHost, account.error());
    account_ = std::move(*account);
    if (::geteuid() != 0) {
        return failure(kExitHost, Error("PID 1 does not run as root")
                                      .advice("it drops the agent's privileges itself: leave out --user; in "
                                              "Kubernetes set securityContext.runAsUser: 0"));
    }
    auto hardening = Hardening::create(config.agent.allow);
    if (!hardening) return failure(kExitInternal, hardening.error());
    hardening_ = std::move(*hardening);
    docker_ = make_docker_side();
    if (!docker_) return {};
    auto prepared = docker_->prepare();
    milestone("host prepared");
    return prepared;
}

std::unique_ptr<DockerSide> Supervisor::make_docker_side() {
    DockerSideContext context{*loop_,       *processes_, *spawner_, reaper_, invocation_.config,
                              environment_, account_,    {}};
    context.events.changed = [this] { status_->touch(); };
    context.events.event = [this](const std::string& what, const std::string& detail) {
        status_->event(what, detail);
    };
    context.events.reached = [this](const std::string& name) { milestone(name); };
    context.events.failed = [this](const std::string& cause) { engine_failed(cause); };
    if (mode_ == Mode::Dind) return std::make_unique<Dind>(std::move(context));
    if (mode_ == Mode::Dood) return std::make_unique<Dood>(std::move(context));
    return nullptr;
}

PayloadEvents Supervisor::payload_events() {
    PayloadEvents events;
    events.ended = [this](int status, const std::string& reason) { payload_ended(status, reason); };
    events.changed = [this] { status_->touch(); };
    events.event = [this](const std::string& what) { status_->event(what); };
    events.reached = [this](const std::string& name) {
        milestone(name);
        status_->touch();
    };
    events.job_started = [this] {
        job_ = {true, job_.finished, utc_text(std::chrono::system_clock::now())};
        milestone("first job");
        status_->event("job started");
        if (docker_) docker_->job_started();
    };
    events.job_finished = [this] { job_finished(); };
    return events;
}

Supervisor::Outcome Supervisor::set_up_payload() {
    // The official image starts the agent when CMD is exactly this, and anything else in its place.
    if (!invocation_.program.empty() && invocation_.program[0] == "/go-working-dir/bin/go-agent")
        invocation_.program.clear();
    if (!invocation_.program.empty() || invocation_.config.general.shell != Shell::No) {
        payload_ = std::make_unique<Program>(*loop_, *processes_, program_plan(), payload_events());
        return {};
    }
    AgentPayloadContext context{*loop_,   *processes_, invocation_.config, environment_,
                                account_, *hardening_, docker_.get()};
    auto agent = AgentPayload::create(context, payload_events());
    if (!agent) return tl::unexpected<Failure>(std::move(agent).error());
    payload_ = std::move(*agent);
    return {};
}

proc::ChildPlan Supervisor::program_plan() const {
    const bool shell = invocation_.config.general.shell != Shell::No && invocation_.program.empty();
    proc::ChildPlan plan;
    plan.arguments = shell ? std::vector<std::string>{"bash"} : invocation_.program;
    plan.name = shell ? "shell" : plan.arguments[0];
    plan.environment = agent::agent_environment(environment_, {account_.name, account_.home});
    for (auto& entry : docker_ ? docker_->agent_environment() : std::vector<std::string>())
        plan.environment.push_back(std::move(entry));
    plan.executable = proc::find_executable(plan.arguments[0], plan.environment).value_or(plan.arguments[0]);
    plan.working_directory = sys::is_directory("/go-working-dir") ? "/go-working-dir" : "/";
    plan.foreground_on_terminal = ::isatty(STDIN_FILENO) == 1;
    plan.new_session = !plan.foreground_on_terminal;
    if (invocation_.config.general.shell != Shell::AsRoot) hardening_->apply(plan, account_);
    if (docker_) docker_->place_agent(plan);
    return plan;
}

}  // namespace supervisor::cli
