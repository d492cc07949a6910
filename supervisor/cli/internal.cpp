#include "cli/internal.hpp"

#include <unistd.h>

#include "base/log.hpp"
#include "base/strings.hpp"
#include "broker/broker.hpp"
#include "cli/agent_watch.hpp"
#include "cli/docker_side.hpp"
#include "cli/engine_helpers.hpp"
#include "cli/metrics.hpp"
#include "proc/seccomp.hpp"
#include "sys/files.hpp"
#include "sys/resolve_path.hpp"

namespace supervisor::cli {
namespace {

void say(const std::string& line) {
    (void)sys::write_all(STDOUT_FILENO, line + "\n");
}

// The broker talks to sockets and reads no file after its start; what is left out here it cannot do even with
// a bug in it.
Result<> confine_broker() {
    proc::SeccompRules rules;
    rules.denied = {"execve",
                    "execveat",
                    "ptrace",
                    "process_vm_readv",
                    "process_vm_writev",
                    "mount",
                    "umount2",
                    "setns",
                    "unshare",
                    "bpf",
                    "perf_event_open",
                    "keyctl",
                    "add_key",
                    "chroot",
                    "request_key",
                    "pivot_root",
                    "open_by_handle_at",
                    "mknod",
                    "mknodat",
                    "fork",
                    "io_uring_setup",
                    "userfaultfd",
                    "finit_module",
                    "vfork",
                    "clone",
                    "clone3",
                    "init_module",
                    "kexec_load",
                    "kill",
                    "tkill"};
    SUPERVISOR_TRY_ASSIGN(program, proc::compile(rules));
    return proc::confine_self(program);
}

// internal-broker DESCRIPTOR: the configuration is there as JSON.
int run_broker(const std::vector<std::string>& words) {
    const auto text = sys::read_file("/proc/self/fd/" + words.at(1));
    auto config = text ? broker::config_from_json(*text) : Result<broker::Config>(fail(text.error()));
    if (!config) {
        log::error("broker", config.error().message());
        return kExitInternal;
    }
    if (auto confined = confine_broker(); !confined) {
        log::error("broker", confined.error().message());
        return kExitInternal;
    }
    return broker::run(std::move(*config));
}

// internal-resolve-path PATH: "1 " and where it leads, "0 " if nothing is there yet.
int resolve_path(const std::vector<std::string>& words) {
    constexpr unsigned kPatience = 5;  // seconds; SIGALRM ends it
    ::alarm(kPatience);
    const auto resolved = sys::resolve_path(words.at(1));
    // The answer is a line: a name with a line break in it cannot be told.
    if (!resolved || resolved->path.find('\n') != std::string::npos) return 1;
    say((resolved->exists ? "1 " : "0 ") + resolved->path);
    return 0;
}

struct Entry {
    std::string_view name;
    std::size_t least_words;
    int (*run)(const std::vector<std::string>& words);
};

constexpr Entry kEntries[] = {
    {"internal-engine-check", 2, engine_check}, {"internal-engine-kill", 3, engine_kill},
    {"internal-engine-prune", 4, engine_prune}, {"internal-job-baseline", 2, job_baseline},
    {"internal-job-cleanup", 3, job_cleanup},   {"internal-broker", 2, run_broker},
    {"internal-metrics", 3, serve_metrics},     {"internal-remove-data", 2, remove_data},
    {"internal-agent-check", 3, agent_check},   {"internal-resolve-path", 2, resolve_path},
};

}  // namespace

int run_internal(const std::vector<std::string>& words) {
    for (const auto& entry : kEntries) {
        if (entry.name == words.at(0) && words.size() >= entry.least_words) return entry.run(words);
    }
    say("no such internal command: " + printable(words.at(0)));
    return kExitUsage;
}

}  // namespace supervisor::cli
