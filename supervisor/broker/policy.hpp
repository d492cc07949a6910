// What jobs may ask of the engine. Everything that could reach beyond the job's own containers is a named
// permission; "isolated" grants none of them, "trusted" all, and a policy file lies between.
#pragma once

#include <bitset>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "broker/config.hpp"

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
    //  "host_paths":["/srv/cache"]}
    static Result<Policy> parse(std::string_view text);

    bool allows(Permission permission) const { return allowed_[static_cast<std::size_t>(permission)]; }
    // Any case, with or without CAP_.
    bool allows_capability(std::string_view name) const;
    bool allows_device(std::string_view path) const;
    // The path or a parent of it is listed.
    bool allows_host_path(std::string_view path) const;
    const std::string& name() const { return name_; }

  private:
    std::string name_ = "isolated";
    std::bitset<static_cast<std::size_t>(Permission::Count_)> allowed_;
    std::vector<std::string> capabilities_;
    std::vector<std::string> devices_;
    std::vector<std::string> host_paths_;
};

}  // namespace supervisor::broker
