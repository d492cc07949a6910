#include "outer_network.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>

#include <cstdlib>

#include "host/netlink.hpp"
#include "sys/files.hpp"

namespace supervisor::contain {
namespace {

UniqueFd current_network() {
    return std::move(sys::open_file("/proc/self/ns/net", O_RDONLY).value());
}

void must(Result<> result) {
    if (result) return;
    std::fprintf(stderr, "outer network: %s\n", result.error().message().c_str());
    std::abort();
}

}  // namespace

OuterNetwork::OuterNetwork()
    : own_(current_network()),
      own_mounts_(std::move(sys::open_file("/proc/self/ns/mnt", O_RDONLY).value())),
      own_names_(std::move(sys::open_file("/proc/self/ns/uts", O_RDONLY).value())) {
    if (::unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWUTS) != 0 ||
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
        std::abort();
    }
    peer_ = current_network();
    auto peer = host::Netlink::open().value();
    if (::unshare(CLONE_NEWNET) != 0) std::abort();
    auto outer = host::Netlink::open().value();
    must(outer.set_up("lo"));
    must(outer.add_veth({"eth0", "eth0", peer_.get(), kMtu}));
    must(outer.add_address("eth0", std::string(kOuter) + "/24"));
    must(outer.add_address("eth0", std::string(kOuter6) + "/64"));
    must(outer.set_up("eth0"));
    must(peer.set_up("lo"));
    must(peer.add_address("eth0", std::string(kPeer) + "/24"));
    must(peer.add_address("eth0", std::string(kPeer6) + "/64"));
    must(peer.set_up("eth0"));
    // As Docker leaves its containers: what comes later has no IPv6.
    must(sys::write_existing("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1"));
    must(outer.add_default_route("eth0", kPeer));
    must(outer.add_default_route("eth0", kPeer6));
}

OuterNetwork::~OuterNetwork() {
    (void)::setns(own_names_.get(), CLONE_NEWUTS);
    (void)::setns(own_mounts_.get(), CLONE_NEWNS);
    (void)::setns(own_.get(), CLONE_NEWNET);
}

}  // namespace supervisor::contain
