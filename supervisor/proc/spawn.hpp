// Starting a child from a ChildPlan. It is born in its cgroup and pid namespace, and spawn() returns only
// when its program runs or has provably not started.
#pragma once

#include <signal.h>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "proc/child_plan.hpp"

namespace supervisor::proc {

// A running child. Whoever spawned it registers it with the Reaper in the same turn of the loop.
struct Child {
    pid_t pid = -1;
    UniqueFd pidfd;  // empty on kernels without pidfd (before 5.3)
};

// The process-wide facts that spawning needs, read once.
class Spawner {
  public:
    // original_mask: what children get (see loop::Signals).
    static Result<Spawner> create(const sigset_t& original_mask);

    // Blocks for the child's few set-up calls and its exec. The error names the stage that failed: "start
    // dockerd: execute /usr/bin/dockerd: No such file or directory". A child that failed is reaped before
    // spawn() returns.
    Result<Child> spawn(const ChildPlan& plan) const;

  private:
    UniqueFd null_;
    UniqueFd own_pid_namespace_;
    sigset_t original_mask_{};
    int last_capability_ = 0;
};

// Signals by pidfd where there is one, so that a recycled pid can never be hit. ESRCH is not an error.
Result<> send_signal(const Child& child, int number);

// The absolute path of `name` along PATH of `environment` ("NAME=value" entries); a name with a slash is
// returned as it is.
Result<std::string> find_executable(const std::string& name, const std::vector<std::string>& environment);

}  // namespace supervisor::proc
