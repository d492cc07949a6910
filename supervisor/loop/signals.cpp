#include "loop/signals.hpp"

#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cstdint>

namespace supervisor::loop {

Result<Signals> Signals::block_all() {
    sigset_t blocked;
    ::sigfillset(&blocked);
    for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS})
        ::sigdelset(&blocked, fault);
    Signals signals;
    if (::sigprocmask(SIG_SETMASK, &blocked, &signals.original_) != 0)
        return fail(system_error("block signals"));
    signals.fd_.reset(::signalfd(-1, &blocked, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!signals.fd_) return fail(system_error("create signalfd"));
    return signals;
}

void Signals::release() {
    watch_.reset();
    fd_.reset();
    (void)::sigprocmask(SIG_SETMASK, &original_, nullptr);
}

Result<> Signals::deliver(EventLoop& loop, std::function<void(const Signal&)> handler) {
    const int fd = fd_.get();
    auto read_all = [fd, handler = std::move(handler)](std::uint32_t) {
        signalfd_siginfo info{};
        while (::read(fd, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
            handler(Signal{static_cast<int>(info.ssi_signo), static_cast<pid_t>(info.ssi_pid)});
        }
    };
    SUPERVISOR_TRY_ASSIGN(watch, loop.watch(fd, EPOLLIN, std::move(read_all), Priority::Urgent));
    watch_ = std::move(watch);
    return {};
}

std::string signal_name(int number) {
    const char* name = ::sigabbrev_np(number);
    return name != nullptr ? std::string("SIG") + name : "signal " + std::to_string(number);
}

}  // namespace supervisor::loop
