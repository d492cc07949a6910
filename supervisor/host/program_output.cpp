#include "host/program_output.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "sys/files.hpp"
#include "sys/unix_socket.hpp"

namespace supervisor::host {
namespace {

constexpr std::size_t kMostText = 64 * 1024;

// Only async-signal-safe calls: nothing is allocated after the fork.
[[noreturn]] void run_child(char* const* argv, char* const* environment, int output, int input) {
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    if (::dup2(input, 0) < 0 || ::dup2(output, 1) < 0 || ::dup2(output, 2) < 0) ::_exit(126);
    ::execve(argv[0], argv, environment);
    ::_exit(errno == ENOENT ? 127 : 126);
}

// False when time ran out.
bool read_until_closed(int fd, const Clock& clock, const Deadline& deadline, std::string& text) {
    char chunk[4096];
    for (;;) {
        pollfd waited{fd, POLLIN, 0};
        const int ready = ::poll(&waited, 1, static_cast<int>(deadline.remaining(clock).count()));
        if (ready < 0 && errno == EINTR) continue;
        if (ready <= 0) return false;
        const auto got = ::read(fd, chunk, sizeof chunk);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return true;
        if (text.size() < kMostText) text.append(chunk, static_cast<std::size_t>(got));
    }
}

}  // namespace

Result<ProgramOutput> program_output(const std::vector<std::string>& arguments, Milliseconds patience,
                                     std::string_view input) {
    SUPERVISOR_TRY_ASSIGN(pipe, sys::make_pipe());
    SUPERVISOR_TRY_ASSIGN(input_pipe, sys::make_pipe());
    if (input.size() > kMostText) return fail("input for " + arguments.front() + " is too large");
    SUPERVISOR_TRY(sys::write_all(input_pipe.write.get(), input));
    input_pipe.write.reset();
    std::vector<char*> argv;
    for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    std::string path_variable = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
    std::string locale = "LC_ALL=C";
    char* const environment[] = {path_variable.data(), locale.data(), nullptr};
    const pid_t child = ::fork();
    if (child < 0) return fail(system_error("fork for", arguments.front()));
    if (child == 0) run_child(argv.data(), environment, pipe.write.get(), input_pipe.read.get());
    pipe.write.reset();

    ProgramOutput output;
    const SteadyClock clock;
    const bool ended =
        read_until_closed(pipe.read.get(), clock, Deadline::after(clock, patience), output.text);
    if (!ended) (void)::kill(child, SIGKILL);
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (!ended) return fail(Error(ETIMEDOUT, arguments.front() + " did not end in time"));
    output.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return output;
}

}  // namespace supervisor::host
