// What this kernel and container allow of user namespaces. Everything is found out by trying, in namespaces
// that are gone afterwards: version numbers say little about kernels that distributions patch.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"

namespace supervisor::host {

// The parts of a contained engine's home, in the order in which they are tried. The first that fails ends
// the attempt: the others need it.
enum class ContainmentNeed { Namespaces, IdMappedData, Devices, Proc, Sysfs, Cgroups, Overlay, Nothing };

// One line of /proc/<pid>/uid_map.
struct IdMapEntry {
    std::uint32_t inside = 0;
    std::uint32_t outside = 0;
    std::uint32_t count = 0;
};

struct ContainmentFacts {
    bool tried = false;
    // What failed, and its errno. Nothing: a contained engine can live here.
    ContainmentNeed missing = ContainmentNeed::Nothing;
    int error = 0;

    // The ids that this process can hand on.
    std::vector<IdMapEntry> users;
    std::vector<IdMapEntry> groups;
    std::uint64_t max_user_namespaces = 0;  // of /proc/sys/user
    bool can_cut_capabilities = false;      // CAP_SETPCAP: needed for the weaker mode
    std::string data_file_system;           // of the data directory, for messages

    struct Directory {
        std::string path;
        int error = 0;  // of an id-mapped mount
    };
    std::vector<Directory> directories;  // the agent's
};

struct ContainmentProbe {
    std::string data_directory;
    std::vector<std::string> directories;
    bool cgroup_v2 = false;
};

// Some milliseconds. Leaves nothing behind.
ContainmentFacts probe_containment(const ContainmentProbe& request,
                                   Milliseconds patience = Milliseconds(3000));

std::vector<IdMapEntry> parse_id_map(std::string_view text);

}  // namespace supervisor::host
