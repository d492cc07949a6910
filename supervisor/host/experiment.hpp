// A question to the kernel that is answered by trying, in a forked child: what the child does to its own
// namespaces ends with it, and the caller can do something else meanwhile.
//
// The child may only make system calls on memory that was prepared before start(). Its answer is a trivially
// copyable value that comes back through a pipe.
#pragma once

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <type_traits>

#include "base/clock.hpp"
#include "sys/unix_socket.hpp"

namespace supervisor::host {

template <class Answer>
class Experiment {
    static_assert(std::is_trivially_copyable_v<Answer>);

  public:
    // Forks; `attempt` runs in the child. Returns the errno of what failed, 0 if the child runs.
    template <class Attempt>
    int start(Attempt attempt) {
        auto pipe = sys::make_pipe();
        if (!pipe) return pipe.error().code();
        child_ = ::fork();
        if (child_ < 0) return errno;
        if (child_ == 0) {
            const Answer answer = attempt();
            const auto written = ::write(pipe->write.get(), &answer, sizeof answer);
            ::_exit(written == static_cast<ssize_t>(sizeof answer) ? 0 : 1);
        }
        answer_ = std::move(pipe->read);
        return 0;
    }

    // Waits for the answer, at most `patience`; a child that took longer or died without one gives none.
    // The child is gone and reaped afterwards. (One that hangs in the kernel cannot be killed at once: it is
    // left to whoever reaps orphans.)
    std::optional<Answer> finish(Milliseconds patience) {
        if (child_ <= 0) return std::nullopt;
        std::optional<Answer> answer = read_answer(patience);
        if (!answer) (void)::kill(child_, SIGKILL);
        while (::waitpid(child_, nullptr, answer ? 0 : WNOHANG) < 0 && errno == EINTR) {
        }
        child_ = -1;
        return answer;
    }

    ~Experiment() { (void)finish(Milliseconds(0)); }
    Experiment() = default;
    Experiment(const Experiment&) = delete;
    Experiment& operator=(const Experiment&) = delete;

  private:
    std::optional<Answer> read_answer(Milliseconds patience) {
        pollfd waited{answer_.get(), POLLIN, 0};
        int ready = -1;
        do {
            ready = ::poll(&waited, 1, static_cast<int>(patience.count()));
        } while (ready < 0 && errno == EINTR);
        Answer answer{};
        if (ready <= 0 ||
            ::read(answer_.get(), &answer, sizeof answer) != static_cast<ssize_t>(sizeof answer))
            return std::nullopt;
        return answer;
    }

    pid_t child_ = -1;
    UniqueFd answer_;
};

}  // namespace supervisor::host
