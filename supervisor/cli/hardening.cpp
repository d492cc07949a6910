#include "cli/hardening.hpp"

#include <algorithm>

#include "proc/seccomp.hpp"
#include "sys/procfs.hpp"

namespace supervisor::cli {
namespace {

// What no build needs: the machine itself (modules, kexec, clock, swap, ports), other processes' secrets
// (ptrace stays, it is what debuggers use and cannot cross users), file handles that walk past mounts, kernel
// interfaces with a history of escapes.
const std::vector<std::string> kDenied = {
    "init_module", "finit_module", "delete_module", "create_module",   "kexec_load",        "kexec_file_load",
    "reboot",      "swapon",       "swapoff",       "settimeofday",    "clock_settime",     "clock_adjtime",
    "adjtimex",    "stime",        "iopl",          "ioperm",          "open_by_handle_at", "acct",
    "quotactl",    "quotactl_fd",  "bpf",           "perf_event_open", "userfaultfd",       "lookup_dcookie",
    "nfsservctl",  "vhangup",      "syslog",        "add_key",         "request_key",       "keyctl",
    "pivot_root",  "sethostname",  "setdomainname", "setns",           "_sysctl",           "uselib",
    "ustat",       "sysfs",        "vm86",          "vm86old"};
// Programs ask for these and have another way.
const std::vector<std::string> kHidden = {"io_uring_setup", "io_uring_enter", "io_uring_register"};
// Only of use in a user namespace of one's own.
const std::vector<std::string> kMounting = {"mount",  "umount",   "umount2", "move_mount", "open_tree",
                                            "fsopen", "fsconfig", "fsmount", "fspick",     "mount_setattr"};

}  // namespace

Result<AgentAccount> find_agent_account(const std::string& passwd_text, const std::string& group_text) {
    const auto user = sys::find_user(passwd_text, "go");
    if (!user) {
        return fail(Error("there is no user 'go' in /etc/passwd")
                        .advice("the image must have one, with uid 1000 and gid 0"));
    }
    return AgentAccount{user->id, user->group, sys::supplementary_groups(group_text, user->name), user->name,
                        user->home};
}

bool Hardening::allows(std::string_view name) const {
    return std::find(allow_.begin(), allow_.end(), name) != allow_.end();
}

Result<Hardening> Hardening::create(const std::vector<std::string>& allow) {
    Hardening hardening;
    hardening.allow_ = allow;
    if (hardening.allows("seccomp")) return hardening;
    proc::SeccompRules rules{kDenied, kHidden, !hardening.allows("userns"), true};
    if (!hardening.allows("userns"))
        rules.denied.insert(rules.denied.end(), kMounting.begin(), kMounting.end());
    auto program = proc::compile(rules);
    if (!program) return fail(program.error(), "prepare the agent's seccomp filter");
    hardening.filter_ = std::make_shared<const proc::SeccompProgram>(std::move(*program));
    return hardening;
}

void Hardening::apply(proc::ChildPlan& plan, const AgentAccount& account) const {
    plan.identity = proc::Identity{account.user, account.group, account.supplementary_groups};
    plan.capabilities = allows("setuid") ? proc::Capabilities::NoneButSetuid : proc::Capabilities::None;
    plan.no_new_privileges = !allows("setuid");
    plan.seccomp = filter_;
}

}  // namespace supervisor::cli
