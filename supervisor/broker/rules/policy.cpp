#include "broker/rules/policy.hpp"

#include <algorithm>
#include <array>

#include "base/strings.hpp"
#include "broker/http/json_guard.hpp"

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
    {Permission::Ulimits, "ulimits", "ulimits above the agent's own"},
    {Permission::HostPorts, "host-ports",
     "any fixed port of the host; \"host_ports\" lists what is accepted"},
    {Permission::HostAddresses, "host-addresses",
     "ports on any address of the host; \"host_addresses\" lists what is accepted"},
    {Permission::Subnets, "subnets", "networks with any subnet; \"subnets\" lists what is accepted"},
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

// Below 1024 are the host's own services.
constexpr const char* kHostPorts = "1024-65535";
constexpr const char* kHostAddresses[] = {"0.0.0.0", "::", "127.0.0.0/8", "::1"};
// From where an engine itself takes subnets, less those of its own bridge and of a cloud's usual network: the
// host has a route to every subnet of its networks, so that one that is in use elsewhere would be hijacked.
constexpr const char* kSubnets[] = {"172.18.0.0/15", "172.20.0.0/14", "172.24.0.0/14",
                                    "172.28.0.0/15", "172.30.0.0/16", "fd00::/8"};

constexpr std::string_view kKeys[] = {"base",       "allow",      "capabilities",   "devices",
                                      "host_paths", "host_ports", "host_addresses", "subnets"};

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

// A list that says what is accepted, instead of the built-in one. The permission that accepts everything
// would make it void.
template <class Set>
Result<> read_set(const json::object& file, std::string_view key, bool everything_allowed, Set& out) {
    if (!file.contains(key)) return {};
    if (everything_allowed)
        return fail("policy file: " + std::string(key) +
                    " lists what is accepted, and \"allow\" accepts everything: one of the two is too much");
    SUPERVISOR_TRY_ASSIGN(texts, string_list(file, key));
    auto parsed = Set::parse(texts);
    if (!parsed) return fail(parsed.error(), "policy file: " + std::string(key));
    out = std::move(*parsed);
    return {};
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
        if (std::find(std::begin(kKeys), std::end(kKeys), name) != std::end(kKeys)) continue;
        return fail("unknown key \"" + printable(name, 60) + "\"; known are " +
                    join({std::begin(kKeys), std::end(kKeys)}, ", "));
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

Policy::Policy()
    : host_ports_(*PortSet::parse({kHostPorts})),
      host_addresses_(*AddressSet::parse({std::begin(kHostAddresses), std::end(kHostAddresses)})),
      subnets_(*AddressSet::parse({std::begin(kSubnets), std::end(kSubnets)})) {}

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
        // A list narrows what "trusted" allows.
        const std::pair<const char*, Permission> lists[] = {{"host_ports", Permission::HostPorts},
                                                            {"host_addresses", Permission::HostAddresses},
                                                            {"subnets", Permission::Subnets}};
        for (const auto& [key, permission] : lists) {
            if (object.contains(key)) policy.allowed_.reset(static_cast<std::size_t>(permission));
        }
    }
    SUPERVISOR_TRY_ASSIGN(allowed, string_list(object, "allow"));
    for (const auto& name : allowed) {
        SUPERVISOR_TRY_ASSIGN(permission, permission_named(name));
        policy.allowed_.set(static_cast<std::size_t>(permission));
    }
    SUPERVISOR_TRY(policy.read_lists(object));
    policy.name_ = "file";
    return policy;
}

Result<> Policy::read_lists(const json::object& file) {
    SUPERVISOR_TRY_ASSIGN(capabilities, string_list(file, "capabilities"));
    for (const auto& name : capabilities) capabilities_.push_back(plain_capability(name));
    SUPERVISOR_TRY_ASSIGN(devices, string_list(file, "devices"));
    SUPERVISOR_TRY_ASSIGN(paths, string_list(file, "host_paths"));
    devices_ = devices;
    host_paths_ = paths;
    SUPERVISOR_TRY(read_set(file, "host_ports", allows(Permission::HostPorts), host_ports_));
    SUPERVISOR_TRY(read_set(file, "host_addresses", allows(Permission::HostAddresses), host_addresses_));
    return read_set(file, "subnets", allows(Permission::Subnets), subnets_);
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

bool Policy::allows_host_port(const PortRange& range) const {
    return allows(Permission::HostPorts) || host_ports_.contains(range);
}

bool Policy::allows_host_address(const Subnet& address) const {
    return allows(Permission::HostAddresses) || host_addresses_.contains(address);
}

bool Policy::allows_subnet(const Subnet& subnet) const {
    return allows(Permission::Subnets) || subnets_.contains(subnet);
}

bool Policy::allows_host_path(std::string_view path) const {
    if (allows(Permission::HostPaths)) return true;
    return std::find(host_paths_.begin(), host_paths_.end(), path) != host_paths_.end();
}

}  // namespace supervisor::broker
