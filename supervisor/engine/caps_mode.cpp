#include "engine/caps_mode.hpp"

#include <linux/capability.h>

namespace supervisor::engine {
namespace {

// The engine's own needs, and what `docker run` gives to an ordinary container.
constexpr unsigned kKept[] = {
    CAP_CHOWN,      CAP_DAC_OVERRIDE, CAP_FOWNER,           CAP_FSETID,    CAP_KILL,         CAP_SETGID,
    CAP_SETUID,     CAP_SETPCAP,      CAP_NET_BIND_SERVICE, CAP_NET_ADMIN, CAP_NET_RAW,      CAP_IPC_LOCK,
    CAP_SYS_CHROOT, CAP_SYS_PTRACE,   CAP_SYS_ADMIN,        CAP_SYS_NICE,  CAP_SYS_RESOURCE, CAP_MKNOD,
    CAP_LEASE,      CAP_AUDIT_WRITE,  CAP_SETFCAP};

}  // namespace

std::uint64_t caps_bounding_set() {
    std::uint64_t set = 0;
    for (const unsigned capability : kKept) set |= std::uint64_t{1} << capability;
    return set;
}

proc::SeccompRules caps_seccomp_rules() {
    proc::SeccompRules rules;
    rules.denied = {"init_module", "finit_module",  "delete_module",     "kexec_load",     "kexec_file_load",
                    "reboot",      "settimeofday",  "clock_settime",     "stime",          "clock_settime64",
                    "iopl",        "ioperm",        "open_by_handle_at", "swapon",         "swapoff",
                    "acct",        "fanotify_init", "perf_event_open",   "lookup_dcookie", "nfsservctl",
                    "syslog"};
    rules.cover_foreign_abi = true;
    return rules;
}

}  // namespace supervisor::engine
