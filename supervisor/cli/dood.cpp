#include "cli/dood.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "base/log.hpp"
#include "sys/files.hpp"

namespace supervisor::cli {
namespace {

constexpr const char* kUsualSocket = "/var/run/docker.sock";
constexpr const char* kOwnSocket = "/run/gocd-supervisor/docker.sock";
constexpr const char* kReadOnlyFix =
    "with --read-only the broker's socket needs --tmpfs /run/gocd-supervisor";

// Is `path` the usual place, under either of its names (/var/run is a link to /run)?
bool is_usual_socket(const std::string& path) {
    struct stat one {};
    struct stat other {};
    if (path == kUsualSocket || path == "/run/docker.sock") return true;
    return ::stat(path.c_str(), &one) == 0 && ::stat(kUsualSocket, &other) == 0 &&
           one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

}  // namespace

tl::expected<void, Failure> Dood::prepare() {
    const std::string& host = context_.config.broker.host_socket;
    struct stat status {};
    if (::stat(host.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode)) {
        return failure(kExitHost,
                       Error("no Docker socket at " + host)
                           .advice("mount the host's: docker run -v "
                                   "/var/run/docker.sock:/var/run/docker.sock …, or say where it is "
                                   "with --host-socket"));
    }
    host_group_ = status.st_gid;
    host_mode_ = status.st_mode;
    // Where the usual path is free, clients that know nothing of DOCKER_HOST find the broker there.
    listen_path_ = is_usual_socket(host) ? kOwnSocket : kUsualSocket;
    // In the image a link leads from here to the usual place, for containers without a supervisor.
    if (const auto removed = sys::remove_file(kOwnSocket); !removed) {
        auto error = removed.error();
        if (error.code() == EROFS) error = std::move(error).advice(kReadOnlyFix);
        return failure(kExitHost, std::move(error));
    }
    // The agent's user owns the socket: that works whatever its groups are.
    const sys::SocketAccess access{context_.account.user, context_.account.group, 0660};
    broker_ = std::make_unique<BrokerService>(
        context_, BrokerPlace{listen_path_, host, host_group_, access, broker::Mode::Dood, {}});
    if (auto prepared = broker_->prepare(); !prepared) return failure(kExitHost, prepared.error());
    if (listen_path_ == kUsualSocket) {
        // For what has the image's environment only.
        if (auto linked = sys::make_link(kUsualSocket, kOwnSocket); !linked)
            return failure(kExitHost, linked.error());
    }
    warn_when_exposed();
    return {};
}

// The agent loses the socket's group; what cannot be taken from it is said.
void Dood::warn_when_exposed() const {
    const bool others = (host_mode_ & S_IWOTH) != 0;
    const bool own_group = (host_mode_ & S_IWGRP) != 0 && host_group_ == context_.account.group;
    if (!others && !own_group && context_.account.user != 0) return;
    log::warn("broker", "jobs can open " + context_.config.broker.host_socket +
                            " itself and walk past the broker: " +
                            (others ? "it is writable for everybody"
                                    : "it belongs to the agent's own group " + std::to_string(host_group_)) +
                            " (on the host: chgrp docker and chmod 660 it, or use DinD)");
}

void Dood::place_agent(proc::ChildPlan& plan) const {
    if (!plan.identity) return;
    auto& groups = plan.identity->supplementary_groups;
    groups.erase(std::remove(groups.begin(), groups.end(), host_group_), groups.end());
}

std::vector<std::string> Dood::agent_environment() const {
    std::vector<std::string> variables;
    if (listen_path_ != kUsualSocket) variables.push_back("DOCKER_HOST=unix://" + listen_path_);
    // BuildKit's session is refused under the isolated policy; classic builds are mediated.
    if (!broker_ || !broker_->offers_buildkit())
        variables.insert(variables.end(), {"DOCKER_BUILDKIT=0", "COMPOSE_DOCKER_CLI_BUILD=0"});
    return variables;
}

std::string Dood::not_ready_because() const {
    return broker_ && broker_->ready() ? "" : "the broker is not ready";
}

std::vector<std::string> Dood::clean_up() {
    if (broker_) broker_->remove_socket();
    if (listen_path_ == kUsualSocket) (void)sys::remove_file(kOwnSocket);
    return {};
}

}  // namespace supervisor::cli
