// The body of POST /containers/create, and the smaller ones that share its fields.
#include <algorithm>
#include <cstdint>

#include "base/strings.hpp"
#include "broker/rules/rules.hpp"

namespace supervisor::broker {
namespace {

Verdict namespace_mode(RuleScope& scope, json::value& value, const FieldRule& rule, const std::string& path,
                       std::initializer_list<std::string_view> harmless) {
    if (is_empty_value(value)) return {};
    if (!value.is_string()) return malformed(path, "a namespace mode");
    const std::string mode(value.as_string());
    if (std::find(harmless.begin(), harmless.end(), mode) != harmless.end()) return {};
    if (mode.starts_with("container:")) {
        auto reference = mode.substr(10);
        if (auto denial = own_container(scope, reference)) return denial;
        value = "container:" + reference;
        return {};
    }
    if (mode == "host" && scope.policy.allows(rule.permission)) return {};
    return refusal(scope, rule.permission, path, "\"" + printable(mode, 60) + "\" is not allowed");
}

Verdict check_pid_mode(RuleScope& scope, json::value& value, const FieldRule& rule, const std::string& path) {
    return namespace_mode(scope, value, rule, path, {"private"});
}
Verdict check_ipc_mode(RuleScope& scope, json::value& value, const FieldRule& rule, const std::string& path) {
    return namespace_mode(scope, value, rule, path, {"none", "private", "shareable"});
}
Verdict check_private_only(RuleScope& scope, json::value& value, const FieldRule& rule,
                           const std::string& path) {
    return value == json::value("private") ? Verdict() : ask(scope, value, rule, path);
}

Verdict check_capabilities(RuleScope& scope, json::value& value, const FieldRule&, const std::string& path) {
    if (value.is_null()) return {};
    if (!value.is_array()) return malformed(path, "a list");
    for (const auto& element : value.as_array()) {
        const std::string name(element.is_string() ? std::string(element.as_string()) : std::string());
        if (!scope.policy.allows_capability(name)) {
            return refusal(scope, Permission::Capabilities, path,
                           "capability \"" + printable(name, 60) + "\" is not allowed");
        }
    }
    return {};
}

Verdict device_path(RuleScope& scope, json::value& value, const FieldRule&, const std::string& path) {
    const std::string device(value.is_string() ? std::string(value.as_string()) : std::string());
    if (scope.policy.allows_device(device)) return {};
    return refusal(scope, Permission::Devices, path,
                   "device \"" + printable(device, 100) + "\" is not allowed");
}

constexpr FieldRule kDeviceFields[] = {
    {"PathOnHost", device_path},
    {"PathInContainer", pass},
    {"CgroupPermissions", pass},
};

Verdict check_devices(RuleScope& scope, json::value& value, const FieldRule&, const std::string& path) {
    if (is_empty_value(value)) return {};
    if (!value.is_array()) return malformed(path, "a list");
    for (auto& element : value.as_array()) {
        if (!element.is_object() || !element.as_object().contains("PathOnHost"))
            return malformed(path, "objects with PathOnHost");
        if (auto denial = apply_rules(scope, element.as_object(), kDeviceFields, path + ".")) return denial;
    }
    return {};
}

Verdict check_security_options(RuleScope& scope, json::value& value, const FieldRule& rule,
                               const std::string& path) {
    if (is_empty_value(value) || scope.policy.allows(rule.permission)) return {};
    if (!value.is_array()) return malformed(path, "a list");
    for (const auto& element : value.as_array()) {
        const std::string option(element.is_string() ? std::string(element.as_string()) : std::string());
        const bool stricter = option == "no-new-privileges" || option == "no-new-privileges:true" ||
                              option == "no-new-privileges=true";
        if (!stricter)
            return refusal(scope, rule.permission, path, "\"" + printable(option, 80) + "\" is not allowed");
    }
    return {};
}

Verdict check_sysctls(RuleScope& scope, json::value& value, const FieldRule& rule, const std::string& path) {
    if (is_empty_value(value) || scope.policy.allows(rule.permission)) return {};
    if (!value.is_object()) return malformed(path, "an object");
    for (const auto& member : value.as_object()) {
        const std::string_view key(member.key().data(), member.key().size());
        bool own = false;
        for (const std::string_view prefix : {"net.", "kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue."})
            own = own || key.starts_with(prefix);
        if (!own)
            return refusal(scope, rule.permission, path + "." + printable(key, 80),
                           "this sysctl is not the container's own");
    }
    return {};
}

Verdict check_runtime(RuleScope& scope, json::value& value, const FieldRule& rule, const std::string& path) {
    return value == json::value("runc") ? Verdict() : ask(scope, value, rule, path);
}

Verdict force_cgroup_parent(RuleScope& scope, json::value& value, const FieldRule&, const std::string&) {
    value = scope.config.cgroup_parent.empty() ? json::value() : json::value(scope.config.cgroup_parent);
    return {};
}

// What has ended well stays ended, also when the engine starts anew. (One that was running then counts as
// failed and comes back for as long as no agent of the host starts: a service that waits for another one by
// failing needs "on-failure".)
Verdict soften_restart(RuleScope& scope, json::value& value, const FieldRule& rule, const std::string& path) {
    if (is_empty_value(value) || scope.policy.allows(rule.permission)) return {};
    if (!value.is_object()) return malformed(path, "an object");
    auto& policy = value.as_object();
    for (const auto& member : policy) {
        const std::string_view key(member.key().data(), member.key().size());
        if (key != "Name" && key != "MaximumRetryCount") return malformed(path, "Name and MaximumRetryCount");
    }
    const auto name = text_of(policy, "Name");
    if (name == "always" || name == "unless-stopped") policy["Name"] = "on-failure";
    return {};
}

constexpr FieldRule kLogFields[] = {
    {"Type",
     [](RuleScope& scope, json::value& value, const FieldRule& rule, const std::string& path) {
         const bool local = value == json::value("json-file") || value == json::value("local") ||
                            value == json::value("none");
         return local ? Verdict() : ask(scope, value, rule, path);
     },
     Permission::LogDrivers},
    {"Config",
     [](RuleScope& scope, json::value& value, const FieldRule& rule, const std::string& path) -> Verdict {
         if (is_empty_value(value) || scope.policy.allows(rule.permission)) return {};
         if (!value.is_object()) return malformed(path, "an object");
         for (const auto& member : value.as_object()) {
             const std::string_view key(member.key().data(), member.key().size());
             bool known = false;
             for (const std::string_view option :
                  {"max-size", "max-file", "compress", "labels", "labels-regex", "env", "env-regex", "tag",
                   "mode", "max-buffer-size"})
                 known = known || key == option;
             if (!known)
                 return refusal(scope, rule.permission, path + "." + printable(key, 80),
                                "this option is not allowed");
         }
         return {};
     },
     Permission::LogDrivers},
};

Verdict check_log_config(RuleScope& scope, json::value& value, const FieldRule&, const std::string& path) {
    if (value.is_null()) return {};
    if (!value.is_object()) return malformed(path, "an object");
    return apply_rules(scope, value.as_object(), kLogFields, path + ".");
}

Verdict check_storage(RuleScope& scope, json::value& value, const FieldRule& rule, const std::string& path) {
    if (is_empty_value(value)) return {};
    if (!value.is_object()) return malformed(path, "an object");
    const bool only_size = value.as_object().size() == 1 && value.as_object().contains("size");
    return only_size ? Verdict() : ask(scope, value, rule, path);
}

Verdict check_volume_driver(RuleScope& scope, json::value& value, const FieldRule& rule,
                            const std::string& path) {
    return value == json::value("local") ? Verdict() : ask(scope, value, rule, path);
}

Verdict check_extra_hosts(RuleScope&, json::value& value, const FieldRule&, const std::string& path) {
    if (value.is_null()) return {};
    if (!value.is_array()) return malformed(path, "a list");
    for (const auto& element : value.as_array()) {
        const std::string text(element.is_string() ? std::string(element.as_string()) : std::string());
        const bool plain = std::none_of(text.begin(), text.end(),
                                        [](char c) { return static_cast<unsigned char>(c) <= 0x20; });
        if (!plain || text.find(':') == std::string::npos) return malformed(path, "NAME:ADDRESS");
    }
    return {};
}

Verdict check_cgroup_mode(RuleScope& scope, json::value& value, const FieldRule& rule,
                          const std::string& path) {
    return check_private_only(scope, value, rule, path);
}

// One row per field of the engine's HostConfig; resources that update shares come first.
constexpr FieldRule kResourceFields[] = {
    {"CpuShares", pass},
    {"Memory", pass},
    {"NanoCpus", pass},
    {"CgroupParent", force_cgroup_parent},
    {"BlkioWeight", pass},
    {"BlkioWeightDevice", ask, Permission::Devices},
    {"BlkioDeviceReadBps", ask, Permission::Devices},
    {"BlkioDeviceWriteBps", ask, Permission::Devices},
    {"BlkioDeviceReadIOps", ask, Permission::Devices},
    {"BlkioDeviceWriteIOps", ask, Permission::Devices},
    {"CpuPeriod", pass},
    {"CpuQuota", pass},
    {"CpuRealtimePeriod", ask, Permission::Privileged},
    {"CpuRealtimeRuntime", ask, Permission::Privileged},
    {"CpusetCpus", pass},
    {"CpusetMems", pass},
    {"Devices", check_devices},
    {"DeviceCgroupRules", ask, Permission::Devices},
    {"DeviceRequests", ask, Permission::Devices},
    {"KernelMemory", pass},
    {"KernelMemoryTCP", pass},
    {"MemoryReservation", pass},
    {"MemorySwap", pass},
    {"MemorySwappiness", pass},
    {"OomKillDisable", ask, Permission::OomControl},
    {"PidsLimit", pass},
    {"Ulimits", check_ulimits},
    {"CpuCount", pass},
    {"CpuPercent", pass},
    {"IOMaximumIOps", pass},
    {"IOMaximumBandwidth", pass},
    {"RestartPolicy", soften_restart, Permission::RestartPolicies},
};

constexpr FieldRule kOnlyHostFields[] = {
    {"Binds", check_binds},
    {"ContainerIDFile", pass},
    {"LogConfig", check_log_config},
    {"NetworkMode", check_network_mode},
    {"PortBindings", check_port_bindings},
    {"AutoRemove", pass},
    {"VolumeDriver", check_volume_driver, Permission::VolumeDrivers},
    {"VolumesFrom", pass},  // see expand_volumes_from
    {"ConsoleSize", pass},
    {"Annotations", ask, Permission::Annotations},
    {"CapAdd", check_capabilities},
    {"CapDrop", pass},
    {"CgroupnsMode", check_cgroup_mode, Permission::HostCgroupns},
    {"Dns", pass},
    {"DnsOptions", pass},
    {"DnsSearch", pass},
    {"ExtraHosts", check_extra_hosts},
    {"GroupAdd", pass},
    {"IpcMode", check_ipc_mode, Permission::HostIpc},
    {"Cgroup", ask, Permission::HostCgroupns},
    {"Links", check_links},
    {"OomScoreAdj", check_oom_score, Permission::OomControl},
    {"PidMode", check_pid_mode, Permission::HostPid},
    {"Privileged", ask, Permission::Privileged},
    {"PublishAllPorts", check_publish_all},
    {"ReadonlyRootfs", pass},
    {"SecurityOpt", check_security_options, Permission::SecurityOptions},
    {"StorageOpt", check_storage, Permission::VolumeDrivers},
    {"Tmpfs", check_tmpfs},
    {"UTSMode", check_private_only, Permission::HostUts},
    {"UsernsMode", check_private_only, Permission::HostUserns},
    {"ShmSize", pass},
    {"Sysctls", check_sysctls, Permission::Sysctls},
    {"Runtime", check_runtime, Permission::Runtimes},
    {"Isolation", pass},
    {"Mounts", check_mounts},
    {"MaskedPaths", ask_unless_null, Permission::SecurityOptions},
    {"ReadonlyPaths", ask_unless_null, Permission::SecurityOptions},
    {"Init", pass},
};

std::span<const FieldRule> host_fields() {
    static const std::vector<FieldRule> all = [] {
        std::vector<FieldRule> rules(std::begin(kResourceFields), std::end(kResourceFields));
        rules.insert(rules.end(), std::begin(kOnlyHostFields), std::end(kOnlyHostFields));
        return rules;
    }();
    return all;
}

Verdict check_host_config(RuleScope& scope, json::value& value, const FieldRule&, const std::string& path) {
    if (value.is_null()) return {};
    if (!value.is_object()) return malformed(path, "an object");
    return apply_rules(scope, value.as_object(), host_fields(), path + ".");
}

constexpr FieldRule kNetworkingFields[] = {{"EndpointsConfig", check_endpoints}};

Verdict check_networking(RuleScope& scope, json::value& value, const FieldRule&, const std::string& path) {
    if (value.is_null()) return {};
    if (!value.is_object()) return malformed(path, "an object");
    return apply_rules(scope, value.as_object(), kNetworkingFields, path + ".");
}

Verdict check_object(RuleScope&, json::value& value, const FieldRule&, const std::string& path) {
    return value.is_null() || value.is_object() ? Verdict() : Verdict(malformed(path, "an object"));
}

Verdict check_image(RuleScope&, json::value& value, const FieldRule&, const std::string& path) {
    return value.is_string() ? Verdict() : Verdict(malformed(path, "an image"));
}

constexpr FieldRule kContainerFields[] = {
    {"Hostname", pass},
    {"Domainname", pass},
    {"User", pass},
    {"AttachStdin", pass},
    {"AttachStdout", pass},
    {"AttachStderr", pass},
    {"ExposedPorts", pass},
    {"PortSpecs", drop},
    {"Tty", pass},
    {"OpenStdin", pass},
    {"StdinOnce", pass},
    {"Env", pass},
    {"Cmd", pass},
    {"Healthcheck", pass},
    {"ArgsEscaped", pass},
    {"Image", check_image},
    {"Volumes", check_object},
    {"WorkingDir", pass},
    {"Entrypoint", pass},
    {"NetworkDisabled", pass},
    {"MacAddress", pass},
    {"OnBuild", pass},
    {"Labels", check_object},
    {"StopSignal", pass},
    {"StopTimeout", pass},
    {"Shell", pass},
    {"HostConfig", check_host_config},
    {"NetworkingConfig", check_networking},
};

constexpr FieldRule kExecFields[] = {
    {"User", pass},         {"Privileged", ask, Permission::Privileged},
    {"Tty", pass},          {"ConsoleSize", pass},
    {"AttachStdin", pass},  {"AttachStdout", pass},
    {"AttachStderr", pass}, {"Detach", pass},
    {"DetachKeys", pass},   {"Env", pass},
    {"WorkingDir", pass},   {"Cmd", pass},
    {"Container", drop},
};

constexpr const char* kOomScore = "HostConfig.OomScoreAdj";

json::object& object_member(json::object& parent, const char* key) {
    auto& value = parent[key];
    if (!value.is_object()) value = json::object();
    return value.as_object();
}

}  // namespace

Verdict rewrite_container(RuleScope& scope, json::object& body) {
    if (auto denial = apply_rules(scope, body, kContainerFields, "")) return denial;
    auto& host = object_member(body, "HostConfig");
    if (auto denial = expand_volumes_from(scope, host)) return denial;
    add_volume_parts(scope, host);
    if (!scope.config.cgroup_parent.empty()) host["CgroupParent"] = scope.config.cgroup_parent;
    if (auto denial = apply_limits(scope, host)) return denial;
    // What is not given counts as 0, which the agent's own may exceed.
    json::value& score = host["OomScoreAdj"];
    if (auto denial = check_oom_score(scope, score, {"OomScoreAdj", pass, Permission::OomControl}, kOomScore))
        return denial;
    if (is_empty_value(score)) host.erase("OomScoreAdj");
    set_owner_labels(object_member(body, "Labels"), scope.owner, scope.job);
    return add_name_alias(scope, body);
}

Verdict rewrite_update(RuleScope& scope, json::object& body, const OwnContainer* self) {
    if (auto denial = apply_rules(scope, body, kResourceFields, "")) return denial;
    body.erase("CgroupParent");
    return apply_update_limits(scope, body, self);
}

Verdict rewrite_exec(RuleScope& scope, json::object& body) {
    return apply_rules(scope, body, kExecFields, "");
}

Verdict rewrite_commit(RuleScope& scope, json::object& body) {
    if (auto denial = apply_rules(scope, body, kContainerFields, "")) return denial;
    body.erase("HostConfig");
    body.erase("NetworkingConfig");
    set_owner_labels(object_member(body, "Labels"), scope.owner, scope.job);
    return {};
}

}  // namespace supervisor::broker
