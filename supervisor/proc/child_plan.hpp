// Everything that is to be true of a child when its program starts: plain data, put together in the parent,
// so that the few lines that run between fork and exec have nothing left to decide or to allocate.
#pragma once

#include <linux/filter.h>
#include <sys/resource.h>
#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace supervisor::proc {

struct FdMapping {
    int from;  // descriptor in the parent; stays the parent's
    int to;    // number in the child
};

struct ResourceLimit {
    int resource;  // RLIMIT_NOFILE, …
    rlim_t soft;
    rlim_t hard;
};

struct Identity {
    uid_t user = 0;
    gid_t group = 0;
    std::vector<gid_t> supplementary_groups;
};

// A namespace to join with setns(2); type is its CLONE_NEW* flag.
struct NamespaceEntry {
    int fd;
    int type;
};

using SeccompProgram = std::vector<sock_filter>;

enum class Capabilities {
    Keep,           // as the parent has them
    None,           // all five sets empty: nothing can be regained, not even through a setuid program
    NoneButSetuid,  // effective, permitted, inheritable and ambient empty; the bounding set stays, for sudo
                    // and the like
};

struct ChildPlan {
    std::string name;                      // what logs call it
    std::string executable;                // absolute path; see find_executable()
    std::vector<std::string> arguments;    // argv, with argv[0]
    std::vector<std::string> environment;  // "NAME=value"
    std::string working_directory = "/";

    // 0, 1 and 2 that are not mapped become /dev/null. Nothing else is inherited.
    std::vector<FdMapping> descriptors;
    // Adds LISTEN_FDS and the child's own LISTEN_PID (sd_listen_fds(3)); descriptors 3… must be mapped.
    int listen_descriptors = 0;

    std::optional<Identity> identity;
    Capabilities capabilities = Capabilities::Keep;
    // Bounding set to keep where capabilities is Keep; bit N is capability N. Unset keeps all.
    std::optional<std::uint64_t> bounding_set;
    bool no_new_privileges = false;
    std::shared_ptr<const SeccompProgram> seccomp;

    std::vector<ResourceLimit> limits;
    std::optional<int> oom_score_adjust;
    std::optional<mode_t> file_mode_mask;

    // Born in this cgroup: a cgroup v2 directory for CLONE_INTO_CGROUP, -1 for none.
    int cgroup_directory = -1;
    // cgroup.procs files (v1, or v2 where the kernel lacks CLONE_INTO_CGROUP) that the child joins before
    // exec.
    std::vector<int> cgroup_procs;

    // Joined in this order. A pid namespace is not among them: it can only be given at birth.
    std::vector<NamespaceEntry> namespaces;
    int pid_namespace = -1;

    bool new_session = true;
    // The child's process group becomes the foreground group of the terminal on descriptor 0 (implies no new
    // session).
    bool foreground_on_terminal = false;
    int parent_death_signal = 0;
};

}  // namespace supervisor::proc
