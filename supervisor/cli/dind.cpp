#include "cli/dind.hpp"

#include <unistd.h>

#include "base/log.hpp"
#include "base/shell_words.hpp"
#include "base/strings.hpp"
#include "cli/stop_budget.hpp"
#include "engine/containerd_config.hpp"
#include "engine/environment.hpp"
#include "sys/files.hpp"
#include "sys/procfs.hpp"

namespace supervisor::cli {
namespace {

constexpr const char* kComponent = "engine";
// What supervisor and engine share: notify sockets and generated configuration.
constexpr const char* kEngineDirectory = "/run/gocd-supervisor/engine";
constexpr const char* kVersionFile = "/usr/local/share/gocd-supervisor/dockerd-version";

std::vector<std::string> comma_list(const std::string& text) {
    std::vector<std::string> values;
    for (const auto& piece : split(text, ',')) {
        if (!trim(piece).empty()) values.emplace_back(trim(piece));
    }
    return values;
}

std::map<std::string, std::string> as_map(const std::vector<std::string>& environment) {
    std::map<std::string, std::string> map;
    for (const auto& entry : environment) {
        const auto equals = entry.find('=');
        if (equals != std::string::npos) map[entry.substr(0, equals)] = entry.substr(equals + 1);
    }
    return map;
}

gid_t docker_group() {
    const auto group = sys::find_group(sys::read_file_or("/etc/group"), "docker");
    return group ? group->id : 0;
}

}  // namespace

tl::expected<void, Failure> Dind::prepare() {
    const auto failure = [](int code, const Error& error) {
        return tl::unexpected<Failure>(Failure{code, error});
    };
    if (auto read = read_settings(); !read) return failure(kExitUsage, read.error());
    if (auto decided = decide(); !decided) return failure(kExitHost, decided.error());
    if (auto applied = apply(); !applied) return failure(kExitHost, applied.error());
    engine_ = std::make_unique<engine::Engine>(
        context_.loop, context_.processes, engine_setup(),
        engine::EngineEvents{[this](engine::EngineState state) {
                                 const bool ready = state == engine::EngineState::Ready;
                                 if (ready) context_.events.reached("engine ready");
                                 context_.events.event("engine " + std::string(engine::to_text(state)),
                                                       ready ? engine_->description() : engine_->cause());
                             },
                             context_.events.failed});
    if (auto listening = engine_->listen(); !listening) return failure(kExitHost, listening.error());
    return {};
}

Result<> Dind::read_settings() {
    const EngineConfig& config = context_.config.engine;
    settings_.data_root = config.data_root;
    settings_.run_directory = kRunDirectory;
    settings_.storage_driver = config.storage_driver;
    settings_.registry_mirrors = comma_list(config.registry_mirrors);
    settings_.insecure_registries = comma_list(config.insecure_registries);
    settings_.ca_certificates = config.registry_ca_certs;
    settings_.containers_memory_max = config.containers_memory_max;
    settings_.agent_memory_max = context_.config.agent.memory_max;
    auto arguments = split_shell_words(config.dockerd_arguments);
    if (!arguments) return fail(arguments.error(), "DOCKERD_ADDITIONAL_ARGS");
    settings_.additional_arguments = std::move(*arguments);
    settings_.daemon_json =
        engine::configuration_file_of(settings_.additional_arguments, settings_.daemon_json);
    auto choices = engine::UserChoices::read(sys::read_file_or(settings_.daemon_json), settings_.daemon_json,
                                             settings_.additional_arguments);
    if (!choices) return fail(choices.error());
    choices_ = std::move(*choices);
    return engine::adopt_choices(*choices_, settings_);
}

Result<> Dind::decide() {
    host::ProbeRequest request;
    request.data_directory = settings_.data_root;
    request.programs = {"dockerd",      "containerd",      "runc",      "iptables",
                        "iptables-nft", "iptables-legacy", "ip6tables", "fuse-overlayfs"};
    request.environment = as_map(context_.environment);
    facts_ = host::probe(request);
    const auto dockerd = proc::find_executable("dockerd", context_.environment);
    engine_facts_ = engine::read_engine_facts(settings_.data_root, dockerd.value_or("dockerd"), kVersionFile);
    auto planned = engine::plan({settings_, *choices_, engine_facts_, facts_});
    if (!planned) return fail(planned.error());
    plan_ = std::move(*planned);
    for (const auto& decision : plan_.decisions) {
        const auto level = decision.verdict == engine::Verdict::Warn ? log::Level::Warn : log::Level::Debug;
        log::write(level, kComponent, decision.topic + ": " + decision.choice + " (" + decision.reason + ")");
    }
    daemon_ = engine::daemon_config(plan_, settings_, *choices_);
    return {};
}

Result<> Dind::write_configuration() {
    const auto paths = engine::engine_paths(settings_);
    SUPERVISOR_TRY(sys::make_directories(kEngineDirectory, 0711));
    SUPERVISOR_TRY(sys::replace_file(paths.daemon_json, to_pretty_text(daemon_.file), 0644));
    return sys::replace_file(paths.containerd_toml, engine::containerd_config(paths), 0644);
}

proc::ChildPlan Dind::helper_plan(const std::vector<std::string>& words) const {
    proc::ChildPlan plan;
    plan.name = words.at(0);
    plan.executable = "/proc/self/exe";
    plan.arguments = {"gocd-supervisor"};
    plan.arguments.insert(plan.arguments.end(), words.begin(), words.end());
    plan.environment = {"PATH=/usr/local/bin:/usr/bin:/bin"};
    constexpr uid_t kNobody = 65534;
    plan.identity = proc::Identity{kNobody, kNobody, {docker_group()}};
    plan.capabilities = proc::Capabilities::None;
    plan.no_new_privileges = true;
    return plan;
}

engine::EngineSetup Dind::engine_setup() {
    const auto paths = engine::engine_paths(settings_);
    engine::EngineSetup setup;
    setup.socket_path = settings_.socket;
    setup.socket_access = {0, docker_group(), 0660};
    setup.run_directory = kEngineDirectory;
    setup.containerd_command = {"containerd", "--config", paths.containerd_toml};
    setup.dockerd_command = daemon_.command;
    setup.environment = engine::engine_environment(as_map(context_.environment), plan_, settings_);
    setup.expected_driver = plan_.storage.expected_driver();
    setup.start_timeout = context_.config.engine.start_timeout;
    setup.place = [this](proc::ChildPlan& plan) {
        plan.limits = {{RLIMIT_NOFILE, plan_.open_files.soft, plan_.open_files.hard}};
        plan.oom_score_adjust = plan_.security.oom_score_adjust;
    };
    setup.helper = [this](const std::vector<std::string>& words) { return helper_plan(words); };
    return setup;
}

Result<> Dind::apply() {
    return write_configuration();
}

std::vector<std::string> Dind::clean_up() {
    return {};
}

void Dind::place_agent(proc::ChildPlan&) const {}

int Dind::kill_agent_leftovers() {
    return 0;
}

std::string Dind::not_ready_because() const {
    if (engine_->state() == engine::EngineState::Ready) return {};
    return "the engine is " + std::string(engine::to_text(engine_->state())) +
           (engine_->cause().empty() ? "" : ": " + engine_->cause());
}

void Dind::describe(StatusModel& model) const {
    if (!engine_) return;
    model.engine_state = engine::to_text(engine_->state());
    model.engine = engine_->description();
    model.services.emplace_back("containerd", engine_->containerd().snapshot());
    model.services.emplace_back("dockerd", engine_->dockerd().snapshot());
}

}  // namespace supervisor::cli
