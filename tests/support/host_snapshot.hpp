#pragma once
// What a container may leave behind on its host, as a picture taken before and compared after.

#include <set>
#include <string>
#include <vector>

namespace test_support {

struct HostSnapshot {
    std::set<std::string> processes;   // "pid name" of every process of this test's containers
    std::set<std::string> mounts;      // "mount-point (type)" of this mount namespace
    std::set<std::string> cgroups;     // directories of this test below /sys/fs/cgroup
    std::set<std::string> links;       // network interfaces of this network namespace
    std::set<std::string> containers;  // of the engine, stopped ones too
    std::set<std::string> volumes;
    std::set<std::string> networks;

    static HostSnapshot take();
};

// One line for each thing that `after` has and `before` has not; what other engines do beside us does not
// count.
std::vector<std::string> left_behind(const HostSnapshot& before, const HostSnapshot& after);

}  // namespace test_support
