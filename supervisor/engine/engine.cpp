#include "engine/engine.hpp"

#include <signal.h>

#include <utility>

#include "base/log.hpp"
#include "base/strings.hpp"
#include "sys/files.hpp"

namespace supervisor::engine {
namespace {

constexpr const char* kComponent = "engine";
// Generous: /version starts two programs, and on a starved machine a healthy dockerd needs seconds for that.
constexpr Milliseconds kCheckLimit{11'000};
constexpr int kTolerated = 1;  // one missed check may be load; two in a row are a hang
constexpr Milliseconds kRecheck{500};
constexpr Milliseconds kStackDump{1'000};
// How long dockerd may take to find a new containerd: its connection's back-off grows to a few seconds.
constexpr Milliseconds kReconnect{5'000};
// What a stop keeps back for dockerd and containerd when containers are slow to die.
constexpr Milliseconds kDaemonReserve{500};

const proc::BackoffPolicy kRestart{Milliseconds(0), Milliseconds(5'000), 5, Milliseconds(60'000),
                                   Milliseconds(60'000)};

// A hang takes half a minute to be found, so the window for deaths never fills with hangs; without one of
// their own an engine that hangs again and again would be restarted for ever. No stable run forgives.
const proc::BackoffPolicy kHangs{Milliseconds(0), Milliseconds(0), 5, Milliseconds(3'600'000),
                                 Milliseconds::max()};

// Each shim tells at its start, whatever containerd's own log level is, which four plugins it loads: noise
// per container.
bool is_shim_chatter(std::string_view line) {
    return line.find("level=info") != std::string_view::npos &&
           line.find("loading plugin") != std::string_view::npos;
}

service::Spec spec_of(const std::string& name, Milliseconds start_timeout, Milliseconds grace) {
    service::Spec spec;
    spec.name = name;
    spec.ready_when = service::ReadyWhen::Notified;
    spec.start_timeout = start_timeout;
    spec.restart = kRestart;
    spec.stop_ladder = {{SIGTERM, grace}};
    spec.plain_lines_are_causes = true;
    return spec;
}

}  // namespace

const char* to_text(EngineState state) {
    switch (state) {
        case EngineState::Down:
            return "down";
        case EngineState::Starting:
            return "starting";
        case EngineState::Ready:
            return "ready";
        case EngineState::Unhealthy:
            return "unhealthy";
        case EngineState::Stopping:
            return "stopping";
        case EngineState::Stopped:
            return "stopped";
        case EngineState::Failed:
            return "failed";
    }
    return "unknown";
}

Engine::Engine(loop::EventLoop& loop, service::Processes& processes, EngineSetup setup, EngineEvents events)
    : loop_(loop),
      processes_(processes),
      setup_(std::move(setup)),
      events_(std::move(events)),
      hangs_(kHangs),
      containerd_(loop, processes, spec_of("containerd", setup_.start_timeout, Milliseconds(1'000)),
                  containerd_hooks()),
      dockerd_(loop, processes, spec_of("dockerd", setup_.start_timeout, Milliseconds(5'000)),
               dockerd_hooks()) {}

Result<> Engine::listen() {
    SUPERVISOR_TRY_ASSIGN(socket, sys::listen_unix(setup_.socket_path, setup_.socket_access));
    held_socket_ = std::move(socket);
    SUPERVISOR_TRY_ASSIGN(
        containerd_notify,
        service::NotifySocket::open(loop_, setup_.run_directory + "/containerd.notify", setup_.notify_access,
                                    [this] { containerd_.notify_ready(); }));
    SUPERVISOR_TRY_ASSIGN(dockerd_notify, service::NotifySocket::open(
                                              loop_, setup_.run_directory + "/dockerd.notify",
                                              setup_.notify_access, [this] { dockerd_.notify_ready(); }));
    containerd_notify_ = std::move(containerd_notify);
    dockerd_notify_ = std::move(dockerd_notify);
    return {};
}

void Engine::close_socket() {
    if (!held_socket_) return;
    held_socket_.reset();
    (void)sys::remove_file(setup_.socket_path);
}

void Engine::start() {
    enter(EngineState::Starting);
    start_timer_ = loop_.after(setup_.start_timeout, [this] {
        const auto& words = dockerd_.last_words().empty() ? containerd_.last_words() : dockerd_.last_words();
        give_up("not ready after " + format_duration(setup_.start_timeout) +
                (words.empty() ? "" : "; its last words: " + words));
    });
    containerd_.start();  // dockerd follows when containerd is ready
}

service::Hooks Engine::containerd_hooks() {
    service::Hooks hooks;
    hooks.plan = [this] { return containerd_plan(); };
    hooks.output = {&log::error_stream(), &log::error_stream(), {}};
    hooks.output.ignored = is_shim_chatter;
    hooks.changed = [this](service::State state) { containerd_changed(state); };
    hooks.after_exit = [this](const proc::ExitStatus&) { return daemon_ended(containerd_); };
    return hooks;
}

service::Hooks Engine::dockerd_hooks() {
    service::Hooks hooks;
    hooks.plan = [this] { return dockerd_plan(); };
    hooks.output = {&log::error_stream(), &log::error_stream(), {}};
    hooks.changed = [this](service::State state) { dockerd_changed(state); };
    hooks.after_exit = [this](const proc::ExitStatus&) { return daemon_ended(dockerd_); };
    return hooks;
}

// One more try, in case somebody killed it; then the reason is in the configuration or on the host, and stays
// there.
service::AfterExit Engine::daemon_ended(service::Service& daemon) {
    constexpr int kTries = 2;
    if (ever_ready_ || state_ == EngineState::Stopping || ++early_deaths_ < kTries)
        return service::AfterExit::Restart;
    loop_.defer([this, &daemon] { give_up(daemon.name() + " " + daemon.snapshot().cause); });
    return service::AfterExit::StayStopped;
}

Result<proc::ChildPlan> Engine::base_plan(const std::string& name,
                                          const std::vector<std::string>& command) const {
    proc::ChildPlan plan;
    plan.name = name;
    plan.arguments = command;
    plan.environment = setup_.environment;
    SUPERVISOR_TRY_ASSIGN(executable, proc::find_executable(command.at(0), plan.environment));
    plan.executable = std::move(executable);
    plan.environment.push_back("NOTIFY_SOCKET=" + setup_.run_directory + "/" + name + ".notify");
    if (setup_.place) setup_.place(plan);
    return plan;
}

Result<proc::ChildPlan> Engine::containerd_plan() {
    return base_plan("containerd", setup_.containerd_command);
}

Result<proc::ChildPlan> Engine::dockerd_plan() {
    if (!setup_.dockerd_pid_file.empty()) SUPERVISOR_TRY(sys::remove_file(setup_.dockerd_pid_file));
    std::vector<std::string> command = setup_.dockerd_command;
    command.insert(command.begin() + 1, {"-H", "fd://"});
    auto plan = base_plan("dockerd", command);
    if (plan) {
        plan->descriptors.push_back({held_socket_.get(), 3});
        plan->listen_descriptors = 1;
    }
    return plan;
}

void Engine::containerd_changed(service::State state) {
    if (state_ == EngineState::Stopping) return stopped_step();
    if (state == service::State::Ready) {
        containerd_ready_at_ = loop_.clock().now();
        if (!dockerd_.running()) return dockerd_.start();
        containerd_is_newer_ = true;
        if (std::exchange(dockerd_follows_, false)) return dockerd_.restart("its containerd was replaced");
        check_after(kRecheck);  // does dockerd find the new one?
    } else if (state == service::State::Waiting) {
        log::warn(kComponent, "containerd " + containerd_.snapshot().cause + "; restarting it");
        if (state_ == EngineState::Ready) enter(EngineState::Unhealthy);
    } else if (state == service::State::Failed) {
        give_up("containerd " + containerd_.snapshot().cause);
    }
}

void Engine::dockerd_changed(service::State state) {
    if (state_ == EngineState::Stopping) return stopped_step();
    switch (state) {
        case service::State::Starting:
            verified_ = containerd_is_newer_ = dockerd_follows_ = false;
            check_timer_.cancel();  // whatever was planned was meant for the one before
            return;
        case service::State::Ready:
            return run_check();
        case service::State::Waiting:
            log::warn(kComponent,
                      "dockerd " + dockerd_.snapshot().cause + "; restarting it, clients wait meanwhile");
            if (state_ == EngineState::Ready) enter(EngineState::Unhealthy);
            return;
        case service::State::Failed:
            return give_up("dockerd " + dockerd_.snapshot().cause);
        default:
            return;
    }
}

void Engine::enter(EngineState state) {
    if (state_ == state) return;
    state_ = state;
    if (events_.changed) events_.changed(state);
}

void Engine::give_up(const std::string& cause) {
    if (state_ == EngineState::Stopping || state_ == EngineState::Stopped || state_ == EngineState::Failed)
        return;
    check_timer_.cancel();
    start_timer_.cancel();
    cause_ = cause;
    enter(EngineState::Failed);
    if (events_.failed) events_.failed(cause);
}

void Engine::reload() {
    reload_when_ready_ = state_ != EngineState::Ready;
    if (!reload_when_ready_) (void)dockerd_.signal(SIGHUP);
}

void Engine::check_after(Milliseconds delay) {
    check_timer_ = loop_.after(delay, [this] { run_check(); });
}

void Engine::run_check() {
    if (helper_ > 0 || state_ == EngineState::Failed || dockerd_.state() != service::State::Ready) return;
    std::vector<std::string> words{"internal-engine-check", setup_.socket_path};
    if (!verified_) words.push_back(setup_.expected_driver);
    run_helper(words, kCheckLimit, [this](int status) { checked(static_cast<Health>(status)); });
}

void Engine::checked(Health health) {
    if (dockerd_.state() != service::State::Ready || state_ == EngineState::Stopping ||
        state_ == EngineState::Failed) {
        return;
    }
    if (health == Health::Well) {
        failed_checks_ = 0;
        if (!verified_) description_ = helper_words_;
        verified_ = ever_ready_ = true;
        start_timer_.cancel();
        enter(EngineState::Ready);
        if (reload_when_ready_) reload();
        return check_after(setup_.check_interval);
    }
    if (health == Health::WrongDriver) return give_up(helper_words_);
    // Before it was ever ready there is nothing to heal: the start's own time limit decides.
    if (!ever_ready_ || ++failed_checks_ <= kTolerated) return check_after(kRecheck);
    heal(health);
}

void Engine::heal(Health health) {
    failed_checks_ = 0;
    enter(EngineState::Unhealthy);
    const std::string cause = "is alive but does not answer: " + helper_words_;
    if (health == Health::ContainerdSick) return heal_containerd(cause);
    if (hung_too_often("dockerd " + cause)) return;
    log::warn(kComponent, "dockerd " + cause + "; asking it for its goroutine stacks, then restarting it");
    (void)dockerd_.signal(SIGUSR1);
    check_timer_ = loop_.after(kStackDump, [this, cause] { dockerd_.restart(cause); });
}

void Engine::heal_containerd(const std::string& cause) {
    // One that is on its way back, or that dockerd is on its way to, needs time, not a kill.
    const bool just_came = loop_.clock().now() - containerd_ready_at_ < kReconnect;
    if (containerd_.state() != service::State::Ready || just_came) return check_after(kRecheck);
    if (containerd_is_newer_) {
        log::warn(kComponent, "dockerd does not find the containerd that was restarted; restarting dockerd");
        return dockerd_.restart("it does not find its new containerd");
    }
    if (hung_too_often("containerd " + cause)) return;
    log::warn(kComponent, "containerd " + cause + "; restarting it, and dockerd after it");
    // A dockerd that stays would leave commands in flight waiting for the old one's answers for ever.
    dockerd_follows_ = true;
    containerd_.restart(cause);
}

bool Engine::hung_too_often(const std::string& cause) {
    if (hangs_.next(loop_.clock().now(), Milliseconds(0))) return false;
    give_up(cause + ", for the " + std::to_string(kHangs.limit + 1) + "th time within " +
            format_duration(kHangs.window));
    return true;
}

void Engine::run_helper(const std::vector<std::string>& words, Milliseconds limit,
                        std::function<void(int)> done) {
    helper_words_.clear();
    helper_done_ = std::move(done);
    service::Output output;
    output.standard_error = &log::error_stream();
    output.result = [this](std::string_view line) { helper_words_ = printable(line); };
    auto pid = processes_.start(setup_.helper(words), output,
                                [this](const proc::ExitStatus& status) { helper_ended(status); });
    if (!pid) {
        // No process to ask with (EAGAIN, say) tells nothing about the engine.
        log::warn(kComponent, pid.error().message());
        if (state_ != EngineState::Stopping) return check_after(setup_.check_interval);
        return helper_done_(static_cast<int>(Health::DaemonSick));
    }
    helper_ = *pid;
    helper_timer_ =
        loop_.after(limit + Milliseconds(500), [this] { (void)processes_.signal(helper_, SIGKILL); });
}

void Engine::helper_ended(const proc::ExitStatus& status) {
    helper_ = -1;
    helper_timer_.cancel();
    const bool exited = status.kind == proc::ExitStatus::Kind::Exited;
    if (!exited) helper_words_ = "no answer in time";
    const auto done = std::move(helper_done_);
    done(exited ? status.value : static_cast<int>(Health::DaemonSick));
}

void Engine::stop(Deadline deadline, std::function<void()> done) {
    stop_deadline_ = deadline;
    stop_done_ = std::move(done);
    check_timer_.cancel();
    start_timer_.cancel();
    enter(EngineState::Stopping);
    if (helper_ <= 0) return kill_containers();
    helper_done_ = [this](int) { kill_containers(); };  // a check under way has lost its meaning
    (void)processes_.signal(helper_, SIGKILL);
}

void Engine::kill_containers() {
    const auto limit = stop_deadline_.remaining(loop_.clock()) - kDaemonReserve;
    if (dockerd_.state() != service::State::Ready || limit < Milliseconds(100)) return stop_dockerd();
    run_helper({"internal-engine-kill", setup_.socket_path, std::to_string(limit.count())}, limit,
               [this](int status) {
                   if (status == 0) killed_inside_ = helper_words_;
                   stop_dockerd();
               });
}

void Engine::stop_dockerd() {
    dockerd_.stop(stop_deadline_.stage(loop_.clock(), stop_deadline_.remaining(loop_.clock()) / 2));
    stopped_step();
}

// dockerd first, containerd once dockerd is gone, then `done`: each change of state of either comes here.
void Engine::stopped_step() {
    if (!stop_done_ || dockerd_.running() || helper_ > 0) return;
    if (containerd_.running()) {
        if (containerd_.state() != service::State::Stopping) containerd_.stop(stop_deadline_);
        return;
    }
    containerd_.stop(stop_deadline_);
    close_socket();
    enter(EngineState::Stopped);
    if (const auto done = std::exchange(stop_done_, nullptr)) done();
}

}  // namespace supervisor::engine
