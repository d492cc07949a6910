// A set of namespaces kept alive by one small process, the holder: pid 1 of the new pid namespace, root of
// the new user namespace. It is a fork of the caller that never executes anything: it carries out a prepared
// list of steps (mounts, mostly) inside the namespaces, answers how that went, and from then on only exists.
// Whoever is orphaned inside is reaped by the kernel on its behalf. It dies with its parent, and everything
// inside dies with it.
//
// Order: start() · open what needs the user namespace's descriptor · proceed() · whatever else, meanwhile ·
// finish(). Needs CAP_SYS_ADMIN, CAP_SETUID and CAP_SETGID.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace supervisor::host {

// Ids 0 … count-1 of the new user namespace are first … of the caller's.
struct IdRange {
    std::uint32_t first = 100000;
    std::uint32_t count = 65536;
};

struct SetupStep {
    enum class Kind {
        MakeDirectory,  // target, with parents; flags: mode
        MakeFile,       // target with the text `data`; an existing file is overwritten
        MakeLink,       // target, a symbolic link to source
        Mount,          // mount(source, target, type, flags, data)
        Attach,         // mounts[index] of proceed(), at target
        Write,          // one write of `data` to the existing file target
        Remove,         // unlink target
    };
    Kind kind = Kind::Mount;
    std::string target{};
    std::string source{};
    std::string type{};
    std::string data{};
    unsigned long flags = 0;
    std::size_t index = 0;
    bool optional = false;  // failure is not the end
};

// The cgroups that become the roots of the new cgroup namespace.
struct BirthPlace {
    int cgroup_directory = -1;        // v2: a directory to be born in (CLONE_INTO_CGROUP)
    std::vector<int> cgroup_procs{};  // v1: open cgroup.procs files, which the holder writes itself: moving
                                      // costs milliseconds in the kernel that the caller need not wait for
};

// "mount proc at /proc": for messages.
std::string describe(const SetupStep& step);

class NamespaceHolder {
  public:
    //     // The holder waits for proceed(). Its ids are mapped when this returns; it may still be on its way
    //     into its
    // cgroups.
    static Result<NamespaceHolder> start(const IdRange& ids, const BirthPlace& place,
                                         std::vector<SetupStep> steps);
    // A mount namespace alone, with the caller's ids and rights. It needs no holder once finish() is through:
    // the descriptor keeps it.
    static Result<NamespaceHolder> start_mounts_only(std::vector<SetupStep> steps);

    // Lets it enter a cgroup namespace (rooted in the cgroup that it is in by now) and do its steps.
    Result<> proceed(const std::vector<int>& mounts);
    // Waits for the steps' end. An error names the step.
    Result<> finish(Milliseconds patience);
    // After a finish() that failed: the number of the step that did, -1 if it was none of them.
    int failed_step() const noexcept { return failed_step_; }

    NamespaceHolder() = default;
    NamespaceHolder(NamespaceHolder&&) noexcept;
    NamespaceHolder& operator=(NamespaceHolder&&) noexcept;
    // Kills and reaps it unless release() was called.
    ~NamespaceHolder();

    pid_t pid() const noexcept { return pid_; }
    int pidfd() const noexcept { return pidfd_.get(); }
    // SIGKILL: the kernel kills everything in the pid namespace before the holder counts as ended.
    void kill() const noexcept;
    // Kills and reaps it; the descriptors stay valid.
    void stop() noexcept { end(); }
    // From now on somebody else waits for this child. The descriptors stay valid.
    void release() noexcept { owned_ = false; }

    // Namespace descriptors by CLONE_NEW* flag; -1 for one that is not open (CLONE_NEWCGROUP before
    // finish()).
    int descriptor(int type) const noexcept;

  private:
    Result<> fork(std::uint64_t namespaces, const BirthPlace& place, std::vector<SetupStep> steps);
    Result<> write_maps(const IdRange& ids) const;
    Result<> open_namespace(int type, const char* name);
    void end() noexcept;

    struct Namespace {
        int type;
        UniqueFd fd;
    };
    pid_t pid_ = -1;
    bool owned_ = false;
    UniqueFd pidfd_;
    UniqueFd control_;
    std::vector<Namespace> namespaces_;
    std::vector<SetupStep> steps_;
    int failed_step_ = -1;
};

// The network namespace that the caller is in, and how to go to another.
Result<UniqueFd> current_network_namespace();
Result<> enter_network_namespace(int network_namespace);

// Writes to a file of /proc/sys/net as it is in that network namespace. For single-threaded callers: it moves
// the caller there and back.
Result<> write_in_network_namespace(int network_namespace, const std::string& path, std::string_view text);

}  // namespace supervisor::host
