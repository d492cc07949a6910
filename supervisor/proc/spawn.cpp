#include "proc/spawn.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "base/scope_exit.hpp"
#include "base/strings.hpp"
#include "proc/child_exec.hpp"
#include "sys/files.hpp"
#include "sys/unix_socket.hpp"

namespace supervisor::proc {
namespace {

constexpr std::string_view kListenPid = "LISTEN_PID=";

// The strings that a PreparedChild points into.
struct Storage {
    std::vector<std::string> arguments;
    std::vector<std::string> environment;
};

Storage storage_for(const ChildPlan& plan) {
    Storage storage{plan.arguments, plan.environment};
    if (plan.listen_descriptors > 0) {
        storage.environment.push_back(fmt::format("LISTEN_FDS={}", plan.listen_descriptors));
        storage.environment.push_back(std::string(kListenPid) + std::string(20, '\0'));
    }
    return storage;
}

PreparedChild prepare(const ChildPlan& plan, Storage& storage) {
    PreparedChild child;
    child.plan = &plan;
    for (auto& argument : storage.arguments) child.argv.push_back(argument.data());
    for (auto& variable : storage.environment) child.envp.push_back(variable.data());
    child.argv.push_back(nullptr);
    child.envp.push_back(nullptr);
    child.moved.resize(plan.descriptors.size());
    if (plan.listen_descriptors > 0)
        child.listen_pid_digits = storage.environment.back().data() + kListenPid.size();
    return child;
}

// clone3 with everything, then with less: kernels and seccomp filters that do not know it answer ENOSYS or
// EPERM.
pid_t fork_into(int cgroup_directory, int* pidfd) {
    clone_args arguments{};
    arguments.flags = CLONE_PIDFD;
    arguments.pidfd = reinterpret_cast<std::uintptr_t>(pidfd);
    arguments.exit_signal = SIGCHLD;
    if (cgroup_directory >= 0) {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = static_cast<std::uint64_t>(cgroup_directory);
    }
    const long pid = ::syscall(SYS_clone3, &arguments, sizeof arguments);
    if (pid >= 0 || (errno != ENOSYS && errno != EPERM && errno != EINVAL && errno != E2BIG)) {
        return static_cast<pid_t>(pid);
    }
    *pidfd = -1;
    return ::fork();
}

UniqueFd open_pidfd(pid_t pid) {
    return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

// Exit of the failed child is collected here, by pid: the reaper must never see it.
void collect(pid_t pid) {
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
}

Error describe_failure(const ChildPlan& plan, const StageReport& report) {
    const std::string subject = report.stage == Stage::Execute           ? plan.executable
                                : report.stage == Stage::ChangeDirectory ? plan.working_directory
                                                                         : std::string();
    auto error = system_error(report.error, describe(report.stage), subject).context("start " + plan.name);
    const bool no_interpreter =
        report.stage == Stage::Execute && report.error == ENOENT && sys::exists(plan.executable);
    if (!no_interpreter) return error;
    return std::move(error).advice(
        "the file is there: the interpreter that its first line names is not, as after Windows line ends");
}

// At the limit nothing can be looked up by starting a program, so the likely reason is said here.
Error describe_fork(const ChildPlan& plan, int code) {
    auto error = system_error(code, "fork").context("start " + plan.name);
    if (code != EAGAIN) return error;
    return std::move(error).advice(
        "the limit of processes is reached: jobs left too many, or --pids-limit or the pod's limit is too "
        "low");
}

}  // namespace

Result<Spawner> Spawner::create(const sigset_t& original_mask) {
    Spawner spawner;
    SUPERVISOR_TRY_ASSIGN(null, sys::open_file("/dev/null", O_RDWR));
    spawner.null_ = std::move(null);
    // Only needed to come back from another pid namespace; without /proc nothing is ever put into one.
    if (auto own = sys::open_file("/proc/self/ns/pid", O_RDONLY))
        spawner.own_pid_namespace_ = std::move(*own);
    const std::string last(trim(sys::read_file_or("/proc/sys/kernel/cap_last_cap", "40")));
    spawner.last_capability_ = static_cast<int>(parse_unsigned(last, 63).value_or(40));
    spawner.original_mask_ = original_mask;
    return spawner;
}

Result<Child> Spawner::spawn(const ChildPlan& plan) const {
    auto pipe = sys::make_pipe();
    if (!pipe) return fail(pipe.error(), "start " + plan.name);
    Storage storage = storage_for(plan);
    PreparedChild prepared = prepare(plan, storage);
    prepared.null_fd = null_.get();
    prepared.report_fd = pipe->write.get();
    prepared.last_capability = last_capability_;
    prepared.signal_mask = original_mask_;

    if (plan.pid_namespace >= 0 && ::setns(plan.pid_namespace, CLONE_NEWPID) != 0) {
        return fail(system_error("enter pid namespace").context("start " + plan.name));
    }
    int pidfd = -1;
    const pid_t pid = fork_into(plan.cgroup_directory, &pidfd);
    if (pid == 0) run_child(prepared);
    const int fork_error = errno;
    if (plan.pid_namespace >= 0) (void)::setns(own_pid_namespace_.get(), CLONE_NEWPID);
    if (pid < 0) return fail(describe_fork(plan, fork_error));

    Child child{pid, pidfd >= 0 ? UniqueFd(pidfd) : open_pidfd(pid)};
    pipe->write.reset();
    StageReport report{};
    ssize_t got = -1;
    do {
        got = ::read(pipe->read.get(), &report, sizeof report);
    } while (got < 0 && errno == EINTR);
    if (got == 0) return child;  // the pipe was closed by exec
    collect(pid);
    return fail(describe_failure(plan, report));
}

Result<> send_signal(const Child& child, int number) {
    int result = -1;
    if (child.pidfd) {
        result = static_cast<int>(::syscall(SYS_pidfd_send_signal, child.pidfd.get(), number, nullptr, 0));
    }
    if (!child.pidfd || (result != 0 && errno == ENOSYS)) result = ::kill(child.pid, number);
    if (result != 0 && errno != ESRCH) return fail(system_error("signal process", std::to_string(child.pid)));
    return {};
}

Result<std::string> find_executable(const std::string& name, const std::vector<std::string>& environment) {
    if (name.find('/') != std::string::npos) return name;
    std::string_view path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    for (const auto& variable : environment) {
        if (variable.starts_with("PATH=")) path = std::string_view(variable).substr(5);
    }
    for (const auto& directory : split(path, ':')) {
        const std::string candidate = std::string(directory) + "/" + name;
        if (!directory.empty() && ::access(candidate.c_str(), X_OK) == 0 && !sys::is_directory(candidate))
            return candidate;
    }
    return fail(Error(ENOENT, fmt::format("{} is not in PATH ({})", name, path)));
}

}  // namespace supervisor::proc
