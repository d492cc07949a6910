// Everything the broker process is told at its start. PID 1 writes it as JSON into an inherited descriptor.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "sys/resource_limits.hpp"

namespace supervisor::broker {

// A mount of the agent's container, both ends named as each side sees them.
struct Mount {
    std::string destination;  // in the agent
    std::string source;       // for the engine
    bool writable = true;
    std::string volume = {};  // its name, if it is one of the engine
};

// Totals for everything that the agent's jobs run at one time; 0 is no limit.
struct Limits {
    std::uint64_t containers = 0;
    std::uint64_t memory = 0;     // bytes
    std::uint64_t nano_cpus = 0;  // 1e9 is one CPU
    std::uint64_t pids = 0;
    std::uint64_t sessions = 4096;  // client connections at one time
};

// What the agent itself may use: what it starts beside itself may have no more.
struct Bounds {
    std::vector<sys::HardLimit> hard_limits;  // empty: not known, nothing is refused
    std::int64_t oom_score = 0;
};
Bounds own_bounds();

enum class Mode {
    Dood,  // the engine is the host's: the agent is a container beside what the jobs start
    Dind,  // the engine is the agent's own: paths are the same on both sides
};

struct Config {
    Mode mode = Mode::Dood;
    // The engine's socket. With host_socket_directory_fd it is a name within that directory, so that the
    // broker need not be able to reach it by path (and finds it again when the engine makes a new one).
    std::string host_socket = "/var/run/docker.sock";
    int host_socket_directory_fd = -1;
    int listener_fd = -1;  // listening already
    std::string
        listen_path;  // of that listener, in the agent; a bind of a Docker socket becomes a bind of this one
    // In Dood: a second listener on one of the agent's volumes, which containers can be given. -1 and "":
    // none.
    int shared_listener_fd = -1;
    std::string shared_path;
    // A file that outlives the broker, open for reading and appending; see Ledger::keep_in().
    int ledger_fd = -1;

    std::string agent_id;  // stable: GoCD's uuid of the agent
    bool agent_id_is_guess =
        false;                  // a host name: in Dood the id of the agent's container is used, once known
    std::string incarnation;    // changes with every start of the agent, not with a restart of the broker
    std::string own_container;  // full id of the agent's container; "" in Dood: found out through host_socket

    std::string policy = "isolated";  // "isolated", "trusted", or the JSON text of a policy file
    std::string cgroup_parent;        // "" in Dood: the agent's own, as the engine shows it
    Limits limits;
    // The agent's mounts. Absent in Dood: learnt from the engine. In Dind: paths that jobs may bind, both
    // ends alike.
    std::optional<std::vector<Mount>> mounts;
    // Paths in the agent that no container may get, nor anything that contains them.
    std::vector<std::string> protected_paths = {"/proc", "/sys", "/dev", "/run/gocd-supervisor"};
    Bounds bounds;            // found out by the broker, which inherits them
    bool keep_images = true;  // images that a job built stay until the agent ends

    int audit_fd = -1;       // one JSON line per mutating request
    int supervisor_fd = -1;  // SOCK_SEQPACKET to PID 1, see peer_protocol.hpp
};

std::string to_json(const Config& config);
// Unknown keys are errors: both sides come from one build.
Result<Config> config_from_json(std::string_view text);

}  // namespace supervisor::broker
