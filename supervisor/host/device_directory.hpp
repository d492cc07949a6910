// A small /dev: a tmpfs with the harmless devices that every program expects, and those that were asked for
// by name. Nothing of the real /dev shows through.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace supervisor::host {

struct DeviceNode {
    std::string path;  // below /dev: "null", "net/tun"
    bool block = false;
    unsigned major = 0;
    unsigned minor = 0;
    mode_t mode = 0666;
};

// null, zero, full, random, urandom, tty.
const std::vector<DeviceNode>& standard_devices();

// "fuse", "tun", "kvm", "loop" (loop-control and the first eight loop devices), or the path of a node below
// /dev ("dri/renderD128"), which is looked up. The error names what can be asked for.
Result<std::vector<DeviceNode>> find_devices(const std::string& name);

// Unattached (see id_mapped_mount.hpp), everything in it owned by `owner`. Also holds the directories pts,
// shm and mqueue to mount on, and the usual links. A node that cannot be made (EPERM: the outer container may
// not) is an error.
Result<UniqueFd> make_device_directory(const std::vector<DeviceNode>& devices, uid_t owner);

}  // namespace supervisor::host
