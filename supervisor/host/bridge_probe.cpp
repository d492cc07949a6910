#include "host/bridge_probe.hpp"

#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "host/experiment.hpp"

namespace supervisor::host {
namespace {

constexpr std::size_t kLongestKind = 16;

// RTM_NEWLINK with IFLA_LINKINFO { IFLA_INFO_KIND }: the kernel chooses the name.
struct Request {
    nlmsghdr header;
    ifinfomsg link;
    rtattr info;
    rtattr kind;
    char name[kLongestKind];
};

Request new_link(const char* kind) {
    Request request{};
    request.header.nlmsg_len = sizeof request;
    request.header.nlmsg_type = RTM_NEWLINK;
    request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
    request.info = {sizeof request.info + sizeof request.kind + kLongestKind, IFLA_LINKINFO};
    request.kind = {sizeof request.kind + kLongestKind, IFLA_INFO_KIND};
    std::copy_n(kind, std::min(std::strlen(kind), kLongestKind - 1), request.name);
    return request;
}

BridgeProbe try_link(const Request& request) {
    if (::unshare(CLONE_NEWNET) != 0) return {};
    const int socket = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (socket < 0 || ::send(socket, &request, sizeof request, 0) < 0) return {true, errno};
    struct {
        nlmsghdr header;
        nlmsgerr answer;
        char rest[512];
    } reply{};
    if (::recv(socket, &reply, sizeof reply, 0) < 0) return {true, errno};
    return {true, reply.header.nlmsg_type == NLMSG_ERROR ? -reply.answer.error : EPROTO};
}

}  // namespace

struct BridgeExperiment::Private {
    Experiment<BridgeProbe> experiment;
};

BridgeExperiment::BridgeExperiment(const char* kind) : private_(std::make_unique<Private>()) {
    const Request request = new_link(kind);
    (void)private_->experiment.start([&] { return try_link(request); });
}

BridgeExperiment::~BridgeExperiment() = default;

BridgeProbe BridgeExperiment::finish(Milliseconds patience) {
    return private_->experiment.finish(patience).value_or(BridgeProbe{});
}

}  // namespace supervisor::host
