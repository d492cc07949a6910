// How a child ended, as the kernel told it.
#pragma once

#include <sys/types.h>

#include <string>

namespace supervisor::proc {

struct ExitStatus {
    enum class Kind { Exited, Signaled };
    Kind kind = Kind::Exited;
    int value = 0;  // exit code or signal number
    bool core_dumped = false;

    bool success() const noexcept { return kind == Kind::Exited && value == 0; }
    // What a shell would report: the exit code, or 128 + signal.
    int shell_code() const noexcept { return kind == Kind::Exited ? value : 128 + value; }
    // "exited with status 3", "killed by SIGKILL".
    std::string text() const;
};

}  // namespace supervisor::proc
