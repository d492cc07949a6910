// Signals as events: blocked before anything else happens, then read from a signalfd.
// A process that is PID 1 loses every signal whose disposition is the default one, so nothing may be left
// unblocked.
#pragma once

#include <signal.h>

#include <functional>

#include "loop/event_loop.hpp"

namespace supervisor::loop {

struct Signal {
    int number;
    pid_t sender;  // 0 for the kernel
};

class Signals {
  public:
    // Blocks all signals but those that mean a fault of this very program (SEGV, BUS, FPE, ILL, TRAP, ABRT,
    // SYS). Call it first in main, once.
    static Result<Signals> block_all();

    // Undoes block_all(): for a process that turns out to live without a loop.
    void release();

    // Calls `handler` for each signal, SIGCHLD included, before other descriptors of the same turn are
    // served.
    Result<> deliver(EventLoop& loop, std::function<void(const Signal&)> handler);

    // The mask this process was started with: children get it back.
    const sigset_t& original_mask() const noexcept { return original_; }

  private:
    UniqueFd fd_;
    sigset_t original_{};
    Watch watch_;
};

// "SIGTERM"; "signal 64" where there is no name.
std::string signal_name(int number);

}  // namespace supervisor::loop
