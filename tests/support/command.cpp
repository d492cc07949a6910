#include "support/command.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <utility>

extern char** environ;

namespace test_support {

namespace {

using Clock = std::chrono::steady_clock;

class Pipe {
  public:
    Pipe() {
        std::array<int, 2> ends{};
        if (pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
        read_ = ends[0];
        write_ = ends[1];
    }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    ~Pipe() {
        close_read();
        close_write();
    }
    [[nodiscard]] int read_end() const { return read_; }
    [[nodiscard]] int write_end() const { return write_; }
    void close_read() { close_end(read_); }
    void close_write() { close_end(write_); }

  private:
    static void close_end(int& fd) {
        if (fd >= 0) close(fd);
        fd = -1;
    }
    int read_ = -1;
    int write_ = -1;
};

std::vector<char*> pointers(std::vector<std::string>& strings) {
    std::vector<char*> result;
    for (std::string& text : strings) result.push_back(text.data());
    result.push_back(nullptr);
    return result;
}

std::vector<std::string> whole_environment(const std::vector<std::string>& extra) {
    std::vector<std::string> all;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string_view name(*entry, static_cast<std::size_t>(std::strcspn(*entry, "=") + 1));
        bool replaced = false;
        for (const std::string& other : extra) replaced = replaced || other.starts_with(name);
        if (!replaced) all.emplace_back(*entry);
    }
    all.insert(all.end(), extra.begin(), extra.end());
    return all;
}

pid_t spawn(std::vector<std::string> argv, std::vector<std::string> environment, int in, int out, int err) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in, 0);
    posix_spawn_file_actions_adddup2(&actions, out, 1);
    posix_spawn_file_actions_adddup2(&actions, err, 2);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setpgroup(&attributes, 0);
    pid_t pid = -1;
    const auto arguments = pointers(argv);
    const auto variables = pointers(environment);
    const int failure =
        posix_spawnp(&pid, argv[0].c_str(), &actions, &attributes, arguments.data(), variables.data());
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (failure != 0) throw std::runtime_error(argv[0] + ": " + std::strerror(failure));
    return pid;
}

// True while there may be more.
bool drain(int fd, std::string& into) {
    std::array<char, 65536> buffer{};
    const ssize_t count = read(fd, buffer.data(), buffer.size());
    if (count > 0) into.append(buffer.data(), static_cast<std::size_t>(count));
    return count > 0 || (count < 0 && (errno == EINTR || errno == EAGAIN));
}

// Feeds stdin and collects both outputs until both are at their end. False when the time was up first.
bool exchange(Pipe& in, Pipe& out, Pipe& err, std::string_view input, CommandResult& result,
              Clock::time_point end) {
    fcntl(in.write_end(), F_SETFL, O_NONBLOCK);
    if (input.empty()) in.close_write();
    while (out.read_end() >= 0 || err.read_end() >= 0) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
        if (left <= 0) return false;
        std::array<pollfd, 3> fds{pollfd{out.read_end(), POLLIN, 0}, pollfd{err.read_end(), POLLIN, 0},
                                  pollfd{in.write_end(), POLLOUT, 0}};
        if (poll(fds.data(), fds.size(), static_cast<int>(left)) < 0) continue;
        if (fds[0].revents != 0 && !drain(out.read_end(), result.out)) out.close_read();
        if (fds[1].revents != 0 && !drain(err.read_end(), result.err)) err.close_read();
        if (fds[2].revents != 0) {
            const ssize_t written = write(in.write_end(), input.data(), input.size());
            if (written > 0) input.remove_prefix(static_cast<std::size_t>(written));
            if (input.empty() || (written < 0 && errno != EAGAIN)) in.close_write();
        }
    }
    return true;
}

int status_of(int raw) {
    return WIFSIGNALED(raw) ? 128 + WTERMSIG(raw) : WEXITSTATUS(raw);
}

// A child may outlive its outputs; it gets what is left of the time.
bool wait_until(pid_t pid, int& raw, Clock::time_point end) {
    while (waitpid(pid, &raw, WNOHANG) == 0) {
        if (Clock::now() >= end) return false;
        pause_for(std::chrono::milliseconds(5));
    }
    return true;
}

}  // namespace

CommandResult run_command(const std::vector<std::string>& argv, const CommandOptions& options) {
    signal(SIGPIPE, SIG_IGN);
    Pipe in;
    Pipe out;
    Pipe err;
    const auto start = Clock::now();
    const auto end = start + options.timeout;
    const pid_t pid =
        spawn(argv, whole_environment(options.environment), in.read_end(), out.write_end(), err.write_end());
    in.close_read();
    out.close_write();
    err.close_write();
    CommandResult result;
    int raw = 0;
    const bool finished = exchange(in, out, err, options.input, result, end) && wait_until(pid, raw, end);
    if (!finished) {
        kill(-pid, SIGKILL);
        waitpid(pid, &raw, 0);
    }
    result.status = finished ? status_of(raw) : 124;
    result.took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start);
    return result;
}

std::string CommandResult::text() const {
    return "status " + std::to_string(status) + " after " + std::to_string(took.count()) +
           " ms\nstdout: " + out + "\nstderr: " + err;
}

std::string trimmed(std::string text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
    return text;
}

std::vector<std::string> lines(const std::string& text) {
    std::vector<std::string> result;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) result.push_back(line);
    return result;
}

void pause_for(std::chrono::milliseconds time) {
    std::this_thread::sleep_for(time);
}

}  // namespace test_support
