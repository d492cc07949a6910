#include "engine/daemon_config.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "base/strings.hpp"

namespace supervisor::engine {
namespace {

// dockerd's json-file log has no bound of its own.
constexpr const char* kLogSize = "10m";
constexpr const char* kLogFiles = "3";

json::array string_array(const std::vector<std::string>& values) {
    json::array array;
    for (const auto& value : values) array.emplace_back(value);
    return array;
}

// Fills in what the user left open.
class Filler {
  public:
    Filler(json::object& file, const UserChoices& choices) : file_(file), choices_(choices) {}
    void put(std::string_view key, json::value value) {
        if (!choices_.has(key)) file_[key] = std::move(value);
    }
    void put_list(std::string_view key, const std::vector<std::string>& values) {
        if (!values.empty()) put(key, string_array(values));
    }

  private:
    json::object& file_;
    const UserChoices& choices_;
};

void put_paths(Filler& filler, const EngineSettings& settings) {
    const auto paths = engine_paths(settings);
    filler.put("data-root", json::value(settings.data_root));
    filler.put("exec-root", json::value(settings.exec_root));
    filler.put("pidfile", json::value(paths.dockerd_pid));
    filler.put("containerd", json::value(paths.containerd_socket));
}

// Docker before 25 writes a key that gives the engine its ID. /etc/docker belongs to the outer root: a
// contained engine cannot write there, and it would be another ID in every container.
void put_identity(Filler& filler, const EnginePlan& plan, const EngineSettings& settings) {
    if (!plan.version.known() || plan.version.at_least(25)) return;
    filler.put("deprecated-key-path", json::value(settings.data_root + "/key.json"));
}

void put_network(Filler& filler, const EnginePlan& plan) {
    const auto& network = plan.network;
    if (network.mtu) {
        filler.put("mtu", json::value(*network.mtu));
        if (plan.version.at_least(24)) {
            const json::object option{{"com.docker.network.driver.mtu", std::to_string(*network.mtu)}};
            filler.put("default-network-opts", json::object{{"bridge", option}});
        }
    }
    if (network.addresses) {
        json::array pools;
        for (const auto& pool : network.addresses->pools)
            pools.push_back(json::object{{"base", pool.base.text()}, {"size", pool.size}});
        filler.put("bip", json::value(network.addresses->bridge.first_host()));
        filler.put("default-address-pools", std::move(pools));
    }
    filler.put_list("dns", network.dns);
    if (network.backend != IptablesBackend::None) filler.put("ip6tables", json::value(network.ip6tables));
}

void put_logs(Filler& filler, const UserChoices& choices) {
    const auto driver = choices.text("log-driver");
    if (!driver.empty() && driver != "json-file" && driver != "local") return;
    filler.put("log-opts", json::object{{"max-size", kLogSize}, {"max-file", kLogFiles}});
}

// The image store is turned on or off explicitly, beside what the user says of other features.
void put_features(json::object& file, const EnginePlan& plan, const UserChoices& choices) {
    if (choices.from_arguments("features") || choices.feature("containerd-snapshotter")) return;
    auto* features = file.if_contains("features");
    if (features == nullptr || !features->is_object()) {
        file["features"] = json::object();
        features = file.if_contains("features");
    }
    features->as_object()["containerd-snapshotter"] = plan.storage.image_store;
}

bool is_tcp(const std::string& host) {
    return !host.starts_with("unix://") && !host.starts_with("fd://");
}

void add_hosts(std::vector<std::string>& command, const UserChoices& choices) {
    const auto hosts = choices.hosts();
    // Those of the command line are among the user's arguments already.
    if (!choices.from_arguments("hosts")) {
        for (const auto& host : hosts) {
            if (host.starts_with("fd://")) continue;
            command.insert(command.end(), {"-H", host});
        }
    }
    // Saying it in so many words spares dockerd's pause of 15 s before an unprotected TCP socket.
    const bool tls_decided = choices.has("tls") || choices.has("tlsverify");
    if (std::any_of(hosts.begin(), hosts.end(), is_tcp) && !tls_decided) command.emplace_back("--tls=false");
}

// Files for a machine with systemd often name its driver.
Result<> check_cgroup_driver(const UserChoices& choices) {
    for (const auto& option : choices.list("exec-opts")) {
        if (option != "native.cgroupdriver=systemd") continue;
        return fail(
            fmt::format("\"{}\" in {} cannot be used: no systemd runs here to make cgroups; leave it out",
                        option, choices.origin("exec-opts")));
    }
    return {};
}

}  // namespace

EnginePaths engine_paths(const EngineSettings& settings) {
    const std::string own = settings.run_directory + "/engine";
    EnginePaths paths;
    paths.daemon_json = own + "/daemon.json";
    paths.containerd_toml = own + "/containerd.toml";
    paths.containerd_socket = settings.exec_root + "/containerd/containerd.sock";
    paths.containerd_state = settings.exec_root + "/containerd/daemon";
    paths.containerd_root = containerd_root(settings.data_root);
    paths.dockerd_pid = own + "/dockerd.pid";
    paths.programs = own + "/bin";
    paths.certificates = own + "/certificates";
    return paths;
}

Result<> adopt_choices(const UserChoices& choices, EngineSettings& settings) {
    for (const char* key : {"containerd", "validate", "version", "help", "rootless"}) {
        if (!choices.has(key)) continue;
        return fail(
            fmt::format("\"{}\" in {} cannot be used: the supervisor runs the engine and its containerd", key,
                        choices.origin(key)));
    }
    SUPERVISOR_TRY(check_cgroup_driver(choices));
    if (choices.has("data-root")) settings.data_root = choices.text("data-root");
    if (choices.has("exec-root")) settings.exec_root = choices.text("exec-root");
    return {};
}

DaemonConfig daemon_config(const EnginePlan& plan, const EngineSettings& settings,
                           const UserChoices& choices) {
    DaemonConfig config;
    config.file = choices.file();
    config.file.erase("hosts");  // go to the command line, where ours is
    Filler filler(config.file, choices);
    put_paths(filler, settings);
    put_identity(filler, plan, settings);
    // The driver was checked against the host; what is in the file or on the command line is the same one.
    filler.put("storage-driver", json::value(plan.storage.driver));
    put_features(config.file, plan, choices);
    filler.put("cgroup-parent", json::value(plan.cgroup.parent));
    // Otherwise a /run/systemd/system that was mounted in would make dockerd look for a systemd.
    filler.put("exec-opts", json::array{"native.cgroupdriver=cgroupfs"});
    filler.put("live-restore", json::value(plan.live_restore));
    put_network(filler, plan);
    put_logs(filler, choices);
    filler.put_list("registry-mirrors", settings.registry_mirrors);
    filler.put_list("insecure-registries", settings.insecure_registries);

    config.command = {"dockerd", "--config-file", engine_paths(settings).daemon_json};
    if (choices.from_arguments("features") && !choices.feature("containerd-snapshotter"))
        config.command.push_back(
            fmt::format("--feature=containerd-snapshotter={}", plan.storage.image_store));
    add_hosts(config.command, choices);
    config.command.insert(config.command.end(), choices.arguments().begin(), choices.arguments().end());
    return config;
}

}  // namespace supervisor::engine
