#include <algorithm>

#include "base/strings.hpp"
#include "broker/rules/rules.hpp"

namespace supervisor::broker {
namespace {

bool is_built_in(std::string_view name) {
    return name == "bridge" || name == "default" || name == "none";
}

// Replaces a reference to a network of ours by the engine's name for it.
Verdict own_network(RuleScope& scope, std::string& reference) {
    if (is_built_in(reference)) return {};
    if (reference == "host") {
        if (scope.policy.allows(Permission::HostNetwork)) return {};
        return refusal(scope, Permission::HostNetwork, "network host",
                       "containers of jobs stay out of the host's network");
    }
    const auto* found = scope.ledger.network(reference);
    if (found == nullptr) {
        scope.missing_reference = true;
        return Denial{404, "not-own", "network " + printable(reference, 200) + " not found"};
    }
    reference = found->name;
    return {};
}

Verdict check_endpoint_network(RuleScope& scope, json::value& value, const FieldRule&,
                               const std::string& path) {
    if (is_empty_value(value)) return drop(scope, value, {"", pass}, path);
    if (!value.is_string()) return malformed(path, "a network id");
    const auto* found = scope.ledger.network(std::string(value.as_string()));
    if (found != nullptr) {
        value = found->id;
        return {};
    }
    scope.missing_reference = true;
    return Denial{404, "not-own", "network " + printable(std::string(value.as_string()), 200) + " not found"};
}

Verdict check_endpoint_options(RuleScope& scope, json::value& value, const FieldRule&,
                               const std::string& path) {
    if (is_empty_value(value) || scope.policy.allows(Permission::NetworkDrivers)) return {};
    return refusal(scope, Permission::NetworkDrivers, path, "must not be set");
}

constexpr FieldRule kEndpointFields[] = {
    {"IPAMConfig", pass},
    {"Links", check_links},
    {"Aliases", pass},
    {"NetworkID", check_endpoint_network},
    {"DriverOpts", check_endpoint_options},
    {"MacAddress", pass},
    {"GwPriority", pass},
    // State that clients send back as they read it.
    {"EndpointID", drop},
    {"Gateway", drop},
    {"IPAddress", drop},
    {"IPPrefixLen", drop},
    {"IPv6Gateway", drop},
    {"GlobalIPv6Address", drop},
    {"GlobalIPv6PrefixLen", drop},
    {"DNSNames", drop},
};

Verdict check_endpoint(RuleScope& scope, json::value& value, const std::string& path) {
    if (value.is_null()) return {};
    if (!value.is_object()) return malformed(path, "an object");
    return apply_rules(scope, value.as_object(), kEndpointFields, path + ".");
}

Verdict check_endpoint_field(RuleScope& scope, json::value& value, const FieldRule&,
                             const std::string& path) {
    return check_endpoint(scope, value, path);
}

void add_alias(json::object& endpoint, const std::string& alias) {
    auto& aliases = endpoint["Aliases"];
    if (!aliases.is_array()) aliases = json::array();
    auto& list = aliases.as_array();
    if (std::find(list.begin(), list.end(), json::value(alias)) == list.end())
        list.push_back(json::string(alias));
}

// ---- networks/create ----

Verdict check_driver(RuleScope& scope, json::value& value, const FieldRule&, const std::string& path) {
    if (is_empty_value(value) || value == json::value("bridge") ||
        scope.policy.allows(Permission::NetworkDrivers))
        return {};
    return refusal(scope, Permission::NetworkDrivers, path, "only the bridge driver may be used");
}

Verdict check_network_options(RuleScope& scope, json::value& value, const FieldRule&,
                              const std::string& path) {
    if (is_empty_value(value) || scope.policy.allows(Permission::NetworkDrivers)) return {};
    if (!value.is_object()) return malformed(path, "an object");
    for (const auto& member : value.as_object()) {
        const std::string key(member.key().data(), member.key().size());
        const bool harmless = key == "com.docker.network.driver.mtu" ||
                              key == "com.docker.network.bridge.enable_icc" ||
                              key == "com.docker.network.bridge.enable_ip_masquerade";
        if (!harmless)
            return refusal(scope, Permission::NetworkDrivers, path + "." + printable(key, 80),
                           "this option must not be set");
    }
    return {};
}

Verdict check_local_scope(RuleScope& scope, json::value& value, const FieldRule& rule,
                          const std::string& path) {
    return value == json::value("local") ? Verdict() : ask(scope, value, rule, path);
}

constexpr FieldRule kIpamFields[] = {
    {"Driver",
     [](RuleScope& scope, json::value& value, const FieldRule& rule, const std::string& path) {
         return value == json::value("default") ? Verdict() : ask(scope, value, rule, path);
     },
     Permission::NetworkDrivers},
    {"Config", check_pools},
    {"Options", ask, Permission::NetworkDrivers},
};

Verdict check_ipam(RuleScope& scope, json::value& value, const FieldRule&, const std::string& path) {
    if (value.is_null()) return {};
    if (!value.is_object()) return malformed(path, "an object");
    return apply_rules(scope, value.as_object(), kIpamFields, path + ".");
}

constexpr FieldRule kNetworkFields[] = {
    {"Name", pass},
    {"CheckDuplicate", drop},
    {"Driver", check_driver},
    {"Scope", check_local_scope, Permission::NetworkDrivers},
    {"Internal", pass},
    {"Attachable", pass},
    {"Ingress", ask, Permission::NetworkDrivers},
    {"IPAM", check_ipam},
    {"EnableIPv4", pass},
    {"EnableIPv6", pass},
    {"Options", check_network_options},
    {"Labels", pass},
    {"ConfigOnly", ask, Permission::NetworkDrivers},
    {"ConfigFrom", ask, Permission::NetworkDrivers},
};

Verdict check_container_reference(RuleScope& scope, json::value& value, const FieldRule&,
                                  const std::string& path) {
    if (!value.is_string()) return malformed(path, "a container");
    std::string reference(value.as_string());
    if (auto denial = own_container(scope, reference)) return denial;
    value = reference;
    return {};
}

constexpr FieldRule kConnectFields[] = {
    {"Container", check_container_reference},
    {"EndpointConfig", check_endpoint_field},
};

constexpr FieldRule kDisconnectFields[] = {
    {"Container", check_container_reference},
    {"Force", pass},
};

}  // namespace

Verdict check_network_mode(RuleScope& scope, json::value& value, const FieldRule&, const std::string& path) {
    if (is_empty_value(value)) return {};
    if (!value.is_string()) return malformed(path, "a network mode");
    std::string mode(value.as_string());
    if (mode.starts_with("container:")) {
        auto reference = mode.substr(10);
        if (is_agent(scope, reference)) {
            if (!scope.policy.allows(Permission::AgentNetwork)) {
                return refusal(scope, Permission::AgentNetwork, path,
                               "the agent's own network is not shared");
            }
            reference = scope.owner.container;
        } else if (auto denial = own_container(scope, reference)) {
            return denial;
        }
        value = "container:" + reference;
        return {};
    }
    if (mode.find(':') != std::string::npos) return malformed(path, "a network, none or container:NAME");
    if (auto denial = own_network(scope, mode)) return denial;
    value = mode;
    return {};
}

Verdict check_endpoints(RuleScope& scope, json::value& value, const FieldRule&, const std::string& path) {
    if (value.is_null()) return {};
    if (!value.is_object()) return malformed(path, "an object");
    json::object renamed;
    for (auto& member : value.as_object()) {
        std::string network(member.key().data(), member.key().size());
        const auto shown = network;
        if (auto denial = own_network(scope, network)) return denial;
        if (renamed.contains(network))
            return Denial{400, "malformed", path + ": network " + printable(shown, 80) + " is given twice"};
        if (auto denial = check_endpoint(scope, member.value(), path + "." + printable(shown, 80)))
            return denial;
        renamed[network] = std::move(member.value());
    }
    value = std::move(renamed);
    return {};
}

// In a network of its own a container answers to its name. The engine's name for it is not the one that the
// job gave, so that one becomes an alias.
Verdict add_name_alias(RuleScope& scope, json::object& body) {
    const auto mode = text_of(body["HostConfig"].as_object(), "NetworkMode");
    if (scope.container_name.empty()) return {};
    auto& networking = body["NetworkingConfig"];
    if (!networking.is_object()) networking = json::object();
    auto& endpoints = networking.as_object()["EndpointsConfig"];
    if (!endpoints.is_object()) endpoints = json::object();
    const bool user_network =
        !mode.empty() && !is_built_in(mode) && mode != "host" && !mode.starts_with("container:");
    if (user_network && !endpoints.as_object().contains(mode)) endpoints.as_object()[mode] = json::object();
    for (auto& member : endpoints.as_object()) {
        const std::string_view network(member.key().data(), member.key().size());
        if (is_built_in(network) || network == "host") continue;
        if (!member.value().is_object()) member.value() = json::object();
        add_alias(member.value().as_object(), scope.container_name);
    }
    return {};
}

Verdict rewrite_network(RuleScope& scope, json::object& body) {
    if (auto denial = apply_rules(scope, body, kNetworkFields, "")) return denial;
    const auto name = text_of(body, "Name");
    if (name.empty()) return malformed("Name", "the network's name");
    if (is_built_in(name) || name == "host") {
        return Denial{403, "built-in", "operation is not permitted on predefined " + name + " network"};
    }
    body["Name"] = scope.names.hidden(name);
    // Engines before API 1.44 would make a second network of the same name.
    body["CheckDuplicate"] = true;
    auto& labels = body["Labels"];
    if (!labels.is_object()) labels = json::object();
    set_owner_labels(labels.as_object(), scope.owner, scope.job);
    return {};
}

Verdict rewrite_connect(RuleScope& scope, json::object& body, bool built_in) {
    if (auto denial = apply_rules(scope, body, kConnectFields, "")) return denial;
    const auto* container = scope.ledger.container(text_of(body, "Container"));
    if (container == nullptr) return malformed("Container", "a container");
    if (container->name.empty() || built_in) return {};  // built-in networks know no aliases
    auto& endpoint = body["EndpointConfig"];
    if (!endpoint.is_object()) endpoint = json::object();
    add_alias(endpoint.as_object(), container->name);
    return {};
}

Verdict rewrite_disconnect(RuleScope& scope, json::object& body) {
    if (auto denial = apply_rules(scope, body, kDisconnectFields, "")) return denial;
    if (!body.contains("Container")) return malformed("Container", "a container");
    return {};
}

}  // namespace supervisor::broker
