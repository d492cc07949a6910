#include "proc/child_exec.hpp"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>

namespace supervisor::proc {
namespace {

[[noreturn]] void give_up(const PreparedChild& child, Stage stage) {
    const StageReport report{stage, errno};
    (void)!::write(child.report_fd, &report, sizeof report);
    ::_exit(stage == Stage::Execute && report.error == ENOENT ? 127 : 126);
}

// Decimal digits of a positive number; returns how many.
std::size_t format_decimal(long number, char* out) {
    char reversed[20];
    std::size_t count = 0;
    do {
        reversed[count++] = static_cast<char>('0' + number % 10);
        number /= 10;
    } while (number > 0);
    for (std::size_t i = 0; i < count; ++i) out[i] = reversed[count - 1 - i];
    return count;
}

// Dispositions survive exec only as "ignored"; a program of the user must not start with SIGPIPE ignored.
void reset_signals(const PreparedChild& child) {
    for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
    (void)::sigprocmask(SIG_SETMASK, &child.signal_mask, nullptr);
}

void join_cgroups(const PreparedChild& child) {
    for (const int procs : child.plan->cgroup_procs) {
        if (::write(procs, "0", 1) != 1) give_up(child, Stage::JoinCgroup);
    }
}

void set_limits(const PreparedChild& child) {
    for (const auto& limit : child.plan->limits) {
        const rlimit value{limit.soft, limit.hard};
        if (::setrlimit(static_cast<__rlimit_resource>(limit.resource), &value) == 0) continue;
        // Without CAP_SYS_RESOURCE the hard limit cannot be raised: then as high as allowed is the best there
        // is.
        rlimit current{};
        if (errno != EPERM || ::getrlimit(static_cast<__rlimit_resource>(limit.resource), &current) != 0) {
            give_up(child, Stage::SetLimits);
        }
        const rlimit lowered{limit.soft < current.rlim_max ? limit.soft : current.rlim_max,
                             limit.hard < current.rlim_max ? limit.hard : current.rlim_max};
        if (::setrlimit(static_cast<__rlimit_resource>(limit.resource), &lowered) != 0)
            give_up(child, Stage::SetLimits);
    }
}

// Lowering the score needs CAP_SYS_RESOURCE; a child without that protection is better than no child.
void set_oom_score(const PreparedChild& child) {
    if (!child.plan->oom_score_adjust) return;
    const int fd = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd < 0) return;
    char text[21];
    const int score = *child.plan->oom_score_adjust;
    std::size_t length = 0;
    if (score < 0) text[length++] = '-';
    length += format_decimal(score < 0 ? -score : score, text + length);
    (void)!::write(fd, text, length);
    ::close(fd);
}

void set_session(const PreparedChild& child) {
    if (child.plan->foreground_on_terminal) {
        if (::setpgid(0, 0) != 0) give_up(child, Stage::ForegroundTerminal);
        // SIGTTOU is blocked in the parent still, so that a background group may take the terminal. One that
        // is not the controlling terminal cannot be taken; the program then runs on it without job control.
        if (::tcsetpgrp(STDIN_FILENO, ::getpid()) != 0 && errno != ENOTTY)
            give_up(child, Stage::ForegroundTerminal);
    } else if (child.plan->new_session && ::setsid() < 0) {
        give_up(child, Stage::NewSession);
    }
}

void join_namespaces(const PreparedChild& child) {
    for (const auto& entry : child.plan->namespaces) {
        if (::setns(entry.fd, entry.type) != 0) give_up(child, Stage::JoinNamespace);
    }
}

// Sources are first moved above every target, so that no dup2 can overwrite one that is still needed.
void map_descriptors(PreparedChild& child) {
    int floor = 3;
    for (const auto& mapping : child.plan->descriptors) floor = mapping.to >= floor ? mapping.to + 1 : floor;
    child.report_fd = ::fcntl(child.report_fd, F_DUPFD_CLOEXEC, floor);
    std::size_t index = 0;
    for (const auto& mapping : child.plan->descriptors) {
        child.moved[index] = ::fcntl(mapping.from, F_DUPFD_CLOEXEC, floor);
        if (child.moved[index++] < 0) give_up(child, Stage::MapDescriptors);
    }
    for (int standard = 0; standard <= 2; ++standard) {
        if (::dup2(child.null_fd, standard) < 0) give_up(child, Stage::MapDescriptors);
    }
    index = 0;
    for (const auto& mapping : child.plan->descriptors) {
        if (::dup2(child.moved[index++], mapping.to) < 0) give_up(child, Stage::MapDescriptors);
    }
    // Belt and braces: everything was opened with O_CLOEXEC. ENOSYS (old kernel) or EPERM (filter) change
    // nothing then.
    (void)::syscall(SYS_close_range, static_cast<unsigned>(floor), ~0U, CLOSE_RANGE_CLOEXEC);
}

void drop_bounding_set(const PreparedChild& child) {
    const ChildPlan& plan = *child.plan;
    if (plan.capabilities == Capabilities::NoneButSetuid) return;
    const std::uint64_t keep =
        plan.capabilities == Capabilities::None ? 0 : plan.bounding_set.value_or(~0ULL);
    for (int capability = 0; capability <= child.last_capability; ++capability) {
        if ((keep >> capability & 1U) != 0) continue;
        if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 && errno != EINVAL)
            give_up(child, Stage::DropBoundingSet);
    }
}

void set_identity(const PreparedChild& child) {
    if (!child.plan->identity) return;
    const Identity& identity = *child.plan->identity;
    // Raw calls: the C library's wrappers would signal other threads, and there are none.
    if (::syscall(SYS_setgroups, identity.supplementary_groups.size(),
                  identity.supplementary_groups.data()) != 0 ||
        ::syscall(SYS_setresgid, identity.group, identity.group, identity.group) != 0 ||
        ::syscall(SYS_setresuid, identity.user, identity.user, identity.user) != 0) {
        give_up(child, Stage::SetIdentity);
    }
}

void drop_capabilities(const PreparedChild& child) {
    if (child.plan->capabilities == Capabilities::Keep) return;
    if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 && errno != EINVAL) {
        give_up(child, Stage::DropCapabilities);
    }
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    const __user_cap_data_struct none[2]{};
    if (::syscall(SYS_capset, &header, none) != 0) give_up(child, Stage::DropCapabilities);
}

void load_seccomp(const PreparedChild& child) {
    if (!child.plan->seccomp) return;
    const SeccompProgram& program = *child.plan->seccomp;
    const sock_fprog filter{static_cast<unsigned short>(program.size()),
                            const_cast<sock_filter*>(program.data())};
    if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) != 0) give_up(child, Stage::LoadSeccomp);
}

// The order is forced: without no_new_privs a filter can only be loaded while CAP_SYS_ADMIN is there; with it
// the filter comes last, so that it need not allow the calls above.
void drop_privileges(const PreparedChild& child) {
    drop_bounding_set(child);  // needs CAP_SETPCAP, which set_identity takes away
    if (!child.plan->no_new_privileges) load_seccomp(child);
    set_identity(child);
    drop_capabilities(child);
    if (!child.plan->no_new_privileges) return;
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) give_up(child, Stage::NoNewPrivileges);
    load_seccomp(child);
}

}  // namespace

const char* describe(Stage stage) {
    switch (stage) {
        case Stage::JoinCgroup:
            return "join its cgroup";
        case Stage::SetLimits:
            return "set resource limits";
        case Stage::SetOomScore:
            return "set the OOM score";
        case Stage::NewSession:
            return "start a session";
        case Stage::ForegroundTerminal:
            return "take the terminal";
        case Stage::JoinNamespace:
            return "join a namespace";
        case Stage::MapDescriptors:
            return "set up descriptors";
        case Stage::ChangeDirectory:
            return "change to the working directory";
        case Stage::DropBoundingSet:
            return "cut the bounding set";
        case Stage::SetIdentity:
            return "change user and groups";
        case Stage::DropCapabilities:
            return "drop capabilities";
        case Stage::NoNewPrivileges:
            return "set no_new_privs";
        case Stage::LoadSeccomp:
            return "load the seccomp filter";
        case Stage::Execute:
            return "execute";
    }
    return "start";
}

void run_child(PreparedChild& child) {
    const ChildPlan& plan = *child.plan;
    if (plan.parent_death_signal != 0) (void)::prctl(PR_SET_PDEATHSIG, plan.parent_death_signal, 0, 0, 0);
    join_cgroups(child);
    set_limits(
        child);  // limits and OOM score need capabilities of the outer user namespace: before joining another
    set_oom_score(child);
    join_namespaces(child);  // before descriptors are moved: their numbers may be a mapping's target
    map_descriptors(child);
    set_session(child);
    if (plan.file_mode_mask) ::umask(*plan.file_mode_mask);
    if (child.listen_pid_digits != nullptr)
        child.listen_pid_digits[format_decimal(::getpid(), child.listen_pid_digits)] = '\0';
    drop_privileges(child);
    if (::chdir(plan.working_directory.c_str()) != 0) give_up(child, Stage::ChangeDirectory);
    reset_signals(child);
    ::execve(plan.executable.c_str(), child.argv.data(), child.envp.data());
    give_up(child, Stage::Execute);
}

}  // namespace supervisor::proc
