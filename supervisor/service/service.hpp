// One long-running process and the promise to keep it running.
//
//            start                 ready                    dies, restart asked
//  Stopped ────────► Starting ───────────► Ready ──────────────┐
//     ▲                 │ dies, too slow     │                  ▼
//     │                 └───────────────────►│◄──────────── Waiting (back-off) ──► Starting
//     │   ended                              │ stop            │ too many deaths
//     └──────────────── Stopping ◄───────────┘                 ▼
//                                                            Failed
// The table in service.cpp says what each event does in each state; an event that has no entry there is
// ignored.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "loop/event_loop.hpp"
#include "proc/backoff.hpp"
#include "service/processes.hpp"

namespace supervisor::service {

enum class State { Stopped, Starting, Ready, Waiting, Stopping, Failed };
const char* to_text(State state);

struct StopRung {
    int signal;
    Milliseconds grace;  // how long to wait for the end before the next rung; SIGKILL follows the last one
};

enum class ReadyWhen { Spawned, Notified };

// What to do about a death that nobody asked for.
enum class AfterExit { Restart, RestartAtOnce, StayStopped };

struct Spec {
    std::string name;
    ReadyWhen ready_when = ReadyWhen::Spawned;
    Milliseconds start_timeout{
        0};  // 0: none; a process that is not ready by then is killed, which counts as a death
    proc::BackoffPolicy restart;
    std::vector<StopRung> stop_ladder;
    // The ladder's signals go to the process group: for programs whose outermost process passes nothing on.
    bool signal_group = false;
    // A death takes the rest of its process group with it: children that would be in the way of its next
    // life.
    bool kill_group_after_death = false;
    // What it prints outside the form of its log is why it ends: so do Docker's daemons while they read their
    // configuration.
    bool plain_lines_are_causes = false;
};

struct Hooks {
    // Called at each start: the plan may differ from the last one.
    std::function<Result<proc::ChildPlan>()> plan;
    Output output;
    // Gets the lines of stdout instead of the output's writer: for programs that answer in one line.
    std::function<void(std::string_view line)> result;
    // A death that was not asked for; without this hook: Restart.
    std::function<AfterExit(const proc::ExitStatus&)> after_exit;
    // Every change of state; snapshot() shows the new one. Stopped and Failed are final until start().
    std::function<void(State)> changed;
};

struct Snapshot {
    State state = State::Stopped;
    std::chrono::system_clock::time_point since;
    pid_t pid = -1;  // -1: no process
    int restarts = 0;
    std::string last_exit;  // "killed by SIGKILL"; empty before the first end
    std::string cause;      // why the last restart or failure happened
    bool killed = false;    // the last stop ended with SIGKILL
};

class Service {
  public:
    Service(loop::EventLoop& loop, Processes& processes, Spec spec, Hooks hooks);
    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;

    void start();
    // Runs the stop ladder; every grace is cut to what `deadline` leaves. Ends in Stopped. A second call
    // sends nothing again, it only shortens the deadline.
    void stop(Deadline deadline);
    // The process says that it is ready (READY=1).
    void notify_ready();
    // Kills a process that is alive but of no use; it comes back as after a death. `cause` is what logs and
    // status say.
    void restart(const std::string& cause);

    Result<> signal(int number);

    const std::string& name() const noexcept { return spec_.name; }
    State state() const noexcept { return snapshot_.state; }
    const Snapshot& snapshot() const noexcept { return snapshot_; }
    bool running() const noexcept { return snapshot_.pid > 0; }
    // How it ended last; meaningful after the first end.
    const proc::ExitStatus& last_status() const noexcept { return last_status_; }
    // The last line of its output that looked like the reason of a failure, or the last one.
    const std::string& last_words() const noexcept { return last_words_; }

  private:
    enum class Event { Start, Stop, BecameReady, Exited, TimedOut, RestartAsked };
    using Action = void (Service::*)();
    static constexpr int kStates = 6;
    static constexpr int kEvents = 6;
    static const Action kActions[kStates][kEvents];

    void handle(Event event);
    void launch();
    void become_ready();
    void after_death();
    void kill_now();
    void begin_stop();
    void hurry();
    void wait_for_rung(TimePoint end);
    void send(int number);
    void next_rung();
    void finish_stop();

    void enter(State state);
    void died(const proc::ExitStatus& status);
    void observe(std::string_view line);
    bool words_are_a_cause() const;
    void wait_before_restart();

    loop::EventLoop& loop_;
    Processes& processes_;
    Spec spec_;
    Hooks hooks_;
    proc::Backoff backoff_;
    Snapshot snapshot_;
    loop::Timer timer_;
    TimePoint started_at_{};
    Deadline stop_deadline_ = Deadline::never();
    std::size_t rung_ = 0;
    TimePoint rung_end_{};
    std::string kill_cause_;  // why we killed it ourselves
    proc::ExitStatus last_status_{};
    std::string last_words_;
    int words_weight_ = 0;
};

}  // namespace supervisor::service
