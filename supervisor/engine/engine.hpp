// The inner engine: containerd, then dockerd on a socket that PID 1 holds, verified through the API, watched,
// restarted, stopped.
//
// The socket is listened on before either process exists and is never closed while the container lives: a
// client that comes early, or while dockerd is being restarted, waits in the backlog and gets its answer late
// instead of "Cannot connect".
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/check.hpp"
#include "service/notify_socket.hpp"
#include "service/service.hpp"

namespace supervisor::engine {

// Everything that was decided before: the engine only carries it out.
struct EngineSetup {
    std::string socket_path = "/var/run/docker.sock";
    sys::SocketAccess socket_access{0, 0, 0660};
    // Holds the notify sockets; visible under this path to the engine's processes too.
    std::string run_directory;
    // Owner of the notify sockets: root of the engine's user namespace.
    sys::SocketAccess notify_access{0, 0, 0600};
    std::vector<std::string> containerd_command;
    std::vector<std::string> dockerd_command;  // without -H fd://, which the engine adds
    // Removed before each start: dockerd takes any process with the number in it for itself.
    std::string dockerd_pid_file;
    std::vector<std::string> environment;
    std::string expected_driver;
    Milliseconds start_timeout{30'000};
    // With two checks of kCheckLimit in a row, a hang is found within 30 s.
    Milliseconds check_interval{6'000};
    // Puts a child where the engine lives: cgroup, namespaces, limits.
    std::function<void(proc::ChildPlan&)> place;
    // A plan that runs this program's helper command with these words, outside the engine's namespaces and
    // without privileges.
    std::function<proc::ChildPlan(const std::vector<std::string>& words)> helper;
};

enum class EngineState { Down, Starting, Ready, Unhealthy, Stopping, Stopped, Failed };
const char* to_text(EngineState state);

struct EngineEvents {
    std::function<void(EngineState)> changed;
    // Restarting did not help; `cause` is one line.
    std::function<void(const std::string& cause)> failed;
};

class Engine {
  public:
    Engine(loop::EventLoop& loop, service::Processes& processes, EngineSetup setup, EngineEvents events);

    // Creates the held socket. From now on `docker` waits instead of failing.
    Result<> listen();
    // Removes the socket again; stop() does it too. For a start that did not come to pass.
    void close_socket();
    void start();
    // Kills what runs inside, then stops dockerd, then containerd, all within `deadline`; then calls `done`
    // once.
    void stop(Deadline deadline, std::function<void()> done);
    // Makes dockerd read its configuration again, once it is fully up (an earlier HUP would kill it).
    void reload();

    EngineState state() const noexcept { return state_; }
    const service::Service& dockerd() const noexcept { return dockerd_; }
    const service::Service& containerd() const noexcept { return containerd_; }
    // "Docker 26.1.5, storage driver overlay2" once it was verified.
    const std::string& description() const noexcept { return description_; }
    const std::string& cause() const noexcept { return cause_; }
    // "20 inner containers" when the stop had to kill some.
    const std::string& killed_inside() const noexcept { return killed_inside_; }

  private:
    service::Hooks containerd_hooks();
    service::Hooks dockerd_hooks();
    service::AfterExit daemon_ended(service::Service& daemon);
    Result<proc::ChildPlan> base_plan(const std::string& name, const std::vector<std::string>& command) const;
    Result<proc::ChildPlan> containerd_plan();
    Result<proc::ChildPlan> dockerd_plan();

    void containerd_changed(service::State state);
    void dockerd_changed(service::State state);
    void enter(EngineState state);
    void give_up(const std::string& cause);

    void check_after(Milliseconds delay);
    void run_check();
    void checked(Health health);
    void heal(Health health);
    void heal_containerd(const std::string& cause);
    bool hung_too_often(const std::string& cause);
    void run_helper(const std::vector<std::string>& words, Milliseconds limit,
                    std::function<void(int status)> done);
    void helper_ended(const proc::ExitStatus& status);

    void kill_containers();
    void stop_dockerd();
    void stopped_step();

    loop::EventLoop& loop_;
    service::Processes& processes_;
    EngineSetup setup_;
    EngineEvents events_;
    UniqueFd held_socket_;
    std::optional<service::NotifySocket> containerd_notify_;
    std::optional<service::NotifySocket> dockerd_notify_;
    proc::Backoff hangs_;
    service::Service containerd_;
    service::Service dockerd_;

    EngineState state_ = EngineState::Down;
    std::string description_;
    std::string cause_;
    std::string killed_inside_;
    bool verified_ = false;  // this dockerd's driver was compared with the plan
    bool ever_ready_ =
        false;  // before that, a dockerd that ends by itself has a reason that a restart will not mend
    int early_deaths_ = 0;
    TimePoint containerd_ready_at_{};
    bool containerd_is_newer_ = false;  // than the dockerd that runs
    bool dockerd_follows_ = false;      // a new dockerd as soon as the new containerd is ready
    bool reload_when_ready_ = false;
    loop::Timer start_timer_;
    int failed_checks_ = 0;
    loop::Timer check_timer_;
    pid_t helper_ = -1;
    std::string helper_words_;  // last line that the helper said
    std::function<void(int)> helper_done_;
    loop::Timer helper_timer_;
    Deadline stop_deadline_ = Deadline::never();
    std::function<void()> stop_done_;
};

}  // namespace supervisor::engine
