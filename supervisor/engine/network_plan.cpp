// MTU, addresses, name servers and the packet filter's backend.
#include <fmt/core.h>

#include <algorithm>
#include <cerrno>

#include "base/strings.hpp"
#include "engine/plan.hpp"
#include "sys/capabilities.hpp"

namespace supervisor::engine {
namespace {

constexpr unsigned kUsualMtu = 1500;

void decide(EnginePlan& plan, Verdict verdict, std::string topic, std::string choice, std::string reason,
            std::string fix = {}) {
    plan.decisions.push_back(
        {verdict, std::move(topic), std::move(choice), std::move(reason), std::move(fix)});
}

void plan_mtu(const PlanInput& input, EnginePlan& plan) {
    const auto& network = input.host.network;
    if (input.choices.has("mtu")) {
        decide(plan, Verdict::Ok, "mtu", input.choices.text("mtu"),
               "asked for in " + input.choices.origin("mtu"));
        return;
    }
    if (input.settings.mtu) {
        plan.network.mtu = input.settings.mtu;
        decide(plan, Verdict::Ok, "mtu", std::to_string(*input.settings.mtu), "asked for by --mtu");
        return;
    }
    // A larger MTU outside gains containers nothing on the way to the world, and a path that does not carry
    // it would stall them: only smaller ones are followed.
    if (network.default_mtu == 0 || network.default_mtu >= kUsualMtu) {
        decide(plan, Verdict::Ok, "mtu", "1500",
               network.default_mtu == 0
                   ? "there is no default route"
                   : fmt::format("{} carries {}", network.default_interface, network.default_mtu));
        return;
    }
    plan.network.mtu = network.default_mtu;
    decide(plan, Verdict::Ok, "mtu", std::to_string(network.default_mtu),
           fmt::format("{}, on the default route, carries no more", network.default_interface));
    if (!input.engine.version.at_least(24)) {
        decide(
            plan, Verdict::Warn, "mtu", "1500 on networks made later",
            fmt::format("the engine ({}) cannot set it for new networks before 24.0",
                        input.engine.version.text()),
            "docker network create -o com.docker.network.driver.mtu=" + std::to_string(network.default_mtu));
    }
}

std::vector<Ipv4Range> taken_ranges(const host::NetworkFacts& network) {
    std::vector<Ipv4Range> taken;
    for (const auto& route : network.routes) {
        if (route.mask == 0) continue;
        taken.push_back({route.destination, static_cast<unsigned>(__builtin_popcount(route.mask))});
    }
    auto add = [&](const std::string& address, unsigned prefix) {
        auto range = parse_ipv4_range(address);
        if (!range || host::is_loopback_address(address)) return;
        range->prefix = prefix;
        range->address &= range->mask();
        taken.push_back(*range);
    };
    for (const auto& server : network.resolver.nameservers) add(server, 32);
    // A cluster's services have no route here; their range is around the one address that is known.
    add(network.service_address, 16);
    return taken;
}

// False where there will be no bridge, so that addresses do not matter.
bool plan_bridge(const PlanInput& input, EnginePlan& plan) {
    if (input.choices.text("bridge") == "none") {
        decide(plan, Verdict::Warn, "bridge", "none",
               fmt::format("turned off in {}: containers have the host network or none",
                           input.choices.origin("bridge")));
        return false;
    }
    const auto& bridge = input.host.network.bridge;
    if (bridge.works()) return true;
    const std::string cause = bridge.error == EOPNOTSUPP
                                  ? "this kernel has no bridges (CONFIG_BRIDGE)"
                                  : "the kernel makes no bridge here (" + errno_text(bridge.error) + ")";
    decide(plan, Verdict::Fail, "bridge", "none", cause,
           "load the module bridge on the host, or set DOCKERD_ADDITIONAL_ARGS=\"--bridge=none "
           "--iptables=false\" and "
           "do with --network host and none");
    return false;
}

void plan_addresses(const PlanInput& input, EnginePlan& plan) {
    for (const char* key : {"bip", "bridge", "default-address-pools", "fixed-cidr"}) {
        if (!input.choices.has(key)) continue;
        decide(plan, Verdict::Ok, "addresses", "as configured",
               fmt::format("\"{}\" is set in {}", key, input.choices.origin(key)));
        return;
    }
    const auto taken = taken_ranges(input.host.network);
    plan.network.addresses = choose_addresses(taken);
    if (!plan.network.addresses) {
        decide(
            plan, Verdict::Fail, "addresses", "none", "no free private IPv4 range is left for bridges",
            "give one: DOCKERD_ADDITIONAL_ARGS=\"--bip A.B.C.1/24 --default-address-pool base=…,size=24\"");
        return;
    }
    decide(
        plan, Verdict::Ok, "addresses", "bridge " + plan.network.addresses->bridge.first_host(),
        fmt::format("does not meet any of {} ranges that routes, resolvers and services use", taken.size()));
}

void plan_name_servers(const PlanInput& input, EnginePlan& plan) {
    const auto& servers = input.host.network.resolver.nameservers;
    if (input.choices.has("dns")) {
        decide(plan, Verdict::Ok, "dns", join(input.choices.list("dns"), ", "),
               "asked for in " + input.choices.origin("dns"));
        return;
    }
    if (!input.settings.dns.empty()) {
        plan.network.dns = input.settings.dns;
        decide(plan, Verdict::Ok, "dns", join(input.settings.dns, ", "), "asked for by --dns");
        return;
    }
    const auto loopback = std::find_if(servers.begin(), servers.end(), host::is_loopback_address);
    if (loopback == servers.end()) {
        decide(plan, Verdict::Ok, "dns", servers.empty() ? "the engine's default" : join(servers, ", "),
               "the container's own resolvers are reachable from inner containers");
        return;
    }
    if (input.settings.contained) {
        decide(plan, Verdict::Ok, "dns", *loopback + ", passed on by the engine's gateway",
               "it answers only on this container's loopback");
        return;
    }
    if (!plan.network.addresses || plan.network.backend == IptablesBackend::None) {
        decide(plan, Verdict::Warn, "dns", "the engine's default (8.8.8.8)",
               fmt::format("the resolver {} answers only on loopback and cannot be passed on", *loopback),
               "set --dns, or start the container with --dns");
        return;
    }
    plan.network.relay = ResolverRelay{ipv4_text(plan.network.addresses->bridge.address + 1), *loopback};
    plan.network.dns = {plan.network.relay->listen};
    decide(plan, Verdict::Ok, "dns",
           fmt::format("{}, passed on to {}", plan.network.relay->listen, *loopback),
           fmt::format("{} answers only on this container's loopback", *loopback));
}

void use_backend(EnginePlan& plan, IptablesBackend backend, const std::string& reason) {
    plan.network.backend = backend;
    decide(plan, Verdict::Ok, "iptables", backend == IptablesBackend::Nft ? "nft" : "legacy", reason);
}

void take_asked_backend(const PlanInput& input, EnginePlan& plan) {
    const bool nft = input.settings.iptables == IptablesChoice::Nft;
    const std::string program = nft ? "iptables-nft" : "iptables-legacy";
    if (!input.host.has_program(program)) {
        decide(plan, Verdict::Fail, "iptables", "none", program + " is asked for but not installed",
               "--iptables auto");
        return;
    }
    use_backend(plan, nft ? IptablesBackend::Nft : IptablesBackend::Legacy, "asked for by --iptables");
}

void find_backend(const PlanInput& input, EnginePlan& plan) {
    const auto& filter = input.host.network.netfilter;
    const bool has_nft = input.host.has_program("iptables-nft");
    const bool has_legacy = input.host.has_program("iptables-legacy");
    if (filter.legacy_tables && has_legacy) {
        use_backend(plan, IptablesBackend::Legacy, "ip_tables is already in use in this network namespace");
    } else if (has_nft && (filter.nftables_nat() || !filter.tried)) {
        use_backend(plan, IptablesBackend::Nft, "the kernel takes a NAT chain through nf_tables");
    } else if (has_legacy) {
        use_backend(plan, IptablesBackend::Legacy,
                    has_nft ? fmt::format("nf_tables has no NAT here ({})", errno_text(filter.nat4_error))
                            : "iptables-nft is not installed");
    } else {
        decide(
            plan, Verdict::Fail, "iptables", "none",
            has_nft ? fmt::format("nf_tables has no NAT here ({}) and iptables-legacy is not installed",
                                  errno_text(filter.nat4_error))
                    : "no iptables program is installed",
            "install iptables, or set DOCKERD_ADDITIONAL_ARGS=\"--iptables=false\" and do without published "
            "ports and without a way out for containers");
    }
}

void plan_backend(const PlanInput& input, EnginePlan& plan) {
    if (input.choices.boolean("iptables") == false) {
        plan.network.backend = IptablesBackend::None;
        decide(plan, Verdict::Warn, "iptables", "none",
               fmt::format("turned off in {}: no published ports, no way out for containers by itself",
                           input.choices.origin("iptables")));
    } else if (input.settings.iptables != IptablesChoice::Auto) {
        take_asked_backend(input, plan);
    } else {
        find_backend(input, plan);
    }
}

// Docker 29 can write its rules with nft itself, if it is told to.
void plan_nftables(const PlanInput& input, EnginePlan& plan) {
    if (input.choices.text("firewall-backend") != "nftables") return;
    const auto origin = input.choices.origin("firewall-backend");
    if (input.host.has_program("nft"))
        return decide(plan, Verdict::Ok, "firewall", "nftables", "asked for by " + origin);
    decide(plan, Verdict::Fail, "firewall", "none",
           fmt::format("{} asks for the nftables backend, and the program nft is not installed", origin),
           "images/build --with nftables, or leave firewall-backend out");
}

// Engines since 28 drop in the raw table what is sent to a container past its published port, and publish
// nothing where they cannot.
void plan_raw_table(const PlanInput& input, EnginePlan& plan) {
    const auto& filter = input.host.network.netfilter;
    const bool nft = plan.network.backend == IptablesBackend::Nft;
    const int error = nft ? filter.raw4_error : filter.legacy_raw4_error;
    if (plan.network.backend == IptablesBackend::None || error == 0 || !input.engine.version.at_least(28))
        return;
    plan.network.without_raw = true;
    decide(plan, Verdict::Warn, "iptables", "no rules in the raw table",
           fmt::format(
               "this kernel has none ({}): neighbours on the outer network can reach published containers "
               "also where a port is published on one address only",
               errno_text(error)),
           "load the module iptable_raw on the host");
}

// Only these two settings need what br_netfilter does; without it dockerd does not start with them.
void plan_bridge_filter(const PlanInput& input, EnginePlan& plan) {
    const auto& host = input.host;
    const auto needed_by = [&](const char* key) { return input.choices.boolean(key) == false; };
    if (host.network.bridge_filter || (!needed_by("userland-proxy") && !needed_by("icc"))) return;
    const std::string key = needed_by("icc") ? "icc" : "userland-proxy";
    const std::string why = fmt::format("\"{}\" is off in {}, and the kernel has no br_netfilter", key,
                                        input.choices.origin(key));
    const std::string fix = "modprobe br_netfilter on the host, or leave the setting out";
    plan.network.without_bridge_filter = input.engine.version.at_least(27, 5);
    // Older ones are lenient by themselves where they see that they are in a container.
    const bool lenient = plan.network.without_bridge_filter || host.docker_marker;
    const bool can_load = host.process.can(sys::kCapSysModule) && host.has_program("modprobe");
    if (lenient)
        decide(plan, Verdict::Warn, "bridge", "containers of one network are not kept apart", why, fix);
    else
        decide(plan, can_load ? Verdict::Warn : Verdict::Fail, "bridge", "none", why, fix);
}

void plan_ipv6(const PlanInput& input, EnginePlan& plan) {
    const auto& network = input.host.network;
    if (input.choices.has("ip6tables")) {
        plan.network.ip6tables = input.choices.boolean("ip6tables").value_or(false);
        return;
    }
    const bool works = plan.network.backend == IptablesBackend::Nft ? network.netfilter.nftables_nat6()
                                                                    : network.netfilter.legacy_tables6;
    // Engines before 27 leave it off unless told; following that keeps their start quick.
    plan.network.ip6tables = network.ipv6 && works && input.engine.version.at_least(27);
    if (!network.ipv6) {
        decide(plan, Verdict::Ok, "ip6tables", "off", "this network namespace has no IPv6 address");
    } else if (!works) {
        decide(plan, Verdict::Warn, "ip6tables", "off",
               "there is IPv6, but the kernel has no NAT for it here");
    } else {
        decide(plan, Verdict::Ok, "ip6tables", plan.network.ip6tables ? "on" : "off",
               "as this engine does by default");
    }
}

}  // namespace

void plan_network(const PlanInput& input, EnginePlan& plan) {
    plan_backend(input, plan);
    plan_nftables(input, plan);
    plan_raw_table(input, plan);
    plan_bridge_filter(input, plan);
    plan_ipv6(input, plan);
    plan_mtu(input, plan);
    if (plan_bridge(input, plan)) plan_addresses(input, plan);
    plan_name_servers(input, plan);
}

}  // namespace supervisor::engine
