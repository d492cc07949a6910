// Processes as services see them: started from a plan, heard through their output, gone with an exit status.
// The interface is the seam for tests; RealProcesses is the only production implementation.
#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/line_writer.hpp"
#include "loop/event_loop.hpp"
#include "proc/output_pump.hpp"
#include "proc/reaper.hpp"
#include "proc/spawn.hpp"

namespace supervisor::service {

// Where a child's output goes, each line with the child's name in front. A null writer leaves that descriptor
// to the plan.
struct Output {
    LineWriter* standard_output = nullptr;
    LineWriter* standard_error = nullptr;
    // Sees each line before it is written, without the name.
    std::function<void(std::string_view line)> observer;
    // Lines for which this says true are neither written nor observed.
    std::function<bool(std::string_view line)> ignored;
    // Gets the lines of stdout in place of writer and observer: for helpers that answer in one line.
    std::function<void(std::string_view line)> result;
};

class Processes {
  public:
    using OnExit = proc::Reaper::OnExit;

    virtual ~Processes() = default;
    // The pid names the process in signal() until on_exit was called.
    virtual Result<pid_t> start(const proc::ChildPlan& plan, const Output& output, OnExit on_exit) = 0;
    virtual Result<> signal(pid_t pid, int number) = 0;
    // Signals the whole process group of a child that was started as a session leader.
    virtual Result<> signal_group(pid_t pid, int number) = 0;
    // SIGKILL to what is left of the process group of a child that was a session leader; for use in its
    // on_exit, while nobody else can have got its number.
    virtual void kill_rest_of_group(pid_t pid) = 0;
};

class RealProcesses final : public Processes {
  public:
    RealProcesses(loop::EventLoop& loop, const proc::Spawner& spawner, proc::Reaper& reaper)
        : loop_(loop), spawner_(spawner), reaper_(reaper) {}

    Result<pid_t> start(const proc::ChildPlan& plan, const Output& output, OnExit on_exit) override;
    Result<> signal(pid_t pid, int number) override;
    Result<> signal_group(pid_t pid, int number) override;
    void kill_rest_of_group(pid_t pid) override;

  private:
    struct Running {
        proc::Child child;
        std::vector<proc::OutputPump> pumps;
    };

    Result<UniqueFd> pump(Running& running, LineWriter& destination, proc::OutputPump::OnLine on_line);
    void ended(pid_t pid);

    loop::EventLoop& loop_;
    const proc::Spawner& spawner_;
    proc::Reaper& reaper_;
    std::unordered_map<pid_t, Running> running_;
};

}  // namespace supervisor::service
