#include "cli/dind.hpp"

#include <unistd.h>

#include "base/log.hpp"
#include "base/strings.hpp"
#include "engine/certificates.hpp"
#include "engine/environment.hpp"
#include "sys/capabilities.hpp"
#include "sys/files.hpp"
#include "sys/procfs.hpp"

namespace supervisor::cli {
namespace {

constexpr const char* kComponent = "engine";
// What supervisor and engine share: notify sockets and generated configuration.
constexpr const char* kEngineDirectory = "/run/gocd-supervisor/engine";
// Behind a broker the engine's own socket is for the broker and our helpers alone.
constexpr const char* kRawSocket = "/run/gocd-supervisor/engine.sock";
constexpr gid_t kBrokerGroup = 64'970;
constexpr Milliseconds kCgroupPatience{500};
constexpr int kHolderRounds = 300;  // milliseconds

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

}  // namespace

tl::expected<void, Failure> Dind::prepare() {
    auto plan = DindPlan::read(context_.config);
    if (!plan) return failure(kExitUsage, plan.error());
    plan_ = std::move(*plan);
    if (auto taken = take_data_directory(); !taken) return failure(kExitHost, taken.error());
    if (auto decided = decide(); !decided) return failure(kExitHost, decided.error());
    if (auto applied = apply(); !applied) return failure(kExitHost, applied.error());
    if (auto made = make_engine(); !made) return failure(kExitHost, made.error());
    // Last: the engine must find the sockets that it shares with the outside.
    if (auto made = make_space(); !made) return failure(kExitHost, made.error());
    return {};
}

// From here on no other supervisor can run an engine on this directory.
Result<> Dind::take_data_directory() {
    const EngineConfig& config = context_.config.engine;
    const std::string host_name(trim(sys::read_file_or("/proc/sys/kernel/hostname")));
    const std::string holder = engine::describe_holder(host_name, std::chrono::system_clock::now());
    if (config.data_pool.empty()) {
        SUPERVISOR_TRY_ASSIGN(directory, engine::DataDirectory::lock(plan_->settings.data_root, holder));
        data_directory_ = std::move(directory);
        return {};
    }
    SUPERVISOR_TRY_ASSIGN(slot, engine::take_pool_slot(config.data_pool, config.data_pool_max, holder));
    data_directory_ = std::move(slot.directory);
    plan_->settings.data_root = data_directory_->path();
    context_.events.event("data directory", "slot " + data_directory_->path());
    discarded_slots_ = std::move(slot.discarded);
    return {};
}

Result<> Dind::decide() {
    stores_ = plan_->settings.data_root + "/agent";
    SUPERVISOR_TRY(plan_->probe(context_.config, context_.environment));
    auto& settings = plan_->settings;
    SUPERVISOR_TRY_ASSIGN(repairs, engine::repair_leftovers(settings.data_root, settings.exec_root,
                                                            std::chrono::system_clock::now()));
    for (const auto& path : repairs.removed) log::debug(kComponent, "removed stale " + path);
    for (const auto& path : repairs.set_aside)
        log::warn(kComponent, "a damaged file of an earlier engine was set aside as " + path);
    SUPERVISOR_TRY(plan_->decide(context_.environment, true));
    context_.events.reached("host examined");
    log_decisions(plan_->plan);
    daemon_ = engine::daemon_config(plan_->plan, settings, plan_->choices);
    return {};
}

Result<> Dind::apply() {
    SUPERVISOR_TRY_ASSIGN(prepared,
                          engine::PreparedHost::prepare(plan_->plan, plan_->settings, daemon_, plan_->host));
    host_ = std::move(prepared);
    for (const auto& warning : host_->warnings()) log::warn(kComponent, warning);
    SUPERVISOR_TRY_ASSIGN(engine, host_->cgroups().placement(plan_->plan.cgroup.engine));
    SUPERVISOR_TRY_ASSIGN(agent, host_->cgroups().placement(plan_->plan.cgroup.agent));
    engine_placement_ = std::move(engine);
    agent_placement_ = std::move(agent);
    return {};
}

Result<> Dind::make_engine() {
    if (behind_broker()) {
        const sys::SocketAccess access{plan_->containment.engine_root(), docker_group(), 0660};
        broker_ = std::make_unique<BrokerService>(
            context_, BrokerPlace{plan_->settings.socket, kRawSocket, kBrokerGroup, access,
                                  broker::Mode::Dind, agent_directories()});
        SUPERVISOR_TRY(broker_->prepare());
    }
    engine::EngineEvents events{[this](engine::EngineState state) { engine_changed(state); },
                                context_.events.failed};
    engine_ = std::make_unique<engine::Engine>(context_.loop, context_.processes, engine_setup(),
                                               std::move(events));
    housekeeping_ =
        std::make_unique<engine::Housekeeping>(context_.loop, context_.processes, housekeeping_setup());
    remover_ = std::make_unique<engine::DataRemover>(context_.processes, remover_setup());
    return engine_->listen();
}

std::string Dind::engine_socket() const {
    return behind_broker() ? kRawSocket : plan_->settings.socket;
}

engine::HousekeepingSetup Dind::housekeeping_setup() {
    const auto cleanup = context_.config.agent.job_cleanup;
    engine::HousekeepingSetup setup;
    setup.socket_path = engine_socket();
    setup.data_root = plan_->settings.data_root;
    setup.high_water_percent = context_.config.engine.data_high_water;
    setup.remove_containers = cleanup != JobCleanup::Off;
    setup.remove_everything = cleanup == JobCleanup::All;
    setup.helper = [this](const std::vector<std::string>& words) { return helper_plan(words); };
    setup.said = [this](const std::string& line) { context_.events.event("housekeeping", line); };
    return setup;
}

engine::DataRemover::Setup Dind::remover_setup() {
    engine::DataRemover::Setup setup;
    setup.directories = std::move(discarded_slots_);
    setup.helper = [this](const std::vector<std::string>& words) {
        proc::ChildPlan plan = helper_plan(words);
        plan.identity = proc::Identity{0, 0, {}};
        plan.capabilities = proc::Capabilities::Keep;
        plan.bounding_set = sys::capability_mask({sys::kCapDacOverride, sys::kCapFowner});
        return plan;
    };
    setup.said = [this](const std::string& line) { context_.events.event("data pool", line); };
    return setup;
}

engine::SpaceInputs Dind::space_inputs() const {
    const host::HostFacts& host = plan_->host;
    const engine::CgroupPlan& cgroup = plan_->plan.cgroup;
    engine::SpaceInputs inputs;
    inputs.data_directory = plan_->settings.data_root;
    inputs.run_directory = kEngineDirectory;
    inputs.socket = plan_->settings.socket;
    inputs.stores = stores_;
    const auto directories = host_->cgroups().directories("engine");
    if (host.cgroup.mode == host::CgroupMode::V2) {
        inputs.cgroups.push_back({"", host.cgroup.mount_point, directories.at(0)});
        inputs.device_cgroups = directories;
        if (!plan_->settings.contained)
            inputs.device_cgroups.push_back(host_->cgroups().directories(cgroup.containers).at(0));
    } else {
        for (std::size_t i = 0; i < directories.size(); ++i) {
            const auto& hierarchy = cgroup.layout.hierarchies.at(i);
            inputs.cgroups.push_back({hierarchy.controllers, hierarchy.mount_point, directories[i]});
        }
        // Where runc sees the version 2 tree it gives containers groups there, by the same names.
        inputs.device_groups = {cgroup.engine, cgroup.containers};
        if (host.cgroup.mode != host::CgroupMode::Hybrid) inputs.device_groups.pop_back();
    }
    for (const auto& device : split(context_.config.engine.devices, ',')) {
        if (!trim(device).empty()) inputs.devices.emplace_back(trim(device));
    }
    if (plan_->plan.storage.driver == "fuse-overlayfs") inputs.devices.emplace_back("fuse");
    for (const auto& route : host.network.routes) {
        if (route.mask != 0)
            inputs.taken.push_back(
                {route.destination, static_cast<unsigned>(__builtin_popcount(route.mask))});
    }
    inputs.mtu = host.network.default_mtu == 0 ? 1500 : host.network.default_mtu;
    const bool legacy = plan_->plan.network.backend == engine::IptablesBackend::Legacy;
    const auto& filter = host.network.netfilter;
    inputs.ipv6 = host.network.ipv6 && (legacy ? filter.legacy_tables6 : filter.nftables_nat6());
    inputs.resolv_conf = sys::read_file_or("/etc/resolv.conf");
    const auto program = [&](const char* name) {
        const auto found = host.programs.find(name);
        return found == host.programs.end() ? std::string() : found->second;
    };
    // Beside the program of the chosen backend lies the one that restores rules.
    const std::string iptables = program(legacy ? "iptables-legacy" : "iptables-nft");
    inputs.firewall.iptables_restore = iptables.empty() ? program("iptables-restore") : iptables + "-restore";
    inputs.firewall.ip6tables_restore =
        iptables.empty() ? program("ip6tables-restore")
                         : replace_all(inputs.firewall.iptables_restore, "/iptables-", "/ip6tables-");
    return inputs;
}

Result<> Dind::make_space() {
    const auto& containment = plan_->containment;
    context_.events.event("containment " + std::string(engine::to_string(containment.mode)),
                          containment.reason);
    auto space = engine::EngineSpace::create(containment, space_inputs(), context_.spawner);
    if (!space) return fail(space.error(), "contain the engine");
    space_ = std::move(*space);
    for (const auto& directory : space_.unshared())
        log::warn(kComponent, "inner containers cannot write to this directory of the agent: " + directory);
    if (const auto* link = space_.link(); link != nullptr && !link->ipv6_problem.empty())
        log::warn(kComponent, "engine and jobs have no IPv6: " + link->ipv6_problem);
    if (!space_.open_devices().empty())
        log::warn(kComponent, "inner privileged containers can open every device: " + space_.open_devices());
    if (space_.holder() > 0) {
        context_.reaper.expect(space_.holder(),
                               [this](const proc::ExitStatus& status) { holder_ended(status); });
    }
    return {};
}

void Dind::holder_ended(const proc::ExitStatus& status) {
    holder_gone_ = true;
    if (!stopping_) context_.events.failed("the engine's namespaces are gone: their holder " + status.text());
}

engine::EngineSetup Dind::engine_setup() {
    const auto paths = engine::engine_paths(plan_->settings);
    const uid_t root = plan_->containment.engine_root();
    engine::EngineSetup setup;
    setup.socket_path = engine_socket();
    setup.socket_access = {root, behind_broker() ? kBrokerGroup : docker_group(), 0660};
    setup.run_directory = kEngineDirectory;
    setup.notify_access = {root, root, 0600};
    setup.containerd_command = {"containerd", "--config", paths.containerd_toml};
    setup.dockerd_command = daemon_.command;
    setup.dockerd_pid_file = paths.dockerd_pid;
    setup.environment =
        engine::engine_environment(as_map(context_.environment), plan_->plan, plan_->settings);
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
    plan.identity = proc::Identity{kNobody, kNobody, {behind_broker() ? kBrokerGroup : docker_group()}};
    plan.capabilities = proc::Capabilities::None;
    plan.no_new_privileges = true;
    return plan;
}

void Dind::start() {
    // The agent was spawned before this: it needs no part of the space that is still being made.
    if (auto finished = space_.finish(); !finished) return context_.events.failed(finished.error().message());
    // Who attaches to the container gets the network of its first process, and wants to be where jobs are.
    if (auto entered = space_.enter_network(); !entered) log::warn(kComponent, entered.error().message());
    const auto known = host_->cgroups().warnings().size();
    host_->cgroups().settle();
    for (std::size_t i = known; i < host_->cgroups().warnings().size(); ++i)
        log::warn(kComponent, host_->cgroups().warnings()[i]);
    watch_memory();
    engine_->start();
    if (broker_) broker_->start();
}

void Dind::watch_memory() {
    const engine::CgroupPlan& cgroup = plan_->plan.cgroup;
    engine::OomWatch::Setup setup;
    setup.groups = {cgroup.supervisor, cgroup.engine, cgroup.containers, cgroup.agent};
    setup.own_path = engine::own_memory_cgroup(plan_->host.cgroup);
    setup.said = [this](const std::string& line) {
        log::warn("memory", line);
        context_.events.event("out of memory", line);
    };
    oom_watch_ = std::make_unique<engine::OomWatch>(context_.loop, host_->cgroups(), std::move(setup));
}

void Dind::engine_changed(engine::EngineState state) {
    const bool ready = state == engine::EngineState::Ready;
    if (ready) context_.events.reached("engine ready");
    if (ready && !std::exchange(was_ready_, true)) {
        housekeeping_->engine_ready();
        remover_->start();
    }
    context_.events.event("engine " + std::string(engine::to_text(state)),
                          ready ? engine_->description() : engine_->cause());
}

void Dind::stop(Deadline deadline, std::function<void()> done) {
    stopping_ = true;
    housekeeping_->stop();
    remover_->stop();
    auto stop_engine = [this, deadline, done = std::move(done)] { engine_->stop(deadline, done); };
    if (!broker_) return stop_engine();
    // The engine's own stop removes everything: the broker need not do it object by object.
    broker_->stop(Deadline::after(context_.loop.clock(), Milliseconds(0)), std::move(stop_engine));
}

std::vector<std::string> Dind::clean_up() {
    stopping_ = true;
    std::vector<std::string> killed;
    if (engine_ && !engine_->killed_inside().empty()) killed.push_back(engine_->killed_inside());
    space_.kill_all();
    if (host_) {
        const engine::CgroupPlan& cgroup = plan_->plan.cgroup;
        for (const auto& group : {cgroup.agent, cgroup.engine, cgroup.containers}) {
            if (!host_->cgroups().empty(group)) killed.push_back("processes in cgroup " + group);
            (void)host_->cgroups().kill(group);
        }
    }
    // A pid namespace is gone only when its first process was reaped, and what was mounted in it only then.
    for (int i = 0; i < kHolderRounds && space_.holder() > 0 && !holder_gone_; ++i) {
        ::usleep(1'000);
        context_.reaper.reap();
    }
    if (auto removed = space_.remove(); !removed) log::warn(kComponent, removed.error().message());
    if (broker_) broker_->remove_socket();
    if (engine_) engine_->close_socket();
    oom_watch_.reset();
    if (host_) {
        for (const auto& problem : host_->undo(kCgroupPatience)) log::warn(kComponent, problem);
        host_.reset();
    }
    return killed;
}

void Dind::place_agent(proc::ChildPlan& plan) const {
    join(plan, agent_placement_);
    space_.place_agent(plan);
}

int Dind::kill_agent_leftovers() {
    if (!host_ || host_->cgroups().empty(plan_->plan.cgroup.agent)) return 0;
    (void)host_->cgroups().kill(plan_->plan.cgroup.agent);
    return 1;
}

bool Dind::agent_was_killed_for_memory() {
    const auto kills = host_ ? host_->cgroups().oom_kills(plan_->plan.cgroup.agent) : 0;
    return kills > std::exchange(agent_memory_kills_, kills);
}

std::vector<std::string> Dind::agent_environment() const {
    std::vector<std::string> variables;
    if (!plan_->settings.ca_certificates.empty()) {
        const std::string bundle = std::string(kRunDirectory) + "/ca-certificates.crt";
        if (auto written = engine::write_bundle(plan_->settings.ca_certificates, bundle); !written) {
            log::warn(kComponent, written.error().message());
        } else {
            variables = engine::bundle_environment(bundle);
        }
    }
    if (behind_broker() && context_.config.broker.policy != "trusted")
        variables.emplace_back("DOCKER_BUILDKIT=0");
    return variables;
}

void Dind::job_finished() {
    housekeeping_->job_finished();
    if (broker_) broker_->job_finished();
}

std::string Dind::not_ready_because() const {
    if (!engine_) return "the host is being prepared";
    if (broker_ && !broker_->ready()) return "the broker is not ready";
    if (engine_->state() == engine::EngineState::Ready) return {};
    return "the engine is " + std::string(engine::to_text(engine_->state())) +
           (engine_->cause().empty() ? "" : ": " + engine_->cause());
}

void Dind::describe(StatusModel& model) const {
    if (!engine_) return;
    model.containment = engine::to_string(plan_->containment.mode);
    model.containment_reason = plan_->containment.reason;
    model.engine_state = engine::to_text(engine_->state());
    model.engine = engine_->description();
    model.services.emplace_back("containerd", engine_->containerd().snapshot());
    model.services.emplace_back("dockerd", engine_->dockerd().snapshot());
    if (broker_) broker_->describe(model);
}

}  // namespace supervisor::cli
