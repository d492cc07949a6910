#include "host/namespaces.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "host/namespace_setup.hpp"
#include "sys/files.hpp"
#include "sys/unix_socket.hpp"

namespace supervisor::host {
namespace {

constexpr std::uint64_t kNamespaces =
    CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC;

// Like fork, into new namespaces. Whatever has the mounts that are needed here has clone3, too.
pid_t clone_holder(std::uint64_t namespaces, int cgroup_directory, int* pidfd) {
    clone_args arguments{};
    arguments.flags = namespaces | CLONE_PIDFD;
    arguments.pidfd = reinterpret_cast<std::uintptr_t>(pidfd);
    arguments.exit_signal = SIGCHLD;
    if (cgroup_directory >= 0) {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = static_cast<std::uint64_t>(cgroup_directory);
    }
    return static_cast<pid_t>(::syscall(SYS_clone3, &arguments, sizeof arguments));
}

Result<sys::SocketPair> control_pair() {
    SUPERVISOR_TRY_ASSIGN(pair, sys::socket_pair(SOCK_SEQPACKET));
    // The holder sleeps on its end.
    const int flags = ::fcntl(pair.second.get(), F_GETFL);
    if (::fcntl(pair.second.get(), F_SETFL, flags & ~O_NONBLOCK) != 0)
        return fail(system_error("set up control socket"));
    return std::move(pair);
}

std::string describe_report(const SetupReport& report, const std::vector<SetupStep>& steps) {
    switch (report.step) {
        case SetupReport::kStart:
            return "receive mounts";
        case SetupReport::kIdentity:
            return "become root of the user namespace";
        case SetupReport::kCgroup:
            return "enter the engine's cgroups";
        default:
            return describe(steps.at(static_cast<std::size_t>(report.step)));
    }
}

}  // namespace

std::string describe(const SetupStep& step) {
    switch (step.kind) {
        case SetupStep::Kind::MakeDirectory:
            return "make directory " + step.target;
        case SetupStep::Kind::MakeFile:
            return "make file " + step.target;
        case SetupStep::Kind::MakeLink:
            return "make link " + step.target;
        case SetupStep::Kind::Mount:
            return fmt::format("mount {} at {}", step.type.empty() ? step.source : step.type, step.target);
        case SetupStep::Kind::Attach:
            return "attach prepared mount at " + step.target;
        case SetupStep::Kind::Write:
            return "write " + step.target;
        case SetupStep::Kind::Remove:
            return "remove " + step.target;
    }
    return {};
}

Result<> NamespaceHolder::fork(std::uint64_t namespaces, const BirthPlace& place,
                               std::vector<SetupStep> steps) {
    SUPERVISOR_TRY_ASSIGN(control, control_pair());
    steps_ = std::move(steps);
    int pidfd = -1;
    const pid_t pid = clone_holder(namespaces, place.cgroup_directory, &pidfd);
    if (pid == 0)
        run_holder(control.second.get(), (namespaces & CLONE_NEWUSER) != 0, place.cgroup_procs, steps_);
    if (pid < 0) return fail(system_error("make namespaces"));
    pid_ = pid;
    owned_ = true;
    pidfd_.reset(pidfd);
    control_ = std::move(control.first);
    return {};
}

Result<NamespaceHolder> NamespaceHolder::start_mounts_only(std::vector<SetupStep> steps) {
    NamespaceHolder holder;
    SUPERVISOR_TRY(holder.fork(CLONE_NEWNS, {}, std::move(steps)));
    SUPERVISOR_TRY(holder.open_namespace(CLONE_NEWNS, "mnt"));
    return holder;
}

Result<NamespaceHolder> NamespaceHolder::start(const IdRange& ids, const BirthPlace& place,
                                               std::vector<SetupStep> steps) {
    NamespaceHolder holder;
    SUPERVISOR_TRY(holder.fork(kNamespaces, place, std::move(steps)));
    SUPERVISOR_TRY(holder.write_maps(ids));
    SUPERVISOR_TRY(holder.open_namespace(CLONE_NEWUSER, "user"));
    SUPERVISOR_TRY(holder.open_namespace(CLONE_NEWNS, "mnt"));
    SUPERVISOR_TRY(holder.open_namespace(CLONE_NEWPID, "pid"));
    SUPERVISOR_TRY(holder.open_namespace(CLONE_NEWNET, "net"));
    SUPERVISOR_TRY(holder.open_namespace(CLONE_NEWUTS, "uts"));
    SUPERVISOR_TRY(holder.open_namespace(CLONE_NEWIPC, "ipc"));
    return holder;
}

Result<> NamespaceHolder::write_maps(const IdRange& ids) const {
    const std::string map = fmt::format("0 {} {}", ids.first, ids.count);
    SUPERVISOR_TRY(sys::write_existing(fmt::format("/proc/{}/uid_map", pid_), map));
    return sys::write_existing(fmt::format("/proc/{}/gid_map", pid_), map);
}

Result<> NamespaceHolder::open_namespace(int type, const char* name) {
    SUPERVISOR_TRY_ASSIGN(fd, sys::open_file(fmt::format("/proc/{}/ns/{}", pid_, name), O_RDONLY));
    namespaces_.push_back({type, std::move(fd)});
    return {};
}

Result<> NamespaceHolder::proceed(const std::vector<int>& mounts) {
    if (mounts.size() > kMostMounts)
        return fail(Error(E2BIG, fmt::format("more than {} directories to mount", kMostMounts)));
    char byte = 0;
    iovec part{&byte, 1};
    const std::size_t size = mounts.size() * sizeof(int);
    std::vector<char> buffer(CMSG_SPACE(size));
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (!mounts.empty()) {
        message.msg_control = buffer.data();
        message.msg_controllen = buffer.size();
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(size);
        std::memcpy(CMSG_DATA(header), mounts.data(), size);
    }
    if (::sendmsg(control_.get(), &message, MSG_NOSIGNAL) < 0)
        return fail(system_error("send mounts to the holder of the namespaces"));
    return {};
}

Result<> NamespaceHolder::finish(Milliseconds patience) {
    pollfd waiting{control_.get(), POLLIN, 0};
    int ready = -1;
    do {
        ready = ::poll(&waiting, 1, static_cast<int>(patience.count()));
    } while (ready < 0 && errno == EINTR);
    if (ready == 0) return fail(Error(ETIMEDOUT, "set up namespaces: no answer from their holder"));
    SetupReport report;
    if (::recv(control_.get(), &report, sizeof report, 0) != static_cast<ssize_t>(sizeof report))
        return fail(Error(EPIPE, "set up namespaces: their holder ended"));
    failed_step_ = report.step < 0 ? -1 : report.step;
    if (report.step != SetupReport::kDone)
        return fail(system_error(report.error, describe_report(report, steps_)).context("set up namespaces"));
    if (descriptor(CLONE_NEWUSER) < 0) return {};
    return open_namespace(CLONE_NEWCGROUP, "cgroup");
}

NamespaceHolder& NamespaceHolder::operator=(NamespaceHolder&& other) noexcept {
    if (this == &other) return *this;
    end();
    pid_ = std::exchange(other.pid_, -1);
    owned_ = std::exchange(other.owned_, false);
    pidfd_ = std::move(other.pidfd_);
    control_ = std::move(other.control_);
    namespaces_ = std::move(other.namespaces_);
    steps_ = std::move(other.steps_);
    return *this;
}

NamespaceHolder::NamespaceHolder(NamespaceHolder&& other) noexcept {
    *this = std::move(other);
}

NamespaceHolder::~NamespaceHolder() {
    end();
}

void NamespaceHolder::end() noexcept {
    if (!owned_) return;
    owned_ = false;
    kill();
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
}

void NamespaceHolder::kill() const noexcept {
    if (pidfd_) (void)::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
}

int NamespaceHolder::descriptor(int type) const noexcept {
    for (const auto& entry : namespaces_) {
        if (entry.type == type) return entry.fd.get();
    }
    return -1;
}

Result<UniqueFd> current_network_namespace() {
    return sys::open_file("/proc/self/ns/net", O_RDONLY);
}

Result<> enter_network_namespace(int network_namespace) {
    if (::setns(network_namespace, CLONE_NEWNET) != 0) return fail(system_error("enter network namespace"));
    return {};
}

Result<> write_in_network_namespace(int network_namespace, const std::string& path, std::string_view text) {
    SUPERVISOR_TRY_ASSIGN(own, current_network_namespace());
    SUPERVISOR_TRY(enter_network_namespace(network_namespace));
    auto written = sys::write_existing(path, text);
    SUPERVISOR_TRY(enter_network_namespace(own.get()));
    return written;
}

}  // namespace supervisor::host
