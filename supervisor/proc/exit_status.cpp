#include "proc/exit_status.hpp"

#include "loop/signals.hpp"

namespace supervisor::proc {

std::string ExitStatus::text() const {
    if (kind == Kind::Exited) return "exited with status " + std::to_string(value);
    return "killed by " + loop::signal_name(value) + (core_dumped ? " (core dumped)" : "");
}

}  // namespace supervisor::proc
