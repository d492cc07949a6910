// Makes and uses the cgroups of a CgroupLayout. One interface for both versions; which one is behind it is
// chosen once, from the layout.
//
// Version 2 nests this process first, in one bounded loop: everybody in the base moves to the leaf
// `layout.nest`, then controllers are enabled. Somebody's `docker exec` may join the base between the two
// steps; the loop moves it as well and tries again. It has to be called before anything else is spawned.
// Version 1 has no such rule, so this process stays where it is.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "host/cgroup_layout.hpp"

namespace supervisor::host {

// How a child is born in a group. The descriptors belong to the manager and live as long as it does.
struct CgroupPlacement {
    int directory = -1;      // version 2: for CLONE_INTO_CGROUP
    std::vector<int> procs;  // cgroup.procs files to write "0" to, for version 1 or where clone cannot
};

class CgroupManager {
  public:
    // Applies the layout. Limits and controllers that could not be set are `warnings()`, not errors: a host
    // that does not delegate the memory controller can still run jobs.
    static Result<std::unique_ptr<CgroupManager>> create(const CgroupLayout& layout);
    virtual ~CgroupManager() = default;
    CgroupManager(const CgroupManager&) = delete;
    CgroupManager& operator=(const CgroupManager&) = delete;

    // Catches up on what had to wait for the birthplace groups to be left. Adds to warnings().
    virtual void settle() {}

    virtual Result<CgroupPlacement> placement(const std::string& group) = 0;
    virtual Result<> set_limits(const std::string& group, const CgroupLimits& limits) = 0;
    // SIGKILL for every process of the group and of all groups below it. It returns when the kernel has been
    // told; the processes still have to be reaped.
    virtual Result<> kill(const std::string& group) = 0;
    // No process is left in the group or below it.
    virtual bool empty(const std::string& group) = 0;
    // Processes that the OOM killer took in the group or below it, since it exists.
    virtual std::uint64_t oom_kills(const std::string& group) = 0;
    // A descriptor that becomes ready with EPOLLPRI when oom_kills() may have changed. Version 1 has none.
    virtual Result<UniqueFd> oom_events(const std::string& group) = 0;
    // After such an event, so that the descriptor tells of the next one.
    static void rearm_oom_events(const UniqueFd& events);

    // Removes all groups, with what others made inside them, retrying while killed processes vanish, for at
    // most `patience`. This process goes back to where it was.
    virtual Result<> remove(Milliseconds patience) = 0;

    // The directories of a group: one on version 2, one a hierarchy on version 1.
    virtual std::vector<std::string> directories(const std::string& group) const = 0;
    const std::vector<std::string>& warnings() const { return warnings_; }

  protected:
    CgroupManager() = default;
    // All groups of the layout but `nest`, the last made first; goes on after a failure and returns the last
    // one.
    Result<> remove_groups_of(const CgroupLayout& layout, const Clock& clock, const Deadline& deadline) const;
    std::vector<std::string> warnings_;
};

// "oom-kill:constraint=…,oom_memcg=/a,task_memcg=/a/b,task=name,pid=7,uid=0": the kernel's line about one OOM
// kill, which it writes before it counts the kill.
struct OomVictim {
    std::string cgroup;
    std::string task;
    std::string pid;       // in the machine's own pid namespace
    std::string limit_of;  // the cgroup whose limit was hit; "" when the machine itself had no memory left
};
// In the order of the log.
std::vector<OomVictim> oom_victims(std::string_view kernel_log);
// The path of `victim` from the component `group` on, "" if it has none.
std::string path_from(const std::string& cgroup, std::string_view group);

// What the kernel says from now on.
class KernelLog {
  public:
    // Needs CAP_SYSLOG where the host keeps the log to itself, and the device.
    static Result<KernelLog> open();
    // For EPOLLIN.
    int descriptor() const { return file_.get(); }
    // All that came since the last call, without waiting.
    std::string read_new();

  private:
    explicit KernelLog(UniqueFd file) : file_(std::move(file)) {}
    UniqueFd file_;
};

}  // namespace supervisor::host
