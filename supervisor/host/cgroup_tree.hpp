// Operations on one cgroup directory that are the same in both versions.
#pragma once

#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace supervisor::host {

// Pids in the group's own cgroup.procs. Processes of other pid namespaces read as 0 and are left out.
std::vector<int> processes_in(const std::string& group);
// `group` and all groups below it, children before parents.
std::vector<std::string> groups_below(const std::string& group);
// True if no group of the tree has a process, of whatever namespace.
bool tree_is_empty(const std::string& group);
// rmdir from the leaves up, retried while it says EBUSY, until `deadline`. A missing group is fine.
Result<> remove_groups(const std::string& group, const Clock& clock, const Deadline& deadline);
// SIGKILL to what is in the tree, over and over until a pass finds nobody: processes may fork meanwhile.
// Bounded; what survives it (uninterruptible sleep) is left.
Result<> kill_by_signals(const std::string& group);

// Sleeps: for the bounded waits above, before the event loop runs and after it ended.
void pause_for(Milliseconds time);

Result<> make_group(const std::string& path);
// Why it could not be made.
Error group_error(int error, const std::string& path);

}  // namespace supervisor::host
