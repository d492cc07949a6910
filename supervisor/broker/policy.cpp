#include "broker/policy.hpp"

#include <algorithm>
#include <array>

#include "base/strings.hpp"
#include "broker/json_guard.hpp"

namespace supervisor::broker {
namespace {

constexpr std::array<PermissionInfo, static_cast<std::size_t>(Permission::Count_)> kPermissions{{
    {Permission::Privileged, "privileged", "privileged containers and privileged exec"},
    {Permission::HostNetwork, "host-network", "the host's network namespace, also in builds"},
    {Permission::HostPid, "host-pid", "the host's processes"},
    {Permission::HostIpc, "host-ipc", "the host's shared memory"},
    {Permission::HostUts, "host-uts", "the host's name"},
    {Permission::HostUserns, "host-userns", "no user namespace where the engine has one by default"},
    {Permission::HostCgroupns, "host-cgroupns", "the host's cgroup tree"},
    {Permission::AgentNetwork, "agent-network", "the agent's own network namespace"},
    {Permission::Capabilities, "capabilities", "any capability; \"capabilities\" lists single ones"},
    {Permission::Devices, "devices", "any device; \"devices\" lists single ones"},
    {Permission::SecurityOptions, "security-options",
     "other seccomp, AppArmor and SELinux settings, unmasked paths"},
    {Permission::Sysctls, "sysctls", "sysctls beyond net.* and IPC"},
    {Permission::Runtimes, "runtimes", "another runtime than the engine's default"},
    {Permission::Annotations, "annotations", "annotations for the runtime"},
    {Permission::HostPaths, "host-paths", "any path of the host; \"host_paths\" lists single ones"},
    {Permission::VolumeDrivers, "volume-drivers", "volume drivers and mount options"},
    {Permission::NetworkDrivers, "network-drivers", "network drivers other than bridge, and their options"},
    {Permission::LogDrivers, "log-drivers", "log drivers that connect somewhere"},
    {Permission::RestartPolicies, "restart-policies", "restart policies as they are given"},
    {Permission::OomControl, "oom-control", "protection from the out-of-memory killer"},
    {Permission::RemoteSources, "remote-sources",
     "build contexts and images that the engine fetches from a URL"},
    {Permission::SharedTags, "shared-tags", "moving tags of images that this agent did not make"},
    {Permission::BuildKit, "buildkit", "BuildKit's own protocol, whose content the broker does not see"},
    {Permission::UnknownFields, "unknown-fields", "fields that the broker does not know"},
}};

// What the engine gives by default, and what strace and gdb need.
constexpr std::string_view kHarmlessCapabilities[] = {
    "AUDIT_WRITE", "CHOWN",   "DAC_OVERRIDE",     "FOWNER",     "FSETID",
    "KILL",        "MKNOD",   "NET_BIND_SERVICE", "NET_RAW",    "SETFCAP",
    "SETGID",      "SETPCAP", "SETUID",           "SYS_CHROOT", "SYS_PTRACE",
};

std::string plain_capability(std::string_view name) {
    std::string out(name);
    std::transform(out.begin(), out.end(), out.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
    if (out.starts_with("CAP_")) out.erase(0, 4);
    return out;
}

Result<std::vector<std::string>> string_list(const json::object& object, std::string_view key) {
    std::vector<std::string> out;
    const auto* value = object.if_contains(key);
    if (value == nullptr) return out;
    if (!value->is_array()) return fail(std::string(key) + " is not an array");
    for (const auto& element : value->as_array()) {
        if (!element.is_string()) return fail(std::string(key) + " holds something else than strings");
        out.emplace_back(element.as_string());
    }
    return out;
}

Result<Permission> permission_named(std::string_view name) {
    for (const auto& info : kPermissions) {
        if (info.name == name) return info.permission;
    }
    std::vector<std::string> known;
    for (const auto& info : kPermissions) known.emplace_back(info.name);
    return fail("unknown permission \"" + printable(name, 60) + "\"; known are " + join(known, ", "));
}

Result<> check_keys(const json::object& object) {
    for (const auto& [key, value] : object) {
        const std::string_view name(key.data(), key.size());
        const bool known = name == "base" || name == "allow" || name == "capabilities" || name == "devices" ||
                           name == "host_paths";
        if (!known)
            return fail("unknown key \"" + printable(name, 60) +
                        "\"; known are base, allow, capabilities, devices, host_paths");
    }
    return {};
}

}  // namespace

std::span<const PermissionInfo> permissions() {
    return kPermissions;
}

std::string_view name_of(Permission permission) {
    return kPermissions[static_cast<std::size_t>(permission)].name;
}

Policy Policy::isolated() {
    return {};
}

Policy Policy::trusted() {
    Policy policy;
    policy.name_ = "trusted";
    policy.allowed_.set();
    return policy;
}

Result<Policy> Policy::parse(std::string_view text) {
    if (trim(text) == "isolated") return isolated();
    if (trim(text) == "trusted") return trusted();
    auto parsed = parse_guarded(text);
    if (!parsed) return fail(parsed.error(), "policy is neither isolated, trusted nor a JSON file");
    if (!parsed->is_object()) return fail("policy file: not a JSON object");
    const auto& object = parsed->as_object();
    SUPERVISOR_TRY(check_keys(object));
    Policy policy;
    if (const auto* base = object.if_contains("base")) {
        const bool known = *base == json::value("isolated") || *base == json::value("trusted");
        if (!known) return fail("policy file: base is neither isolated nor trusted");
        policy = *base == json::value("trusted") ? trusted() : isolated();
    }
    SUPERVISOR_TRY_ASSIGN(allowed, string_list(object, "allow"));
    for (const auto& name : allowed) {
        SUPERVISOR_TRY_ASSIGN(permission, permission_named(name));
        policy.allowed_.set(static_cast<std::size_t>(permission));
    }
    SUPERVISOR_TRY_ASSIGN(capabilities, string_list(object, "capabilities"));
    for (const auto& name : capabilities) policy.capabilities_.push_back(plain_capability(name));
    SUPERVISOR_TRY_ASSIGN(devices, string_list(object, "devices"));
    SUPERVISOR_TRY_ASSIGN(paths, string_list(object, "host_paths"));
    policy.devices_ = devices;
    policy.host_paths_ = paths;
    policy.name_ = "file";
    return policy;
}

bool Policy::allows_capability(std::string_view name) const {
    const auto plain = plain_capability(name);
    const auto listed = [&](const auto& list) {
        return std::find(std::begin(list), std::end(list), plain) != std::end(list);
    };
    return allows(Permission::Capabilities) || listed(kHarmlessCapabilities) || listed(capabilities_);
}

bool Policy::allows_device(std::string_view path) const {
    return allows(Permission::Devices) || std::find(devices_.begin(), devices_.end(), path) != devices_.end();
}

bool Policy::allows_host_path(std::string_view path) const {
    if (allows(Permission::HostPaths)) return true;
    return std::any_of(host_paths_.begin(), host_paths_.end(), [&](std::string_view allowed) {
        return path.starts_with(allowed) && (path.size() == allowed.size() || path[allowed.size()] == '/');
    });
}

}  // namespace supervisor::broker
