// What dockerd is started with: a generated daemon.json that holds the user's settings and ours, and the
// command line. An explicit choice of the user's always wins over ours; what cannot work together is an error
// that names both.
#pragma once

#include <string>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"
#include "engine/plan.hpp"

namespace supervisor::engine {

// Where the engine's files are, derived from the settings alone.
struct EnginePaths {
    std::string daemon_json;      // generated
    std::string containerd_toml;  // generated
    std::string containerd_socket;
    std::string containerd_state;
    std::string containerd_root;
    std::string dockerd_pid;
    std::string programs;      // directory of links that choose the iptables backend
    std::string certificates;  // directory that SSL_CERT_DIR names
};
EnginePaths engine_paths(const EngineSettings& settings);

// Takes over what the user decided elsewhere and what must be known before the host is probed: data-root and
// exec-root. Fails on settings that the supervisor has to own (--containerd, --validate …).
Result<> adopt_choices(const UserChoices& choices, EngineSettings& settings);

struct DaemonConfig {
    json::object file;                 // content of EnginePaths::daemon_json
    std::vector<std::string> command;  // argv, without -H fd://
};
DaemonConfig daemon_config(const EnginePlan& plan, const EngineSettings& settings,
                           const UserChoices& choices);

}  // namespace supervisor::engine
