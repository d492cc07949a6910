#include "service/service.hpp"

#include <signal.h>

#include <utility>

#include "base/log.hpp"
#include "base/strings.hpp"

namespace supervisor::service {
namespace {

// How likely a line is the reason of the end.
constexpr int kLogged = 0;
constexpr int kPlain = 1;
constexpr int kError = 2;
constexpr int kCrash = 3;

bool is_crash(std::string_view line) {
    return line.starts_with("panic: ") || line.starts_with("fatal error: ") ||
           line.starts_with("runtime: failed ") || line.starts_with("runtime/cgo: ");
}

bool is_error(std::string_view line) {
    return line.find("level=fatal") != std::string_view::npos ||
           line.find("level=error") != std::string_view::npos ||
           line.find("failed to start") != std::string_view::npos;
}

bool is_logged(std::string_view line) {
    return line.empty() || line.starts_with("time=") || line.starts_with('{');
}

int weight_of(std::string_view line, bool plain_lines_count) {
    if (plain_lines_count && is_crash(line)) return kCrash;
    if (is_error(line)) return kError;
    return plain_lines_count && !is_logged(line) ? kPlain : kLogged;
}

}  // namespace

const char* to_text(State state) {
    switch (state) {
        case State::Stopped:
            return "stopped";
        case State::Starting:
            return "starting";
        case State::Ready:
            return "ready";
        case State::Waiting:
            return "waiting";
        case State::Stopping:
            return "stopping";
        case State::Failed:
            return "failed";
    }
    return "unknown";
}

// Rows: states. Columns: Start, Stop, BecameReady, Exited, TimedOut, RestartAsked.
const Service::Action Service::kActions[kStates][kEvents] = {
    /* Stopped  */ {&Service::launch, nullptr, nullptr, nullptr, nullptr, nullptr},
    /* Starting */
    {nullptr, &Service::begin_stop, &Service::become_ready, &Service::after_death, &Service::kill_now,
     &Service::kill_now},
    /* Ready    */
    {nullptr, &Service::begin_stop, nullptr, &Service::after_death, nullptr, &Service::kill_now},
    /* Waiting  */ {&Service::launch, &Service::finish_stop, nullptr, nullptr, &Service::launch, nullptr},
    /* Stopping */
    {nullptr, &Service::hurry, nullptr, &Service::finish_stop, &Service::next_rung, nullptr},
    /* Failed   */ {&Service::launch, &Service::finish_stop, nullptr, nullptr, nullptr, nullptr},
};

Service::Service(loop::EventLoop& loop, Processes& processes, Spec spec, Hooks hooks)
    : loop_(loop),
      processes_(processes),
      spec_(std::move(spec)),
      hooks_(std::move(hooks)),
      backoff_(spec_.restart) {
    snapshot_.since = std::chrono::system_clock::now();
    hooks_.output.observer = [this, outer = std::move(hooks_.output.observer)](std::string_view line) {
        observe(line);
        if (outer) outer(line);
    };
    hooks_.output.result = hooks_.result;
}

void Service::start() {
    handle(Event::Start);
}

void Service::stop(Deadline deadline) {
    if (state() != State::Stopping || deadline.end() < stop_deadline_.end()) stop_deadline_ = deadline;
    handle(Event::Stop);
}

void Service::notify_ready() {
    handle(Event::BecameReady);
}

void Service::restart(const std::string& cause) {
    kill_cause_ = cause;
    handle(Event::RestartAsked);
}

Result<> Service::signal(int number) {
    return running() ? processes_.signal(snapshot_.pid, number) : Result<>();
}

void Service::handle(Event event) {
    const Action action = kActions[static_cast<int>(snapshot_.state)][static_cast<int>(event)];
    if (action != nullptr) (this->*action)();
}

void Service::enter(State state) {
    snapshot_.state = state;
    snapshot_.since = std::chrono::system_clock::now();
    if (hooks_.changed) hooks_.changed(state);
}

void Service::launch() {
    started_at_ = loop_.clock().now();
    words_weight_ = 0;
    kill_cause_.clear();
    auto plan = hooks_.plan();
    auto pid = plan ? processes_.start(*plan, hooks_.output,
                                       [this](const proc::ExitStatus& status) { died(status); })
                    : Result<pid_t>(fail(plan.error()));
    if (!pid) {
        snapshot_.cause = pid.error().message();
        log::error(spec_.name, snapshot_.cause);
        wait_before_restart();
        return;
    }
    snapshot_.pid = *pid;
    if (spec_.start_timeout.count() > 0) {
        timer_ = loop_.after(spec_.start_timeout, [this] {
            kill_cause_ = "not ready after " + format_duration(spec_.start_timeout);
            handle(Event::TimedOut);
        });
    }
    enter(State::Starting);
    if (spec_.ready_when == ReadyWhen::Spawned) handle(Event::BecameReady);
}

void Service::become_ready() {
    timer_.cancel();
    enter(State::Ready);
}

void Service::kill_now() {
    timer_.cancel();
    (void)processes_.signal(snapshot_.pid, SIGKILL);  // its end arrives as an event
}

void Service::died(const proc::ExitStatus& status) {
    const pid_t pid = std::exchange(snapshot_.pid, -1);
    if (spec_.kill_group_after_death && snapshot_.state != State::Stopping)
        processes_.kill_rest_of_group(pid);
    snapshot_.last_exit = status.text();
    last_status_ = status;
    timer_.cancel();
    handle(Event::Exited);
}

void Service::after_death() {
    snapshot_.cause = kill_cause_;
    if (kill_cause_.empty()) {
        snapshot_.cause = snapshot_.last_exit + (words_are_a_cause() ? ": " + last_words_ : std::string());
    }
    const auto verdict = hooks_.after_exit ? hooks_.after_exit(last_status_) : AfterExit::Restart;
    switch (verdict) {
        case AfterExit::StayStopped:
            return enter(State::Stopped);
        case AfterExit::RestartAtOnce:
            ++snapshot_.restarts;
            return launch();
        case AfterExit::Restart:
            return wait_before_restart();
    }
}

void Service::wait_before_restart() {
    const auto now = loop_.clock().now();
    const auto ran = std::chrono::duration_cast<Milliseconds>(now - started_at_);
    const auto wait = backoff_.next(now, ran);
    if (!wait) return enter(State::Failed);
    ++snapshot_.restarts;
    timer_ = loop_.after(*wait, [this] { handle(Event::TimedOut); });
    enter(State::Waiting);
}

void Service::begin_stop() {
    rung_ = 0;
    snapshot_.killed = false;
    enter(State::Stopping);
    next_rung();
}

// Asked to stop again: only the deadline moves. A signal that comes twice means something else to some
// programs.
void Service::hurry() {
    if (timer_ && stop_deadline_.end() < rung_end_) wait_for_rung(stop_deadline_.end());
}

void Service::wait_for_rung(TimePoint end) {
    rung_end_ = end;
    timer_ = loop_.at(end, [this] { handle(Event::TimedOut); });
}

// Each rung waits its grace, but never past the deadline; behind the last rung, and at the deadline, comes
// SIGKILL. A process that even SIGKILL does not end (uninterruptible sleep) is left behind at the deadline by
// whoever called stop().
void Service::next_rung() {
    const bool out_of_time = stop_deadline_.expired(loop_.clock());
    if (rung_ >= spec_.stop_ladder.size() || (out_of_time && rung_ > 0)) {
        snapshot_.killed = true;
        send(SIGKILL);
        timer_.cancel();
        return;
    }
    const auto& rung = spec_.stop_ladder[rung_++];
    send(rung.signal);
    wait_for_rung(stop_deadline_.stage(loop_.clock(), rung.grace).end());
}

void Service::send(int number) {
    (void)(spec_.signal_group ? processes_.signal_group(snapshot_.pid, number)
                              : processes_.signal(snapshot_.pid, number));
}

void Service::finish_stop() {
    timer_.cancel();
    backoff_.reset();
    enter(State::Stopped);
}

// Daemons say why they end in their last lines; keep the best candidate. A plain line is one only while
// nothing follows; a crash says why first, and then prints its stacks.
void Service::observe(std::string_view line) {
    const int weight = weight_of(line, spec_.plain_lines_are_causes);
    if (words_weight_ > kPlain && (weight < words_weight_ || words_weight_ == kCrash)) return;
    words_weight_ = weight;
    last_words_ = printable(line);
}

// A daemon that was killed did not end because of what it printed long before.
bool Service::words_are_a_cause() const {
    if (words_weight_ != kPlain) return words_weight_ > kPlain;
    return last_status_.kind == proc::ExitStatus::Kind::Exited && !last_status_.success();
}

}  // namespace supervisor::service
