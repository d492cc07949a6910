// The only code that runs between fork and exec: async-signal-safe calls on prepared arrays, in one fixed
// order.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "proc/child_plan.hpp"

namespace supervisor::proc {

// Where the child was when it failed; the parent turns it into words.
enum class Stage : std::uint8_t {
    JoinCgroup,
    SetLimits,
    SetOomScore,
    NewSession,
    ForegroundTerminal,
    JoinNamespace,
    MapDescriptors,
    ChangeDirectory,
    DropBoundingSet,
    SetIdentity,
    DropCapabilities,
    NoNewPrivileges,
    LoadSeccomp,
    Execute,
};

struct StageReport {
    Stage stage;
    int error;
};

const char* describe(Stage stage);

// A ChildPlan flattened into what exec and the kernel want. Built in the parent, used in the child.
struct PreparedChild {
    const ChildPlan* plan;
    std::vector<char*> argv;
    std::vector<char*> envp;
    char* listen_pid_digits = nullptr;  // inside the environment; the child writes its own pid there
    std::vector<int> moved;             // room for the sources of the descriptor mappings
    int null_fd = -1;
    int report_fd = -1;
    int last_capability = 0;
    sigset_t signal_mask{};
};

// Never returns: executes the program, or reports the stage and exits with 127 (not found) or 126.
[[noreturn]] void run_child(PreparedChild& child);

}  // namespace supervisor::proc
