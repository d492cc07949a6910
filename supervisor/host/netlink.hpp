// Links, addresses and routes of one network namespace, through rtnetlink(7): no `ip` program, no wait.
// The kernel answers each request within the call that sends it.
#pragma once

#include <string>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace supervisor::host {

class Netlink {
  public:
    // Of the caller's network namespace.
    static Result<Netlink> open();
    // Of the namespace that `network_namespace` (an open /proc/<pid>/ns/net) stands for. A socket belongs to
    // the namespace it was made in, so the caller is moved there for that one call and back.
    static Result<Netlink> open_in(int network_namespace);

    struct VethPair {
        std::string name;       // this side
        std::string peer_name;  // the other side …
        int peer_namespace;     // … in this namespace
        unsigned mtu = 0;       // 0: the kernel's default
    };
    Result<> add_veth(const VethPair& pair);
    Result<> set_up(const std::string& link);
    // "10.0.0.1/30" or "fd00::1/126". IPv6 addresses are usable at once (no duplicate address detection:
    // both ends of the link are ours).
    Result<> add_address(const std::string& link, const std::string& address);
    Result<> add_default_route(const std::string& link, const std::string& gateway);
    // Removing one end of a veth pair removes both. A link that is not there is fine.
    Result<> remove_link(const std::string& link);
    bool has_link(const std::string& link);

  private:
    explicit Netlink(UniqueFd socket) : socket_(std::move(socket)) {}
    Result<int> index_of(const std::string& link);
    class Request;
    Result<> perform(Request& request);

    UniqueFd socket_;
    unsigned sequence_ = 0;
};

}  // namespace supervisor::host
