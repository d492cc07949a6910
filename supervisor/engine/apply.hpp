// Carries a plan out, in an order in which every step only needs the ones before it, and remembers how to
// undo it. An error undoes what was done. Nothing may have been spawned yet: the first step is the cgroups.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "engine/daemon_config.hpp"
#include "engine/plan.hpp"
#include "host/cgroup.hpp"
#include "host/mounts.hpp"

namespace supervisor::engine {

class PreparedHost {
  public:
    static Result<PreparedHost> prepare(const EnginePlan& plan, const EngineSettings& settings,
                                        const DaemonConfig& config, const host::HostFacts& facts);

    host::CgroupManager& cgroups() const { return *cgroups_; }
    // What could not be had and is not essential; one line each, for the log.
    const std::vector<std::string>& warnings() const { return warnings_; }

    // After everything has ended: rules, mounts, devices and cgroups go. Returns what stayed and why.
    std::vector<std::string> undo(Milliseconds patience);

  private:
    PreparedHost() = default;
    Result<> apply(const EnginePlan& plan, const EngineSettings& settings, const DaemonConfig& config,
                   const host::HostFacts& facts);
    Result<> mount_what_is_planned(const EnginePlan& plan, const EngineSettings& settings);
    Result<> make_devices(const EnginePlan& plan);
    Result<> relay_resolver(const EnginePlan& plan, const EnginePaths& paths);
    void hope(const Result<>& result);

    std::unique_ptr<host::CgroupManager> cgroups_;
    host::UndoLog undo_;
    std::vector<std::string> warnings_;
};

// The generated files alone: daemon.json and containerd.toml. Also before a reload of dockerd.
Result<> write_configuration(const EnginePaths& paths, const DaemonConfig& config);

// Names that the engine calls → the program of the chosen backend, for a directory that comes first in its
// PATH. Empty where there is nothing to choose.
std::vector<std::pair<std::string, std::string>> firewall_links(IptablesBackend backend,
                                                                const host::HostFacts& facts);

}  // namespace supervisor::engine
