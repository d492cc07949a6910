// Which devices the processes of a cgroup may open: a BPF program on a cgroup v2 directory
// (BPF_PROG_TYPE_CGROUP_DEVICE). It counts for all groups below, whatever programs those add, since every
// program on the way must agree. It stays until the cgroup is removed.
//
// For hosts with version 1 see device_group.hpp.
#pragma once

#include <linux/bpf.h>

#include <string>
#include <vector>

#include "base/result.hpp"
#include "host/device_directory.hpp"

namespace supervisor::host {

// Making nodes is always allowed (image layers contain some, and overlay's whiteouts are nodes); opening only
// those of `devices`, terminals, and nothing else.
std::vector<bpf_insn> device_program(const std::vector<DeviceNode>& devices);

Result<> attach_device_filter(const std::string& cgroup_directory, const std::vector<DeviceNode>& devices);

}  // namespace supervisor::host
