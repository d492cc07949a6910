// Ports of the host that containers publish, and subnets that the host gets routes to.
#include "base/strings.hpp"
#include "broker/rules/rules.hpp"

namespace supervisor::broker {
namespace {

// "" and "0" let the engine choose.
Verdict check_host_port(RuleScope& scope, json::value& value, const FieldRule&, const std::string& path) {
    if (is_empty_value(value)) return {};
    const std::string text(value.is_string() ? std::string(value.as_string()) : std::string());
    const auto range = PortRange::parse(text);
    if (!range) return malformed(path, "a port or a range as a string, such as \"8080\" or \"8000-8010\"");
    if (range->last == 0 || scope.policy.allows_host_port(*range)) return {};
    return refusal(scope, Permission::HostPorts, path,
                   "port " + text + " of the host is not allowed; accepted are " + scope.policy.host_ports() +
                       ", and no port for one that the engine chooses");
}

Verdict check_host_address(RuleScope& scope, json::value& value, const FieldRule&, const std::string& path) {
    if (!is_empty_value(value) && !value.is_string()) return malformed(path, "an address");
    const std::string text(value.is_string() ? std::string(value.as_string()) : std::string());
    // Without one the engine takes all of the host's.
    const auto address = Subnet::parse(text.empty() ? "0.0.0.0" : text);
    if (!address || text.find('/') != std::string::npos) return malformed(path, "an address");
    if (scope.policy.allows_host_address(*address)) return {};
    return refusal(scope, Permission::HostAddresses, path,
                   (text.empty() ? "all addresses" : "address " + text) +
                       " of the host: not allowed; accepted are " + scope.policy.host_addresses());
}

constexpr FieldRule kBindingFields[] = {
    {"HostIp", check_host_address},
    {"HostPort", check_host_port},
};

Verdict check_binding(RuleScope& scope, json::value& value, const std::string& path) {
    if (value.is_null()) value = json::object();
    if (!value.is_object()) return malformed(path, "objects with HostIp and HostPort");
    auto& binding = value.as_object();
    if (!binding.contains("HostIp")) binding["HostIp"] = "";
    return apply_rules(scope, binding, kBindingFields, path + ".");
}

constexpr FieldRule kPoolFields[] = {
    {"Subnet",
     [](RuleScope& scope, json::value& value, const FieldRule&, const std::string& path) -> Verdict {
         if (is_empty_value(value)) return {};
         const std::string text(value.is_string() ? std::string(value.as_string()) : std::string());
         const auto subnet = Subnet::parse(text);
         if (!subnet) return malformed(path, "a subnet such as 172.20.0.0/16");
         if (scope.policy.allows_subnet(*subnet)) return {};
         return refusal(scope, Permission::Subnets, path,
                        text +
                            " is not allowed: the host would have a route to it; accepted are subnets of " +
                            scope.policy.subnets() + ", and none for one that the engine chooses");
     }},
    // The engine wants these to lie in the subnet.
    {"IPRange", pass},
    {"Gateway", pass},
    {"AuxiliaryAddresses", pass},
};

}  // namespace

Verdict check_port_bindings(RuleScope& scope, json::value& value, const FieldRule&, const std::string& path) {
    if (value.is_null()) return {};
    if (!value.is_object()) return malformed(path, "an object");
    for (auto& member : value.as_object()) {
        const auto port =
            path + "." + printable(std::string_view(member.key().data(), member.key().size()), 40);
        if (member.value().is_null()) continue;
        if (!member.value().is_array()) return malformed(port, "a list");
        for (auto& binding : member.value().as_array()) {
            if (auto denial = check_binding(scope, binding, port)) return denial;
        }
    }
    return {};
}

// The engine chooses the ports, on all addresses.
Verdict check_publish_all(RuleScope& scope, json::value& value, const FieldRule&, const std::string& path) {
    if (is_empty_value(value)) return {};
    json::value all = "";
    return check_host_address(scope, all, {"", pass}, path);
}

Verdict check_pools(RuleScope& scope, json::value& value, const FieldRule&, const std::string& path) {
    if (value.is_null()) return {};
    if (!value.is_array()) return malformed(path, "a list");
    std::size_t index = 0;
    for (auto& pool : value.as_array()) {
        const auto name = path + "[" + std::to_string(index++) + "]";
        if (!pool.is_object()) return malformed(name, "an object");
        if (auto denial = apply_rules(scope, pool.as_object(), kPoolFields, name + ".")) return denial;
    }
    return {};
}

}  // namespace supervisor::broker
