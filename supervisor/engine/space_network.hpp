// The link between a contained engine and the container's own network: one veth pair with a small network of
// its own, NAT outwards, and everything that reaches the container from outside passed on inwards, unless
// somebody in the outer namespace listens there himself.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "engine/address_pools.hpp"
#include "proc/spawn.hpp"

namespace supervisor::host {
class Netlink;
}  // namespace supervisor::host

namespace supervisor::engine {

// A name server that answers on a loopback address of the outer namespace only, as the resolver of Docker's
// user-defined networks does: that one tells nobody its ports but the kernel.
struct LoopbackResolver {
    std::string address;  // 127.0.0.11
    std::uint16_t udp_port = 53;
    std::uint16_t tcp_port = 53;
};

struct LinkPlan {
    std::string name = "engine0";  // in the outer namespace
    std::string inner_name = "eth0";
    std::string outer_address;   // of the outer end, without prefix: the engine's gateway and name server
    std::string inner_address;   // of the engine's namespace
    std::string outer_address6;  // empty: no IPv6
    std::string inner_address6;
    std::string ipv6_problem;  // why the link has none although it was asked for
    unsigned mtu = 1500;
    std::optional<LoopbackResolver> resolver;
};

inline constexpr unsigned kLinkPrefix = 30;
inline constexpr unsigned kLinkPrefix6 = 126;

// Addresses for the pair that nothing in `taken` covers.
Result<LinkPlan> plan_link(const std::vector<Ipv4Range>& taken, unsigned mtu, bool ipv6);

// Finds the resolver's ports among the sockets of the outer namespace (text of /proc/net/udp and
// /proc/net/tcp).
LoopbackResolver find_resolver(const std::string& address, std::string_view udp, std::string_view tcp);

// Input of iptables-restore --noflush, in the outer namespace and in the engine's. The chains are named after
// the link, so several containers can share an outer namespace, as in a pod. listener_match: leave ports to
// outer listeners (needs the socket match).
enum class Family { Ipv4, Ipv6 };
std::string outer_rules(const LinkPlan& link, Family family, bool listener_match);
std::string outer_rules_removal(const LinkPlan& link, Family family);
// Input of iptables-restore that takes away what a killed predecessor left in an outer namespace that
// outlived it, as a pod's does; empty when there is nothing. `saved`: text of iptables-save. `alive`: whether
// a link of that name belongs to an engine that runs.
std::string stale_rules_removal(std::string_view saved, const std::function<bool(const std::string&)>& alive);
std::string inner_rules(const LinkPlan& link);  // empty when none are needed

// resolv.conf for the engine and its containers: a loopback resolver is reached through the gateway.
std::string engine_resolv_conf(const std::string& outer_text, const LinkPlan& link);

// The programs that load rules; an empty path does without that family.
struct FirewallPrograms {
    std::string iptables_restore;
    std::string ip6tables_restore;
};

// The link and its rules while they exist.
class SpaceNetwork {
  public:
    // The link: fast, the kernel does it within the calls.
    static Result<SpaceNetwork> create(LinkPlan link, int engine_namespace);

    // Asks which rules the outer namespace has already; start_rules() waits for the answer.
    void look_for_stale_rules(const proc::Spawner& spawner, const FirewallPrograms& programs);
    // Starts loading the rules; finish_rules() waits for that.
    Result<> start_rules(const proc::Spawner& spawner, const FirewallPrograms& programs);
    Result<> finish_rules(const proc::Spawner& spawner, Milliseconds patience);

    // Removes rules and link. Everything is tried, the first error is returned.
    Result<> remove(const proc::Spawner& spawner);

    const LinkPlan& link() const noexcept { return link_; }

    SpaceNetwork() = default;
    SpaceNetwork(SpaceNetwork&&) noexcept = default;
    SpaceNetwork& operator=(SpaceNetwork&&) noexcept = default;
    ~SpaceNetwork() = default;

  private:
    struct Loader {
        std::string program;
        std::string restore;   // of one that lists rules: the program that changes them
        std::string rules;     // empty: it lists them
        std::string fallback;  // tried when the rules are refused
        int network_namespace = -1;
        proc::Child child;
        UniqueFd output;  // memfd with what the program said
    };
    Result<> add_ipv6(host::Netlink& outer, host::Netlink& inner) const;
    void remove_stale_rules(const proc::Spawner& spawner);
    Result<> allow_forwarding() const;
    Result<> start(const proc::Spawner& spawner, Loader loader);
    Result<> finish(const proc::Spawner& spawner, Loader& loader, Milliseconds patience);

    LinkPlan link_;
    FirewallPrograms programs_;
    int engine_namespace_ = -1;
    bool linked_ = false;
    bool rules_ = false;
    std::vector<Loader> loaders_;
    std::vector<Loader> savers_;
};

}  // namespace supervisor::engine
