// What the user asked of the engine, from options and environment, before anything is known about the host.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace supervisor::engine {

enum class IptablesChoice { Auto, Nft, Legacy };

struct EngineSettings {
    std::string data_root = "/var/lib/docker";
    std::string exec_root = "/run/docker";
    std::string run_directory = "/run/gocd-supervisor";  // generated configuration, pid files
    std::string daemon_json = "/etc/docker/daemon.json";
    std::string socket = "/var/run/docker.sock";

    std::string storage_driver;                     // --storage-driver, or DOCKER_DRIVER; "" = choose
    std::vector<std::string> additional_arguments;  // DOCKERD_ADDITIONAL_ARGS, split
    IptablesChoice iptables = IptablesChoice::Auto;
    std::optional<unsigned> mtu;
    std::vector<std::string> dns;
    std::vector<std::string> registry_mirrors;
    std::vector<std::string> insecure_registries;
    std::string ca_certificates;  // directory, "" = none

    std::optional<std::uint64_t> agent_memory_max;       // bytes
    std::optional<std::uint64_t> containers_memory_max;  // bytes

    bool contained = false;  // engine and containers live in a user namespace of their own
    bool allow_vfs = true;   // take the slow copying driver when nothing else works
};

}  // namespace supervisor::engine
