// A cgroup whose processes may open only chosen devices, on hosts where cgroup version 1 limits everything
// else.
//
// The version 1 devices controller cannot do it: runc writes "a" to devices.allow of each privileged
// container, which the kernel refuses below a restricted parent. But every Linux that has version 1 has the
// version 2 tree beside it, mounted or not, each process is in one group of that, and a device filter there
// counts in addition. Version 1 runtimes leave the membership alone, so containers stay where their engine
// was born.
#pragma once

#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "host/device_directory.hpp"

namespace supervisor::host {

class DeviceGroup {
  public:
    // Makes the groups `names` below the caller's own version 2 group, or below `parent` (a path of the tree)
    // where that is given, and filters each. An error where the caller's own group is the machine's root:
    // that is nobody's to change. The tree is reached through a mount that nobody else sees.
    static Result<DeviceGroup> create(const std::vector<std::string>& names,
                                      const std::vector<DeviceNode>& devices, const std::string& parent = {});

    // cgroup.procs of the first of them: for ChildPlan::cgroup_procs.
    int procs() const noexcept { return procs_.get(); }

    // Their processes have been killed: removes the groups as soon as those are gone, after at most
    // `patience`.
    Result<> remove(Milliseconds patience);

  private:
    UniqueFd tree_;
    std::vector<std::string> directories_;
    UniqueFd procs_;
};

}  // namespace supervisor::host
