// Tells of every process that the kernel kills for want of memory in one of our cgroups: its name, its
// cgroup, and whose limit was hit.
//
// Version 2 counts kills for whole trees and wakes us; the kernel log then names the victim. Version 1 counts
// in each group alone, and a container's group goes with its container: there the kernel log itself is what
// is watched. Where that cannot be read, the counts of version 1 are looked at every few seconds, and what
// dies together with its container is missed.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "host/cgroup.hpp"
#include "loop/event_loop.hpp"

namespace supervisor::engine {

// Our own cgroup as the kernel's log names it, "/docker/<id>"; "" where a cgroup namespace hides it. `facts`
// are from before anybody was moved.
std::string own_memory_cgroup(const host::CgroupFacts& facts);

class OomWatch {
  public:
    struct Setup {
        std::vector<std::string> groups;  // of the manager's layout
        std::string own_path;             // own_memory_cgroup()
        std::function<void(const std::string& line)> said;
    };

    // `cgroups` must outlive it.
    OomWatch(loop::EventLoop& loop, host::CgroupManager& cgroups, Setup setup);

  private:
    bool watch_counts();
    bool watch_log();
    void poll_counts();
    void pause_log();
    void look();
    void report(const std::string& group, std::uint64_t kills);
    void tell(const host::OomVictim& victim, const std::string& cgroup);

    loop::EventLoop& loop_;
    host::CgroupManager& cgroups_;
    Setup setup_;
    std::optional<host::KernelLog> log_;
    std::map<std::string, std::uint64_t> known_;  // kills by group
    std::vector<host::OomVictim> victims_;        // not yet told
    std::vector<UniqueFd> events_;
    std::vector<loop::Watch> watches_;
    loop::Timer timer_;
};

}  // namespace supervisor::engine
