// Which GoCD job a process belongs to: from the GO_* variables in its environment, or in that of its nearest
// ancestor.
#pragma once

#include <sys/types.h>

#include <string_view>

#include "broker/peer.hpp"

namespace supervisor::cli {

// `environment`: the bytes of /proc/<pid>/environ. Empty when there is no GO_PIPELINE_NAME or GO_JOB_NAME in
// it.
broker::JobIdentity parse_job_identity(std::string_view environment);

// Looks at `pid` and its ancestors, a bounded number of them, with the agent account's eyes (PID 1 may lack
// CAP_SYS_PTRACE, and needs none to read what belongs to the very user that it looks as). Empty when nobody
// can tell.
broker::JobIdentity find_job_identity(pid_t pid, uid_t user, gid_t group);

}  // namespace supervisor::cli
