#include "host/namespace_setup.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace supervisor::host {
namespace {

constexpr int kControl = 0;
constexpr unsigned kMoveMountFromEmptyPath = 0x4;

struct Mounts {
    int fds[kMostMounts];
    std::size_t count = 0;
};

[[noreturn]] void give_up(int step) {
    const SetupReport report{step, errno};
    (void)!::send(kControl, &report, sizeof report, MSG_NOSIGNAL);
    ::_exit(1);
}

void close_all_but_control() {
    if (::syscall(SYS_close_range, kControl + 1, ~0U, 0) == 0) return;
    for (int fd = kControl + 1; fd < 4096; ++fd) ::close(fd);
}

Mounts receive_mounts() {
    Mounts mounts;
    char byte = 0;
    iovec part{&byte, 1};
    alignas(cmsghdr) char buffer[CMSG_SPACE(sizeof mounts.fds)];
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = buffer;
    message.msg_controllen = sizeof buffer;
    ssize_t got = -1;
    do {
        got = ::recvmsg(kControl, &message, MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got == 0) ::_exit(1);  // the parent has gone
    if (got < 0) give_up(SetupReport::kStart);
    const cmsghdr* header = CMSG_FIRSTHDR(&message);
    if (header == nullptr) return mounts;
    mounts.count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    std::memcpy(mounts.fds, CMSG_DATA(header), mounts.count * sizeof(int));
    return mounts;
}

void become_root() {
    // Raw calls: the C library's wrappers would signal other threads, and there are none.
    if (::syscall(SYS_setgroups, 0, nullptr) != 0 || ::syscall(SYS_setresgid, 0, 0, 0) != 0 ||
        ::syscall(SYS_setresuid, 0, 0, 0) != 0) {
        give_up(SetupReport::kIdentity);
    }
    // This process is a copy of the parent's memory. Not dumpable, it can be neither traced nor read through
    // /proc by the root of the user namespace.
    (void)::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    (void)::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);  // a change of ids clears it, so not earlier
}

bool make_directories(const char* path, mode_t mode) {
    char prefix[4096];
    const std::size_t length = std::strlen(path);
    if (length >= sizeof prefix) {
        errno = ENAMETOOLONG;
        return false;
    }
    for (std::size_t at = 1; at <= length; ++at) {
        if (at < length && path[at] != '/') continue;
        std::memcpy(prefix, path, at);
        prefix[at] = '\0';
        if (::mkdir(prefix, mode) != 0 && errno != EEXIST) return false;
    }
    return true;
}

bool write_file(const SetupStep& step, int flags) {
    const int fd = ::open(step.target.c_str(), O_WRONLY | O_CLOEXEC | flags, 0644);
    if (fd < 0) return false;
    const bool written =
        ::write(fd, step.data.data(), step.data.size()) == static_cast<ssize_t>(step.data.size());
    const int error = errno;
    ::close(fd);
    errno = error;
    return written;
}

const char* or_null(const std::string& text) {
    return text.empty() ? nullptr : text.c_str();
}

bool carry_out(const SetupStep& step, const Mounts& mounts) {
    const char* target = step.target.c_str();
    switch (step.kind) {
        case SetupStep::Kind::MakeDirectory:
            return make_directories(target, static_cast<mode_t>(step.flags));
        case SetupStep::Kind::MakeFile:
            return write_file(step, O_CREAT | O_TRUNC);
        case SetupStep::Kind::MakeLink:
            return ::symlink(step.source.c_str(), target) == 0;
        case SetupStep::Kind::Mount:
            return ::mount(or_null(step.source), target, or_null(step.type), step.flags,
                           or_null(step.data)) == 0;
        case SetupStep::Kind::Attach:
            if (step.index >= mounts.count) errno = EBADF;
            return step.index < mounts.count && ::syscall(SYS_move_mount, mounts.fds[step.index], "",
                                                          AT_FDCWD, target, kMoveMountFromEmptyPath) == 0;
        case SetupStep::Kind::Write:
            return write_file(step, 0);
        case SetupStep::Kind::Remove:
            return ::unlink(target) == 0;
    }
    return false;
}

}  // namespace

void run_holder(int control, bool own_root, const std::vector<int>& cgroup_procs,
                const std::vector<SetupStep>& steps) {
    (void)::prctl(PR_SET_NAME, "engine-space", 0, 0, 0);
    (void)::setsid();
    ::signal(SIGCHLD, SIG_IGN);  // orphans of this pid namespace end without a trace
    ::umask(0);
    int cgroup_error = 0;
    for (const int procs : cgroup_procs) {
        if (::write(procs, "0", 1) != 1) cgroup_error = errno;
    }
    if (::dup2(control, kControl) < 0) ::_exit(1);
    close_all_but_control();
    const Mounts mounts = receive_mounts();
    if (own_root) {
        become_root();
        errno = cgroup_error;
        if (cgroup_error != 0 || ::unshare(CLONE_NEWCGROUP) != 0) give_up(SetupReport::kCgroup);
    }
    for (std::size_t index = 0; index < steps.size(); ++index) {
        if (!carry_out(steps[index], mounts) && !steps[index].optional) give_up(static_cast<int>(index));
    }
    (void)!::chdir("/");
    const SetupReport done{};
    (void)!::send(kControl, &done, sizeof done, MSG_NOSIGNAL);
    close_all_but_control();
    // The parent never sends anything more: this returns when the parent's end is closed.
    char byte = 0;
    while (::read(kControl, &byte, 1) < 0 && errno == EINTR) {
    }
    ::_exit(0);
}

}  // namespace supervisor::host
