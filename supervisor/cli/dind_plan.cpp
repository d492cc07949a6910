#include "cli/dind_plan.hpp"

#include "agent/environment.hpp"
#include "base/log.hpp"
#include "base/shell_words.hpp"
#include "base/strings.hpp"
#include "cli/status.hpp"
#include "engine/daemon_config.hpp"
#include "engine/data_mode.hpp"
#include "host/containment_facts.hpp"
#include "proc/spawn.hpp"
#include "sys/files.hpp"

namespace supervisor::cli {
namespace {

constexpr const char* kVersionFile = "/usr/local/share/gocd-supervisor/dockerd-version";
// What jobs bind into their containers lies here; the engine must see it with the right owners.
constexpr const char* kAgentDirectories[] = {"/go-working-dir", "/godata", "/home/go", "/tmp"};

std::vector<std::string> comma_list(const std::string& text) {
    std::vector<std::string> values;
    for (const auto& piece : split(text, ',')) {
        if (!trim(piece).empty()) values.emplace_back(trim(piece));
    }
    return values;
}

host::ProbeRequest probe_request(const engine::EngineSettings& settings,
                                 const std::vector<std::string>& environment) {
    host::ProbeRequest request;
    request.data_directory = settings.data_root;
    request.programs = {"dockerd",
                        "containerd",
                        "runc",
                        "iptables",
                        "iptables-nft",
                        "iptables-legacy",
                        "ip6tables",
                        "iptables-restore",
                        "ip6tables-restore",
                        "fuse-overlayfs",
                        "zfs",
                        "modprobe",
                        "nft"};
    for (const char* name : {"KUBERNETES_SERVICE_HOST", "container"}) {
        if (const auto value = agent::variable_or_empty(environment, name); !value.empty())
            request.environment[name] = value;
    }
    return request;
}

}  // namespace

std::vector<std::string> agent_directories() {
    std::vector<std::string> found;
    for (const std::string directory : kAgentDirectories) {
        if (sys::is_directory(directory)) found.push_back(directory);
    }
    return found;
}

Result<DindPlan> DindPlan::read(const Config& config) {
    DindPlan plan;
    engine::EngineSettings& settings = plan.settings;
    settings.data_root = config.engine.data_root;
    settings.run_directory = kRunDirectory;
    settings.storage_driver = config.engine.storage_driver;
    settings.registry_mirrors = comma_list(config.engine.registry_mirrors);
    settings.insecure_registries = comma_list(config.engine.insecure_registries);
    settings.ca_certificates = config.engine.registry_ca_certs;
    settings.containers_memory_max = config.engine.containers_memory_max;
    settings.agent_memory_max = config.agent.memory_max;
    auto arguments = split_shell_words(config.engine.dockerd_arguments);
    if (!arguments) return fail(arguments.error(), "DOCKERD_ADDITIONAL_ARGS");
    settings.additional_arguments = std::move(*arguments);
    const std::string usual = settings.daemon_json;
    settings.daemon_json = engine::configuration_file_of(settings.additional_arguments, usual);
    SUPERVISOR_TRY_ASSIGN(text, engine::configuration_text(settings.daemon_json, usual));
    SUPERVISOR_TRY_ASSIGN(
        choices, engine::UserChoices::read(text, settings.daemon_json, settings.additional_arguments));
    plan.choices = std::move(choices);
    SUPERVISOR_TRY(engine::adopt_choices(plan.choices, settings));
    return plan;
}

Result<> DindPlan::probe(const Config& config, const std::vector<std::string>& environment) {
    host = host::probe(probe_request(settings, environment));
    SUPERVISOR_TRY_ASSIGN(request, engine::parse_containment(config.engine.containment));
    host::ContainmentProbe trial;
    trial.data_directory = settings.data_root;
    trial.cgroup_v2 = host.cgroup.mode == host::CgroupMode::V2;
    trial.directories = agent_directories();
    host::ContainmentFacts facts;
    if (request != engine::ContainmentRequest::Off) facts = host::probe_containment(trial);
    SUPERVISOR_TRY_ASSIGN(chosen, engine::plan_containment(request, facts));
    containment = std::move(chosen);
    settings.contained = containment.mode == engine::ContainmentMode::Userns;
    const auto place = engine::find_data_place(settings.data_root, containment.mode);
    if (!place.note.empty()) log::info("engine", place.note);
    settings.data_root = place.directory;
    return {};
}

Result<> DindPlan::decide(const std::vector<std::string>& environment, bool strict) {
    const auto dockerd = proc::find_executable("dockerd", environment);
    engine = engine::read_engine_facts(settings.data_root, dockerd.value_or("dockerd"), kVersionFile);
    const engine::PlanInput input{settings, choices, engine, host};
    if (!strict) {
        plan = engine::draft(input);
        return {};
    }
    SUPERVISOR_TRY_ASSIGN(planned, engine::plan(input));
    plan = std::move(planned);
    return {};
}

}  // namespace supervisor::cli
