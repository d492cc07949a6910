#include "cli/option_table.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "base/strings.hpp"

namespace supervisor::cli {
namespace {

using Store = std::function<Result<>(Config&, std::string_view)>;

template <class T>
struct Choice {
    std::string_view word;
    T value;
};

// One of a list of words.
template <class Section, class T, std::size_t N>
Store choice(Section Config::*section, T Section::*member, const Choice<T> (&choices)[N]) {
    const std::vector<Choice<T>> allowed(std::begin(choices), std::end(choices));
    return [=](Config& config, std::string_view text) -> Result<> {
        std::string accepted;
        for (const auto& candidate : allowed) {
            if (candidate.word == text) {
                config.*section.*member = candidate.value;
                return {};
            }
            accepted.append(accepted.empty() ? "" : ", ").append(candidate.word);
        }
        return fail(fmt::format("'{}' is not one of: {}", printable(text), accepted));
    };
}

template <class Section>
Store word(Section Config::*section, std::string Section::*member, std::vector<std::string_view> allowed) {
    return [=](Config& config, std::string_view text) -> Result<> {
        if (std::find(allowed.begin(), allowed.end(), text) == allowed.end()) {
            return fail(fmt::format("'{}' is not one of: {}", printable(text),
                                    join({allowed.begin(), allowed.end()}, ", ")));
        }
        config.*section.*member = text;
        return {};
    };
}

template <class Section>
Store text(Section Config::*section, std::string Section::*member) {
    return [=](Config& config, std::string_view value) -> Result<> {
        config.*section.*member = value;
        return {};
    };
}

template <class Section>
Store absolute_path(Section Config::*section, std::string Section::*member) {
    return [=](Config& config, std::string_view value) -> Result<> {
        if (!value.starts_with('/'))
            return fail(fmt::format("'{}' is not an absolute path", printable(value)));
        config.*section.*member = value;
        return {};
    };
}

// Assigns what a parser returns, to a plain member or an optional one.
template <class Section, class Member, class Parser>
Store parsed(Section Config::*section, Member Section::*member, Parser parser) {
    return [=](Config& config, std::string_view value) -> Result<> {
        auto result = parser(value);
        if (!result) return fail(result.error());
        config.*section.*member = *result;
        return {};
    };
}

Result<int> parse_percent(std::string_view value) {
    if (value.ends_with('%')) value.remove_suffix(1);
    const auto number = parse_unsigned(value, 100);
    if (!number || *number == 0)
        return fail(fmt::format("'{}' is not a percentage from 1% to 100%", printable(value)));
    return static_cast<int>(*number);
}

Result<int> parse_slots(std::string_view value) {
    const auto number = parse_unsigned(value, 1000);
    if (!number || *number == 0)
        return fail(fmt::format("'{}' is not a number of slots from 1 to 1000", printable(value)));
    return static_cast<int>(*number);
}

Result<std::uint64_t> parse_count(std::string_view value) {
    const auto number = parse_unsigned(value, 1'000'000);
    if (!number) return fail(fmt::format("'{}' is not a number from 0 to 1000000", printable(value)));
    return *number;
}

// "1.5" CPUs in the engine's billionths.
Result<std::uint64_t> parse_cpus(std::string_view value) {
    const auto point = value.find('.');
    const auto whole = parse_unsigned(value.substr(0, point), 10'000);
    auto digits = std::string(point == std::string_view::npos ? "0" : value.substr(point + 1));
    const bool too_fine = digits.size() > 9;
    digits.resize(9, '0');
    const auto fraction = parse_unsigned(digits, 999'999'999);
    if (!whole || !fraction || too_fine || value.ends_with('.'))
        return fail(fmt::format("'{}' is not a number of CPUs such as 2 or 1.5", printable(value)));
    return *whole * 1'000'000'000 + *fraction;
}

Result<std::vector<std::string>> parse_allowances(std::string_view value) {
    std::vector<std::string> allowances;
    for (const auto& piece : split(value, ',')) {
        const auto name = trim(piece);
        if (name.empty()) continue;
        if (name != "setuid" && name != "userns" && name != "seccomp") {
            return fail(fmt::format("'{}' is not one of: setuid, userns, seccomp", printable(name)));
        }
        allowances.emplace_back(name);
    }
    return allowances;
}

Result<log::Level> parse_level(std::string_view value) {
    if (value == "debug") return log::Level::Debug;
    if (value == "info") return log::Level::Info;
    if (value == "warn") return log::Level::Warn;
    if (value == "error") return log::Level::Error;
    return fail(fmt::format("'{}' is not one of: debug, info, warn, error", printable(value)));
}

Store log_level() {
    return [](Config& config, std::string_view value) -> Result<> {
        SUPERVISOR_TRY_ASSIGN(level, parse_level(value));
        config.general.log.level = level;
        return {};
    };
}

Store log_format() {
    return [](Config& config, std::string_view value) -> Result<> {
        if (value != "text" && value != "json")
            return fail(fmt::format("'{}' is not one of: text, json", printable(value)));
        config.general.log.json = value == "json";
        return {};
    };
}

constexpr Choice<bool> kOnOrOff[] = {{"on", true}, {"off", false}};
constexpr Choice<Mode> kModes[] = {
    {"auto", Mode::Auto}, {"dind", Mode::Dind}, {"dood", Mode::Dood}, {"plain", Mode::Plain}};
constexpr Choice<Shell> kShells[] = {{"no", Shell::No}, {"go", Shell::AsAgent}, {"root", Shell::AsRoot}};
constexpr Choice<AgentRestart> kRestarts[] = {
    {"auto", AgentRestart::Auto}, {"always", AgentRestart::Always}, {"never", AgentRestart::Never}};
constexpr Choice<JobCleanup> kCleanups[] = {
    {"off", JobCleanup::Off}, {"containers", JobCleanup::Containers}, {"all", JobCleanup::All}};

using G = GeneralConfig;
using A = AgentConfig;
using E = EngineConfig;
using B = BrokerConfig;

std::vector<Option> general_options() {
    return {
        {"mode", "GOCD_DOCKER_MODE", "auto|dind|dood|plain", "auto", "General",
         "how jobs get Docker: an engine of their own, the host's behind the broker, or none; auto: a "
         "mounted socket that "
         "answers means dood, else a dockerd in the image means dind, else plain",
         choice(&Config::general, &G::mode, kModes)},
        {"shell", "GOCD_SUPERVISOR_SHELL", "go|root", "no", "General",
         "an interactive shell instead of the agent, with everything else as usual; --shell alone means go",
         choice(&Config::general, &G::shell, kShells)},
        {"stop-timeout", "GOCD_STOP_TIMEOUT", "DURATION", "by who stops us", "General",
         "time from TERM to the end: 1.8s under the docker elastic plugin (which allows 2), 9s under docker "
         "stop and swarm, 27s "
         "under kubernetes and ECS",
         parsed(&Config::general, &G::stop_timeout, parse_duration)},
        {"drain-timeout", "GOCD_DRAIN_TIMEOUT", "DURATION", "0", "General",
         "how long a running job may go on after TERM before the stop begins; no new job is taken meanwhile",
         parsed(&Config::general, &G::drain_timeout, parse_duration)},
        {"log-level", "GOCD_LOG_LEVEL", "debug|info|warn|error", "info", "General",
         "least important line to log", log_level()},
        {"log-format", "GOCD_LOG_FORMAT", "text|json", "text", "General",
         "form of the supervisor's own lines", log_format()},
        {"metrics-listen", "GOCD_METRICS_LISTEN", "ADDRESS:PORT", "off", "General",
         "serve Prometheus metrics there, from a process of its own",
         text(&Config::general, &G::metrics_listen)},
    };
}

std::vector<Option> agent_options() {
    return {
        {"agent-launch", "GOCD_AGENT_LAUNCH", "auto|direct|bootstrapper|wrapper", "auto", "Agent",
         "who starts the agent's JVM: the supervisor itself, GoCD's bootstrapper, or the Tanuki wrapper as "
         "in the official image",
         word(&Config::agent, &A::launch, {"auto", "direct", "bootstrapper", "wrapper"})},
        {"agent-restart", "GOCD_AGENT_RESTART", "auto|always|never", "auto", "Agent",
         "what follows when the agent ends by itself; auto: a static agent is restarted, an elastic one ends "
         "the container",
         choice(&Config::agent, &A::restart, kRestarts)},
        {"agent-aot", "GOCD_AGENT_AOT", "on|off", "on", "Agent",
         "use the AOT cache that was trained with the image", parsed(&Config::agent, &A::aot, parse_bool)},
        {"agent-ping-interval", "GOCD_AGENT_PING_INTERVAL", "DURATION", "5s", "Agent",
         "how often the agent pings the server; 1s makes a cancel arrive faster",
         parsed(&Config::agent, &A::ping_interval, parse_duration)},
        {"agent-instruction-interval", "GOCD_AGENT_INSTRUCTION_INTERVAL", "DURATION", "10s", "Agent",
         "how often the agent carries out what a ping told it (cancel, kill)",
         parsed(&Config::agent, &A::instruction_interval, parse_duration)},
        {"agent-memory-max", "GOCD_AGENT_MEMORY_MAX", "SIZE", "none", "Agent",
         "memory limit of the agent and its jobs", parsed(&Config::agent, &A::memory_max, parse_size)},
        {"agent-allow", "GOCD_AGENT_ALLOW", "LIST", "nothing", "Agent",
         "relax the hardening of agent and jobs: setuid (sudo works), userns (rootless tools), seccomp (no "
         "filter at all)",
         parsed(&Config::agent, &A::allow, parse_allowances)},
        {"job-cleanup", "GOCD_JOB_CLEANUP", "off|containers|all", "off", "Agent",
         "what is removed after each job from the inner engine: the containers it left, or also networks, "
         "volumes and dangling "
         "images",
         choice(&Config::agent, &A::job_cleanup, kCleanups)},
    };
}

std::vector<Option> engine_options() {
    return {
        {"containment", "GOCD_DOCKER_CONTAINMENT", "auto|userns|caps|off", "auto", "Engine (DinD)",
         "what keeps the inner engine from the host: a user namespace, fewer capabilities, or nothing; auto: "
         "the first that works "
         "here",
         word(&Config::engine, &E::containment, {"auto", "userns", "caps", "off"})},
        {"engine-devices", "GOCD_DOCKER_DEVICES", "LIST", "none", "Engine (DinD)",
         "devices that the contained engine gets besides the harmless ones: fuse, tun, kvm, loop",
         text(&Config::engine, &E::devices)},
        {"storage-driver", "DOCKER_DRIVER", "NAME", "by probing", "Engine (DinD)",
         "overlay2, fuse-overlayfs, btrfs, zfs or vfs; checked by the same probe",
         word(&Config::engine, &E::storage_driver,
              {"", "overlay2", "overlayfs", "fuse-overlayfs", "btrfs", "zfs", "vfs", "native"})},
        {"data-root", "GOCD_DOCKER_DATA_ROOT", "DIRECTORY", "/var/lib/docker", "Engine (DinD)",
         "the engine's data directory", absolute_path(&Config::engine, &E::data_root)},
        {"data-pool", "GOCD_DOCKER_DATA_POOL", "DIRECTORY", "off", "Engine (DinD)",
         "take the first free slot there as data directory, so that agents share warm caches but never a "
         "live one",
         absolute_path(&Config::engine, &E::data_pool)},
        {"data-pool-max", "GOCD_DOCKER_DATA_POOL_MAX", "NUMBER", "8", "Engine (DinD)",
         "slots that the pool keeps", parsed(&Config::engine, &E::data_pool_max, parse_slots)},
        {"data-high-water", "GOCD_DOCKER_DATA_HIGH_WATER", "PERCENT", "85%", "Engine (DinD)",
         "fuller than this, build cache and then unused images are pruned before a job starts",
         parsed(&Config::engine, &E::data_high_water, parse_percent)},
        {"containers-memory-max", "GOCD_DOCKER_CONTAINERS_MEMORY_MAX", "SIZE", "none", "Engine (DinD)",
         "memory limit of all inner containers together",
         parsed(&Config::engine, &E::containers_memory_max, parse_size)},
        {"engine-start-timeout", "DOCKERD_MAX_WAIT_SECS", "DURATION", "30s", "Engine (DinD)",
         "an engine that is not ready by then has failed",
         parsed(&Config::engine, &E::start_timeout, parse_duration)},
        {"dockerd-arguments", "DOCKERD_ADDITIONAL_ARGS", "WORDS", "none", "Engine (DinD)",
         "more arguments for dockerd, quoted as for a shell; nothing is evaluated",
         text(&Config::engine, &E::dockerd_arguments)},
        {"registry-mirrors", "GOCD_DOCKER_REGISTRY_MIRRORS", "URLS", "none", "Engine (DinD)",
         "comma list of registry mirrors", text(&Config::engine, &E::registry_mirrors)},
        {"insecure-registries", "GOCD_DOCKER_INSECURE_REGISTRIES", "HOSTS", "none", "Engine (DinD)",
         "comma list of registries without (valid) TLS", text(&Config::engine, &E::insecure_registries)},
        {"registry-ca-certs", "GOCD_DOCKER_CA_CERTS", "DIRECTORY", "none", "Engine (DinD)",
         "certificates: HOST[:PORT].crt is trusted by dockerd for that registry, every *.crt by the agent's "
         "system store",
         absolute_path(&Config::engine, &E::registry_ca_certs)},
    };
}

std::vector<Option> broker_options() {
    return {
        {"host-socket", "GOCD_DOCKER_HOST_SOCKET", "PATH", "/var/run/docker.sock", "Broker (DooD)",
         "where the host's Docker socket is mounted", absolute_path(&Config::broker, &B::host_socket)},
        {"policy", "GOCD_DOCKER_POLICY", "isolated|trusted|FILE", "isolated", "Broker (DooD)",
         "what jobs may ask of the engine; in DinD, asking for a policy puts the broker in front of the "
         "inner engine",
         text(&Config::broker, &B::policy)},
        {"broker-agent-name", "GOCD_DOCKER_AGENT_NAME", "NAME", "the container's id", "Broker (DooD)",
         "the name under which the broker keeps this agent's containers, networks and volumes apart",
         text(&Config::broker, &B::agent_name)},
        {"broker-max-containers", "GOCD_DOCKER_MAX_CONTAINERS", "NUMBER", "none", "Broker (DooD)",
         "how many containers the agent's jobs may have at one time",
         parsed(&Config::broker, &B::max_containers, parse_count)},
        {"broker-max-memory", "GOCD_DOCKER_MAX_MEMORY", "SIZE", "none", "Broker (DooD)",
         "what the memory limits of the jobs' containers may add up to; a container without a limit gets "
         "this as its own",
         parsed(&Config::broker, &B::max_memory, parse_size)},
        {"broker-max-cpus", "GOCD_DOCKER_MAX_CPUS", "NUMBER", "none", "Broker (DooD)",
         "the same for CPUs, such as 1.5", parsed(&Config::broker, &B::max_nano_cpus, parse_cpus)},
        {"broker-max-pids", "GOCD_DOCKER_MAX_PIDS", "NUMBER", "none", "Broker (DooD)",
         "how many processes one container of a job may have",
         parsed(&Config::broker, &B::max_pids, parse_count)},
        {"broker-keep-images", "GOCD_DOCKER_KEEP_IMAGES", "on|off", "off", "Broker (DooD)",
         "images that a job built stay until the agent ends, instead of going with the job",
         choice(&Config::broker, &B::keep_images, kOnOrOff)},
    };
}

}  // namespace

const char* mode_name(Mode mode) {
    for (const auto& candidate : kModes) {
        if (candidate.value == mode) return candidate.word.data();
    }
    return "auto";
}

const std::vector<Option>& option_table() {
    static const std::vector<Option> table = [] {
        std::vector<Option> all = general_options();
        for (auto* more : {+agent_options, +engine_options, +broker_options}) {
            for (auto& option : more()) all.push_back(std::move(option));
        }
        return all;
    }();
    return table;
}

const std::vector<AgentVariable>& agent_variables() {
    static const std::vector<AgentVariable> table = {
        {"GO_SERVER_URL", "the server, ending in /go"},
        {"AGENT_AUTO_REGISTER_KEY", "registers the agent without an administrator; never reaches a job"},
        {"AGENT_AUTO_REGISTER_RESOURCES", "comma list of resources"},
        {"AGENT_AUTO_REGISTER_ENVIRONMENTS", "comma list of environments"},
        {"AGENT_AUTO_REGISTER_HOSTNAME", "the name that the server shows"},
        {"GO_EA_*", "set by elastic agent plugins"},
        {"AGENT_STARTUP_ARGS", "replaces the agent JVM's default arguments"},
        {"GOCD_AGENT_JVM_OPTS", "is added to the agent JVM's arguments"},
        {"AGENT_BOOTSTRAPPER_ARGS",
         "-sslVerificationMode, -rootCertFile and the like; quoted as for a shell, not evaluated"},
        {"AGENT_BOOTSTRAPPER_JVM_ARGS",
         "arguments of the bootstrapper's JVM; proxy properties count for the direct launch too"},
        {"VOLUME_DIR", "keeps config, logs and pipelines (default /godata)"},
        {"GO_JAVA_HOME", "the JRE to use"},
        {"HTTP_PROXY, HTTPS_PROXY, NO_PROXY", "reach the engine, the fetcher and the jobs"},
    };
    return table;
}

}  // namespace supervisor::cli
