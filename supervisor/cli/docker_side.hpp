// How jobs get Docker: an engine of their own (Dind), the host's behind the broker (Dood), or not at all.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "cli/config.hpp"
#include "cli/hardening.hpp"
#include "cli/status.hpp"
#include "proc/child_plan.hpp"

namespace supervisor::cli {

// Why the supervisor cannot go on, and the exit code for it.
struct Failure {
    int exit_code;
    Error error;
};

inline tl::unexpected<Failure> failure(int exit_code, Error error) {
    return tl::unexpected<Failure>(Failure{exit_code, std::move(error)});
}

inline constexpr int kExitUsage = 64;
inline constexpr int kExitEngine = 69;
inline constexpr int kExitInternal = 70;
inline constexpr int kExitHost = 71;

struct DockerSideEvents {
    std::function<void()> changed;
    std::function<void(const std::string& what, const std::string& detail)> event;
    std::function<void(const std::string& milestone)> reached;
    std::function<void(const std::string& cause)> failed;  // it will not come back by itself
};

struct DockerSideContext {
    loop::EventLoop& loop;
    service::Processes& processes;
    const proc::Spawner& spawner;
    proc::Reaper& reaper;
    const Config& config;
    const std::vector<std::string>& environment;
    const AgentAccount& account;
    DockerSideEvents events;
};

class DockerSide {
  public:
    virtual ~DockerSide() = default;

    // Everything that must be true before the agent exists: the host prepared, the socket listening. Undoes
    // itself on failure.
    virtual tl::expected<void, Failure> prepare() = 0;
    virtual void start() = 0;
    virtual void stop(Deadline deadline, std::function<void()> done) = 0;
    virtual void reload() {}
    // After everything has stopped: kill what is left, undo mounts, cgroups, devices. Says what had to be
    // killed.
    virtual std::vector<std::string> clean_up() = 0;

    // Cgroup and namespaces of agent, jobs and shells.
    virtual void place_agent(proc::ChildPlan& plan) const = 0;
    // Kills what jobs left behind outside the agent's process tree.
    virtual int kill_agent_leftovers() { return 0; }
    // The kernel killed something in the agent's cgroup for want of memory since the last call.
    virtual bool agent_was_killed_for_memory() { return false; }
    // "NAME=value" that the agent needs to find Docker.
    virtual std::vector<std::string> agent_environment() const { return {}; }
    // "" when jobs can use Docker, else the reason why not yet.
    virtual std::string not_ready_because() const = 0;
    virtual void describe(StatusModel& model) const = 0;
    virtual void job_started() {}
    virtual void job_finished() {}
};

}  // namespace supervisor::cli
