// What the user asked for: the option table of options.cpp fills this from flags and environment variables.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/log.hpp"

namespace supervisor::cli {

enum class Mode { Auto, Dind, Dood, Plain };
enum class AgentRestart { Auto, Always, Never };
enum class JobCleanup { Off, Containers, All };
enum class Shell { No, AsAgent, AsRoot };

const char* mode_name(Mode mode);

struct GeneralConfig {
    Mode mode = Mode::Auto;
    Shell shell = Shell::No;
    log::Settings log;
    std::optional<Milliseconds> stop_timeout;  // unset: derived from who stops us
    Milliseconds drain_timeout{0};
    std::string metrics_listen;  // empty: off
};

struct AgentConfig {
    std::string launch = "auto";  // auto, direct, bootstrapper, wrapper
    AgentRestart restart = AgentRestart::Auto;
    JobCleanup job_cleanup = JobCleanup::Off;
    bool aot = true;
    std::optional<Milliseconds> ping_interval;
    std::optional<Milliseconds> instruction_interval;
    std::optional<std::uint64_t> memory_max;
    // Parts of the hardening that are taken off: setuid, userns, seccomp.
    std::vector<std::string> allow;
};

struct EngineConfig {
    std::string containment = "auto";  // auto, userns, caps, off
    std::string devices;               // comma list
    std::string storage_driver;        // empty: chosen by probing
    std::string data_root = "/var/lib/docker";
    std::string data_pool;  // empty: off
    int data_pool_max = 8;
    int data_high_water = 85;  // percent
    std::optional<std::uint64_t> containers_memory_max;
    Milliseconds start_timeout{30'000};
    std::string dockerd_arguments;  // one shell-quoted line
    std::string registry_mirrors;
    std::string insecure_registries;
    std::string registry_ca_certs;  // a directory
};

struct BrokerConfig {
    std::string host_socket = "/var/run/docker.sock";
    std::string policy;  // empty: isolated in DooD, no broker in DinD
    std::string agent_name;
    // Totals of what jobs have at one time; 0: none.
    std::uint64_t max_containers = 0;
    std::uint64_t max_memory = 0;  // bytes
    std::uint64_t max_nano_cpus = 0;
    std::uint64_t max_pids = 0;
    bool keep_images = false;
};

struct Config {
    GeneralConfig general;
    AgentConfig agent;
    EngineConfig engine;
    BrokerConfig broker;
    // Where each option's value came from: "--mode", "GOCD_DOCKER_MODE"; options that are not in here have
    // their default.
    std::map<std::string, std::string> provenance;
};

}  // namespace supervisor::cli
