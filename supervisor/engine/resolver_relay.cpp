#include "engine/resolver_relay.hpp"

#include <fmt/core.h>

#include <cstdint>

namespace supervisor::engine {
namespace {

std::string rule(char action, const ResolverRelay& relay, const char* protocol, std::uint16_t port) {
    return fmt::format("-{} PREROUTING -d {}/32 -p {} -m {} --dport 53 -j DNAT --to-destination {}:{}\n",
                       action, relay.listen, protocol, protocol, relay.target, port);
}

std::string rules(char action, const ResolverRelay& relay, const LoopbackResolver& resolver) {
    return "*nat\n" + rule(action, relay, "udp", resolver.udp_port) +
           rule(action, relay, "tcp", resolver.tcp_port) + "COMMIT\n";
}

}  // namespace

std::string relay_rules(const ResolverRelay& relay, const LoopbackResolver& resolver) {
    return rules('I', relay, resolver);
}

std::string relay_rules_removal(const ResolverRelay& relay, const LoopbackResolver& resolver) {
    return rules('D', relay, resolver);
}

}  // namespace supervisor::engine
