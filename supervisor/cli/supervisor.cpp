#include "cli/supervisor.hpp"

#include <fmt/core.h>
#include <signal.h>
#include <unistd.h>

#include <exception>
#include <new>
#include <string_view>

#include "base/log.hpp"
#include "base/memory_reserve.hpp"
#include "base/strings.hpp"
#include "cli/stop_budget.hpp"
#include "proc/leftovers.hpp"

namespace supervisor::cli {
namespace {

constexpr const char* kComponent = "supervisor";
// What the payload may use of the stop budget; the engine needs the rest.
constexpr int kPayloadShare = 3;  // a third
constexpr Milliseconds kOrphanReport{1'000};
// What a payload without an engine beside it leaves for the end.
constexpr Milliseconds kReserve{300};
// A second TERM means that somebody is in a hurry.
constexpr Milliseconds kHurry{1'000};
// How long killed processes may take to be gone before the rest of the clean-up goes on without them.
constexpr Milliseconds kLeftoverRound{5};
constexpr Milliseconds kLeftoverPatience{500};
// How often a turn of the loop may fail before the stop is no longer waited for.
constexpr int kStopAttempts = 1'000;
constexpr std::string_view kNoMemory = "gocd-supervisor: no memory left\n";

}  // namespace

Supervisor::Supervisor(Invocation invocation, std::vector<std::string> environment, loop::Signals signals,
                       TimePoint executed_at)
    : invocation_(std::move(invocation)),
      environment_(std::move(environment)),
      signals_(std::move(signals)),
      executed_at_(executed_at) {}

Supervisor::~Supervisor() = default;

int Supervisor::run() noexcept {
    try {
        if (auto ready = set_up(); !ready) {
            take_back(ready.error().error.message());
            return ready.error().exit_code;
        }
        run_loop();
    } catch (const std::exception& exception) {
        give_up(exception.what());
    }
    return exit_status_.value_or(kExitInternal);
}

// Says why, and takes away what was made.
void Supervisor::take_back(const std::string& why) {
    log::error(kComponent, why);
    if (docker_) docker_->clean_up();
    if (status_) status_->remove();
    log::drain(1'000);
}

// set_up or the last steps threw: there is no order left to keep.
void Supervisor::give_up(const char* what) noexcept {
    try {
        take_back(std::string("unexpected exception: ") + what);
    } catch (const std::exception&) {
        (void)!::write(STDERR_FILENO, kNoMemory.data(), kNoMemory.size());
    }
}

void Supervisor::run_loop() {
    // Where memory is short, asking for the stop may throw as well: then it is asked again before anything is
    // waited for.
    bool stop_is_due = false;
    for (int attempts = kStopAttempts; attempts > 0; --attempts) {
        try {
            const auto ended = stop_is_due ? Result<>(fail("no memory for the stop")) : loop_->run();
            if (ended || finished_) return;
            stop_is_due = true;
            log::error(kComponent, ended.error().message());
            request_stop("internal error", kExitInternal);
            if (finished_) return;  // nothing was running yet
            stop_is_due = false;
        } catch (const std::bad_alloc&) {
            if (finished_) return give_up("no memory for the end");
            stop_is_due = true;
        }
    }
    give_up("no memory for a stop");
}

// A turn that found no memory may find some later; what it was about to do has been done with the reserve.
void Supervisor::refill_memory_reserve() {
    if (!memory_reserve_spent() || !keep_memory_reserve()) return;
    log::warn(kComponent, "memory was short: an allocation failed and got the reserve");
}

void Supervisor::on_signal(const loop::Signal& signal) {
    switch (signal.number) {
        case SIGCHLD:
            return reap();
        case SIGTERM:
        case SIGINT:
        case SIGQUIT:
            return request_stop(loop::signal_name(signal.number),
                                payload_ ? payload_->status_when_asked_to_stop() : 0);
        case SIGHUP:
            if (invocation_.config.general.shell != Shell::No) return request_stop("the terminal is gone", 0);
            if (docker_) docker_->reload();
            return;
        case SIGUSR1:
            log::info(kComponent, "status: " + to_text(to_json(status_model())));
            status_->touch();
            return;
        default:
            return;  // WINCH, CONT, PIPE and the like mean nothing to us; children get their own
    }
}

void Supervisor::reap() {
    const auto before = reaper_.orphans_reaped();
    reaper_.reap();
    // The count is worth writing, but not once an orphan.
    if (reaper_.orphans_reaped() == before || orphan_timer_) return;
    orphan_timer_ = loop_->after(kOrphanReport, [this] { status_->touch(); });
}

void Supervisor::request_stop(const std::string& reason, int status) {
    const auto& general = invocation_.config.general;
    if (exit_status_) {
        // Never passed on twice: the second one only makes the rest quicker.
        stop_deadline_ = stop_deadline_.stage(loop_->clock(), kHurry);
        log::info(kComponent, reason + " again: the stop may now take " +
                                  format_duration(stop_deadline_.remaining(loop_->clock())));
        drain_timer_.cancel();
        if (phase_ != Phase::Stopping) return stop_payload();
        if (!docker_stopping_ && payload_) payload_->stop(stop_deadline_, [this] { stop_docker(); });
        stop_timer_ = loop_->at(stop_deadline_.end(), [this] { finish(); });
        return;
    }
    exit_status_ = status;
    stop_reason_ = reason;
    stop_began_ = loop_->clock().now();
    const StopBudget budget = stop_budget(environment_);
    stop_deadline_ =
        Deadline::after(loop_->clock(), general.stop_timeout.value_or(budget.total) + general.drain_timeout);
    status_->event("stop asked",
                   reason + "; budget " + format_duration(stop_deadline_.remaining(loop_->clock())));
    drain_or_stop();
}

void Supervisor::drain_or_stop() {
    const auto drain = invocation_.config.general.drain_timeout;
    if (drain.count() == 0 || !payload_ || !payload_->busy()) return stop_payload();
    phase_ = Phase::Draining;
    status_->event("draining", "waiting up to " + format_duration(drain) + " for the running job");
    drain_timer_ = loop_->after(drain, [this] {
        status_->event("drain timed out");
        stop_payload();
    });
}

void Supervisor::stop_payload() {
    drain_timer_.cancel();
    if (metrics_) metrics_->stop(Deadline(loop_->clock().now()));
    phase_ = Phase::Stopping;
    status_->touch();
    // Time that a drain did not use is not owed to the stop.
    const auto budget = invocation_.config.general.stop_timeout.value_or(stop_budget(environment_).total);
    stop_deadline_ = stop_deadline_.stage(loop_->clock(), budget);
    stop_timer_ = loop_->at(stop_deadline_.end(), [this] { finish(); });
    if (!payload_) return stop_docker();
    const auto left = stop_deadline_.remaining(loop_->clock());
    const auto share = stop_deadline_.stage(loop_->clock(),
                                            docker_ ? left / kPayloadShare : left - std::min(left, kReserve));
    payload_->stop(share, [this] { stop_docker(); });
}

void Supervisor::stop_docker() {
    if (std::exchange(docker_stopping_, true)) return;
    if (!docker_) return finish();
    killed_what_jobs_left_ = docker_->kill_agent_leftovers() > 0;
    docker_->stop(stop_deadline_, [this] { finish(); });
}

// Everything that can be asked has been asked, or time is up. What still runs is killed, and waited for
// briefly.
void Supervisor::finish() {
    if (finished_) return;
    finished_ = true;
    stop_timer_.cancel();
    const auto patience = Deadline::after(loop_->clock(), kLeftoverPatience);
    int hit = 0;
    std::vector<std::string> killed;
    for (const auto& [name, snapshot] : status_model().services) {
        if (snapshot.killed) killed.push_back(name);
    }
    if (killed_what_jobs_left_) killed.emplace_back("processes that jobs had left");
    for (auto& what : docker_ ? docker_->clean_up() : std::vector<std::string>())
        killed.push_back(std::move(what));
    reaper_.reap();  // who has ended by now needs no kill
    while (proc::kill_leftovers() > 0 && !patience.expired(loop_->clock())) {
        ++hit;
        ::usleep(static_cast<useconds_t>(kLeftoverRound.count()) * 1000);
        reaper_.reap();
    }
    if (hit > 0) killed.emplace_back("leftover processes");
    const auto took = std::chrono::duration_cast<Milliseconds>(loop_->clock().now() - stop_began_);
    const std::string what =
        killed.empty() ? "nothing had to be killed" : "had to kill " + join(killed, ", ");
    status_->remove();
    log::output_stream().write_line(
        log::service_line("gocd-supervisor", fmt::format("ended ({}) after {}, status {}; {}", stop_reason_,
                                                         format_duration(took), *exit_status_, what)));
    log::drain(200);
    loop_->quit();
}

void Supervisor::payload_ended(int status, const std::string& reason) {
    if (exit_status_) return;
    request_stop(reason, status);
}

void Supervisor::engine_failed(const std::string& cause) {
    log::error(kComponent, "the engine cannot be kept running: " + cause + "; see `gocd-supervisor doctor`");
    if (!exit_status_) request_stop("engine failed", kExitEngine);
}

void Supervisor::job_finished() {
    job_.running = false;
    ++job_.finished;
    status_->event("job finished");
    if (docker_) docker_->job_finished();
    if (phase_ == Phase::Draining) stop_payload();
}

void Supervisor::milestone(const std::string& name) {
    for (const auto& [known, at] : timeline_) {
        if (known == name) return;
    }
    timeline_.emplace_back(name,
                           std::chrono::duration_cast<Milliseconds>(loop_->clock().now() - executed_at_));
}

StatusModel Supervisor::status_model() const {
    StatusModel model;
    model.version = SUPERVISOR_VERSION;
    model.pid = ::getpid();
    model.phase = phase_;
    model.mode = mode_name(mode_);
    model.mode_reason = mode_reason_;
    model.job = job_;
    model.timeline = timeline_;
    model.orphans_reaped = reaper_.orphans_reaped();
    if (hardening_) model.relaxed = hardening_->relaxed();
    if (docker_) docker_->describe(model);
    if (payload_) payload_->describe(model);
    if (metrics_) model.services.emplace_back("metrics", metrics_->snapshot());
    model.not_ready_because = docker_ ? docker_->not_ready_because() : "";
    if (model.not_ready_because.empty())
        model.not_ready_because = payload_ ? payload_->not_ready_because() : "starting";
    if (phase_ != Phase::Running && phase_ != Phase::Starting) model.not_ready_because = phase_name(phase_);
    return model;
}

}  // namespace supervisor::cli
