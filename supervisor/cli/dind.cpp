#include "cli/dind.hpp"

#include <unistd.h>

#include "base/log.hpp"
#include "base/strings.hpp"
#include "engine/containerd_config.hpp"
#include "engine/environment.hpp"
#include "sys/files.hpp"
#include "sys/procfs.hpp"

namespace supervisor::cli {
namespace {

constexpr const char* kComponent = "engine";
// What supervisor and engine share: notify sockets and generated configuration.
constexpr const char* kEngineDirectory = "/run/gocd-supervisor/engine";
constexpr Milliseconds kCgroupPatience{500};

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

void log_decisions(const engine::EnginePlan& plan) {
    for (const auto& decision : plan.decisions) {
        const auto level = decision.verdict == engine::Verdict::Ok ? log::Level::Debug : log::Level::Warn;
        log::write(level, kComponent, decision.topic + ": " + decision.choice + " (" + decision.reason + ")");
    }
}

void join(proc::ChildPlan& plan, const host::CgroupPlacement& placement) {
    plan.cgroup_directory = placement.directory;
    plan.cgroup_procs = placement.procs;
}

// --- what apply() carries out of a MountsPlan ---

Result<> carry_out(const engine::MountsPlan& mounts, host::UndoLog& undo) {
    if (mounts.share_root) SUPERVISOR_TRY(host::make_shared("/"));
    if (mounts.securityfs) SUPERVISOR_TRY(host::mount_securityfs(undo));
    if (mounts.writable_proc_sys) SUPERVISOR_TRY(host::remount_writable("/proc/sys"));
    for (const auto& directory : mounts.tmpfs) SUPERVISOR_TRY(host::mount_tmpfs(directory, "mode=755", undo));
    if (mounts.make_kmsg) SUPERVISOR_TRY(host::make_character_device("/dev/kmsg", 1, 11, 0600, undo));
    return {};
}

}  // namespace

tl::expected<void, Failure> Dind::prepare() {
    const auto failure = [](int code, const Error& error) { return tl::unexpected<Failure>(Failure{code, error}); };
    auto plan = DindPlan::read(context_.config);
    if (!plan) return failure(kExitUsage, plan.error());
    plan_ = std::move(*plan);
    if (auto decided = plan_->decide(context_.config, context_.environment); !decided) return failure(kExitHost, decided.error());
    log_decisions(plan_->plan);
    daemon_ = engine::daemon_config(plan_->plan, plan_->settings, plan_->choices);
    if (auto applied = apply(); !applied) return failure(kExitHost, applied.error());
    engine::EngineEvents events{[this](engine::EngineState state) { engine_changed(state); }, context_.events.failed};
    // The socket before the space, which shares it with the engine.
    engine_ = std::make_unique<engine::Engine>(context_.loop, context_.processes, engine_setup(), std::move(events));
    if (auto listening = engine_->listen(); !listening) return failure(kExitHost, listening.error());
    if (auto made = make_space(); !made) return failure(kExitHost, made.error());
    return {};
}

Result<> Dind::apply() {
    SUPERVISOR_TRY(apply_mounts());
    SUPERVISOR_TRY(apply_cgroups());
    return write_configuration();
}

Result<> Dind::apply_mounts() {
    SUPERVISOR_TRY(carry_out(plan_->plan.mounts, undo_));
    if (!plan_->plan.storage.make_fuse_device) return {};
    return host::make_character_device("/dev/fuse", 10, 229, 0666, undo_);
}

Result<> Dind::apply_cgroups() {
    const engine::CgroupPlan& plan = plan_->plan.cgroup;
    auto manager = host::CgroupManager::create(plan.layout);
    if (!manager) return fail(manager.error(), "prepare cgroups");
    cgroups_ = std::move(*manager);
    for (const auto& warning : cgroups_->warnings()) log::warn(kComponent, warning);
    SUPERVISOR_TRY_ASSIGN(engine, cgroups_->placement(plan.engine));
    SUPERVISOR_TRY_ASSIGN(agent, cgroups_->placement(plan.agent));
    engine_placement_ = std::move(engine);
    agent_placement_ = std::move(agent);
    return {};
}

Result<> Dind::write_configuration() const {
    const auto paths = engine::engine_paths(plan_->settings);
    SUPERVISOR_TRY(sys::make_directories(kEngineDirectory, 0711));
    SUPERVISOR_TRY(sys::replace_file(paths.daemon_json, to_pretty_text(daemon_.file), 0644));
    return sys::replace_file(paths.containerd_toml, engine::containerd_config(paths), 0644);
}

engine::SpaceInputs Dind::space_inputs() const {
    const host::HostFacts& host = plan_->host;
    const engine::CgroupPlan& cgroup = plan_->plan.cgroup;
    engine::SpaceInputs inputs;
    inputs.data_directory = plan_->settings.data_root;
    inputs.run_directory = kEngineDirectory;
    inputs.socket = plan_->settings.socket;
    inputs.stores = context_.config.engine.data_root + "/agent";
    const auto directories = cgroups_->directories("engine");
    if (host.cgroup.mode == host::CgroupMode::V2) {
        inputs.cgroups.push_back({"", host.cgroup.mount_point, directories.at(0)});
        inputs.device_cgroups = directories;
        for (const auto& group : cgroups_->directories(cgroup.containers)) inputs.device_cgroups.push_back(group);
    } else {
        for (std::size_t i = 0; i < directories.size(); ++i) {
            const auto& hierarchy = cgroup.layout.hierarchies.at(i);
            inputs.cgroups.push_back({hierarchy.controllers, hierarchy.mount_point, directories[i]});
        }
    }
    for (const auto& device : split(context_.config.engine.devices, ',')) {
        if (!trim(device).empty()) inputs.devices.emplace_back(trim(device));
    }
    for (const auto& route : host.network.routes) {
        if (route.mask != 0) inputs.taken.push_back({route.destination, static_cast<unsigned>(__builtin_popcount(route.mask))});
    }
    inputs.mtu = host.network.default_mtu == 0 ? 1500 : host.network.default_mtu;
    inputs.ipv6 = host.network.ipv6;
    inputs.resolv_conf = sys::read_file_or("/etc/resolv.conf");
    const auto program = [&](const char* name) {
        const auto found = host.programs.find(name);
        return found == host.programs.end() ? std::string() : found->second;
    };
    inputs.firewall = {program("iptables-restore"), program("ip6tables-restore")};
    return inputs;
}

Result<> Dind::make_space() {
    const auto& containment = plan_->containment;
    context_.events.event("containment " + std::string(engine::to_string(containment.mode)), containment.reason);
    auto space = engine::EngineSpace::create(containment, space_inputs(), context_.spawner);
    if (!space) return fail(space.error(), "contain the engine");
    space_ = std::move(*space);
    for (const auto& directory : space_.unshared())
        log::warn(kComponent, "inner containers cannot write to this directory of the agent: " + directory);
    if (space_.holder() > 0) {
        context_.reaper.expect(space_.holder(), [this](const proc::ExitStatus& status) { holder_ended(status); });
    }
    return {};
}

void Dind::holder_ended(const proc::ExitStatus& status) {
    if (!stopping_) context_.events.failed("the engine's namespaces are gone: their holder " + status.text());
}

engine::EngineSetup Dind::engine_setup() {
    const auto paths = engine::engine_paths(plan_->settings);
    const uid_t root = plan_->containment.engine_root();
    engine::EngineSetup setup;
    setup.socket_path = plan_->settings.socket;
    setup.socket_access = {root, docker_group(), 0660};
    setup.run_directory = kEngineDirectory;
    setup.notify_access = {root, root, 0600};
    setup.containerd_command = {"containerd", "--config", paths.containerd_toml};
    setup.dockerd_command = daemon_.command;
    setup.environment = engine::engine_environment(as_map(context_.environment), plan_->plan, plan_->settings);
    setup.expected_driver = plan_->plan.storage.expected_driver();
    setup.start_timeout = context_.config.engine.start_timeout;
    setup.place = [this](proc::ChildPlan& plan) {
        plan.limits = {{RLIMIT_NOFILE, plan_->plan.open_files.soft, plan_->plan.open_files.hard}};
        plan.oom_score_adjust = plan_->plan.security.oom_score_adjust;
        join(plan, engine_placement_);
        space_.place(plan);
    };
    setup.helper = [this](const std::vector<std::string>& words) { return helper_plan(words); };
    return setup;
}

proc::ChildPlan Dind::helper_plan(const std::vector<std::string>& words) const {
    constexpr uid_t kNobody = 65534;
    proc::ChildPlan plan;
    plan.name = words.at(0);
    plan.executable = "/proc/self/exe";
    plan.arguments = {"gocd-supervisor"};
    plan.arguments.insert(plan.arguments.end(), words.begin(), words.end());
    plan.environment = {"PATH=/usr/local/bin:/usr/bin:/bin"};
    plan.identity = proc::Identity{kNobody, kNobody, {docker_group()}};
    plan.capabilities = proc::Capabilities::None;
    plan.no_new_privileges = true;
    return plan;
}

void Dind::start() {
    // The agent was spawned before this: it needs no part of the space that is still being made.
    if (auto finished = space_.finish(); !finished) return context_.events.failed(finished.error().message());
    engine_->start();
}

void Dind::engine_changed(engine::EngineState state) {
    const bool ready = state == engine::EngineState::Ready;
    if (ready) context_.events.reached("engine ready");
    context_.events.event("engine " + std::string(engine::to_text(state)), ready ? engine_->description() : engine_->cause());
}

void Dind::stop(Deadline deadline, std::function<void()> done) {
    stopping_ = true;
    engine_->stop(deadline, std::move(done));
}

std::vector<std::string> Dind::clean_up() {
    stopping_ = true;
    std::vector<std::string> killed;
    space_.kill_all();
    if (cgroups_) {
        for (const auto& group : {plan_->plan.cgroup.agent, plan_->plan.cgroup.engine, plan_->plan.cgroup.containers}) {
            if (!cgroups_->empty(group)) killed.push_back("processes in cgroup " + group);
            (void)cgroups_->kill(group);
        }
    }
    context_.reaper.reap();
    if (auto removed = space_.remove(); !removed) log::warn(kComponent, removed.error().message());
    if (cgroups_) {
        agent_placement_ = {};
        engine_placement_ = {};
        if (auto removed = cgroups_->remove(kCgroupPatience); !removed) log::warn(kComponent, removed.error().message());
        cgroups_.reset();
    }
    for (const auto& problem : undo_.run()) log::warn(kComponent, problem);
    return killed;
}

void Dind::place_agent(proc::ChildPlan& plan) const {
    join(plan, agent_placement_);
    space_.place_agent(plan);
}

int Dind::kill_agent_leftovers() {
    if (!cgroups_ || cgroups_->empty(plan_->plan.cgroup.agent)) return 0;
    (void)cgroups_->kill(plan_->plan.cgroup.agent);
    return 1;
}

bool Dind::agent_was_killed_for_memory() {
    const auto kills = cgroups_ ? cgroups_->oom_kills(plan_->plan.cgroup.agent) : 0;
    return kills > std::exchange(agent_memory_kills_, kills);
}

std::string Dind::not_ready_because() const {
    if (!engine_) return "the host is being prepared";
    if (engine_->state() == engine::EngineState::Ready) return {};
    return "the engine is " + std::string(engine::to_text(engine_->state())) + (engine_->cause().empty() ? "" : ": " + engine_->cause());
}

void Dind::describe(StatusModel& model) const {
    if (!engine_) return;
    model.containment = engine::to_string(plan_->containment.mode);
    model.containment_reason = plan_->containment.reason;
    model.engine_state = engine::to_text(engine_->state());
    model.engine = engine_->description();
    model.services.emplace_back("containerd", engine_->containerd().snapshot());
    model.services.emplace_back("dockerd", engine_->dockerd().snapshot());
}

}  // namespace supervisor::cli
