#include "proc/reaper.hpp"

#include <sys/prctl.h>
#include <sys/wait.h>

#include <cerrno>

namespace supervisor::proc {
namespace {

ExitStatus to_exit_status(const siginfo_t& info) {
    if (info.si_code == CLD_EXITED) return {ExitStatus::Kind::Exited, info.si_status, false};
    return {ExitStatus::Kind::Signaled, info.si_status, info.si_code == CLD_DUMPED};
}

}  // namespace

void Reaper::reap() {
    while (reap_one()) {
    }
}

bool Reaper::reap_one() {
    siginfo_t info{};
    int result = -1;
    do {
        result = ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG);
    } while (result != 0 && errno == EINTR);
    if (result != 0 || info.si_pid == 0) return false;  // ECHILD, or nobody has ended
    const auto found = expected_.find(info.si_pid);
    if (found == expected_.end()) {
        ++orphans_;
        return true;
    }
    const OnExit on_exit = std::move(found->second);
    expected_.erase(found);  // first: the callback may spawn a child that gets the same pid
    on_exit(to_exit_status(info));
    return true;
}

Result<> become_subreaper() {
    if (::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) return fail(system_error("become child subreaper"));
    return {};
}

}  // namespace supervisor::proc
