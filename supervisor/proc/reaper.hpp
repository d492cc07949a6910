// The one place that waits for children: ours, and orphans that the kernel gives to PID 1 or to a subreaper.
#pragma once

#include <cstdint>
#include <functional>
#include <unordered_map>

#include "proc/exit_status.hpp"
#include "proc/spawn.hpp"

namespace supervisor::proc {

class Reaper {
  public:
    using OnExit = std::function<void(const ExitStatus&)>;

    // Calls `on_exit` once when this child has ended. By then it is reaped: its pid must not be used any
    // more.
    void expect(pid_t pid, OnExit on_exit) { expected_[pid] = std::move(on_exit); }
    void forget(pid_t pid) { expected_.erase(pid); }

    // Reaps everything that has ended. Call on every SIGCHLD; several deaths may share one signal.
    void reap();

    // Children of jobs and services that lost their parent and ended here.
    std::uint64_t orphans_reaped() const noexcept { return orphans_; }

  private:
    bool reap_one();

    std::unordered_map<pid_t, OnExit> expected_;
    std::uint64_t orphans_ = 0;
};

// Orphaned descendants come to this process even when it is not PID 1. Needs Linux 3.4.
Result<> become_subreaper();

}  // namespace supervisor::proc
