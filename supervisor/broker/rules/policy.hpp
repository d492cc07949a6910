// What jobs may ask of the engine. Everything that could reach beyond the job's own containers is a named
// permission; "isolated" grants none of them, "trusted" all, and a policy file lies between.
#pragma once

#include <bitset>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"
#include "broker/config.hpp"
#include "broker/rules/address_set.hpp"

namespace supervisor::broker {

enum class Permission {
    Privileged,
    HostNetwork,
    HostPid,
    HostIpc,
    HostUts,
    HostUserns,
    HostCgroupns,
    AgentNetwork,
    Capabilities,
    Devices,
    SecurityOptions,
    Sysctls,
    Runtimes,
    Annotations,
    HostPaths,
    VolumeDrivers,
    NetworkDrivers,
    LogDrivers,
    RestartPolicies,
    OomControl,
    Ulimits,
    HostPorts,
    HostAddresses,
    Subnets,
    RemoteSources,
    SharedTags,
    BuildKit,
    UnknownFields,
    Count_,
};

struct PermissionInfo {
    Permission permission;
    std::string_view name;     // in a policy file's "allow"
    std::string_view meaning;  // what it opens
};
std::span<const PermissionInfo> permissions();
std::string_view name_of(Permission permission);

class Policy {
  public:
    static Policy isolated();
    static Policy trusted();
    // "isolated", "trusted" or the text of a policy file:
    // {"base":"isolated", "allow":["devices"], "capabilities":["NET_ADMIN"], "devices":["/dev/kvm"],
    //  "host_paths":["/srv/cache"], "host_ports":["20000-29999"], "host_addresses":["127.0.0.1"],
    //  "subnets":["172.20.0.0/16"]}
    static Result<Policy> parse(std::string_view text);

    bool allows(Permission permission) const { return allowed_[static_cast<std::size_t>(permission)]; }
    // Any case, with or without CAP_.
    bool allows_capability(std::string_view name) const;
    bool allows_device(std::string_view path) const;
    // The path itself is listed. What lies below may be a link that a job has put there, which only the
    // engine could follow.
    bool allows_host_path(std::string_view path) const;
    // All of the range.
    bool allows_host_port(const PortRange& range) const;
    bool allows_host_address(const Subnet& address) const;
    bool allows_subnet(const Subnet& subnet) const;
    // What they accept, for messages.
    const std::string& host_ports() const { return host_ports_.text(); }
    const std::string& host_addresses() const { return host_addresses_.text(); }
    const std::string& subnets() const { return subnets_.text(); }
    const std::string& name() const { return name_; }

  private:
    Policy();
    Result<> read_lists(const json::object& file);

    std::string name_ = "isolated";
    std::bitset<static_cast<std::size_t>(Permission::Count_)> allowed_;
    std::vector<std::string> capabilities_;
    std::vector<std::string> devices_;
    std::vector<std::string> host_paths_;
    PortSet host_ports_;
    AddressSet host_addresses_;
    AddressSet subnets_;
};

}  // namespace supervisor::broker
