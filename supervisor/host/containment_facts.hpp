// What this kernel and container allow of user namespaces. Everything is found out by trying, in a forked
// child: versions say little about kernels that distributions patch.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.hpp"

namespace supervisor::host {

// One thing that was tried: error is its errno, 0 when it worked, kNotTried when an earlier one failed.
struct Trial {
    static constexpr int kNotTried = -1;
    int error = kNotTried;
    bool works() const { return error == 0; }
};

struct IdMapEntry {
    std::uint32_t inside = 0;
    std::uint32_t outside = 0;
    std::uint32_t count = 0;
};

struct ContainmentFacts {
    // Of this process, from /proc/self/uid_map and gid_map: what can be handed on.
    std::vector<IdMapEntry> users;
    std::vector<IdMapEntry> groups;
    std::uint64_t bounding_set = 0;

    Trial namespaces;      // user namespace with pid, net, mount, uts and ipc namespaces
    Trial id_map;          // mapping ids into it
    Trial id_mapped_data;  // id-mapped mount of the data directory
    Trial overlay;         // overlay mount in the user namespace, on the id-mapped data directory
    Trial proc;            // proc and sysfs in the new namespaces: refused where the outer ones are masked
    Trial sysfs;
    Trial cgroup;   // the cgroup file systems
    Trial devices;  // a tmpfs with device nodes, made outside

    struct Directory {
        std::string path;
        Trial id_mapped;
    };
    std::vector<Directory> directories;  // the agent's
};

struct ContainmentProbe {
    std::string data_directory;
    std::vector<std::string> directories;
    bool cgroup_v2 = false;
};

// Some 10 ms. Leaves nothing behind but, possibly, the (empty) data directory.
ContainmentFacts probe_containment(const ContainmentProbe& request,
                                   Milliseconds patience = Milliseconds(3000));

// Lines of /proc/<pid>/uid_map.
std::vector<IdMapEntry> parse_id_map(std::string_view text);

}  // namespace supervisor::host
