#include "engine/engine_space.hpp"

#include <fcntl.h>
#include <sched.h>

#include <cerrno>
#include <cstdint>

#include "base/strings.hpp"
#include "engine/caps_mode.hpp"
#include "engine/shared_directories.hpp"
#include "engine/space_steps.hpp"
#include "host/device_directory.hpp"
#include "host/device_filter.hpp"
#include "host/device_group.hpp"
#include "host/id_mapped_mount.hpp"
#include "host/namespaces.hpp"
#include "proc/seccomp.hpp"
#include "sys/files.hpp"
#include "sys/paths.hpp"

namespace supervisor::engine {
namespace {

constexpr Milliseconds kSetupPatience(5000);
constexpr Milliseconds kGroupPatience(1000);

// Files of a cgroup that its owner may write (cgroups(7), "delegation"); each version has some of them.
constexpr const char* kDelegated[] = {"cgroup.procs", "cgroup.threads",    "cgroup.subtree_control",
                                      "tasks",        "notify_on_release", "cgroup.clone_children"};

// What is not there needs no owner.
Result<> give(const std::string& path, uid_t owner) {
    auto given = sys::change_owner(path, owner, owner);
    if (!given && given.error().code() == ENOENT) return {};
    return given;
}

Result<> delegate_directory(const std::string& directory, uid_t owner) {
    SUPERVISOR_TRY(give(directory, owner));
    for (const char* file : kDelegated) SUPERVISOR_TRY(give(directory + "/" + file, owner));
    return {};
}

// A v1 cpuset takes no process before these have a value.
void fill_cpuset(const SpaceCgroup& group) {
    const std::string parent = group.directory.substr(0, group.directory.rfind('/'));
    for (const char* file : {"/cpuset.cpus", "/cpuset.mems"}) {
        if (trim(sys::read_file_or(group.directory + file, "-")).empty())
            (void)sys::write_existing(group.directory + file, trim(sys::read_file_or(parent + file)));
    }
}

Result<> delegate(const SpaceCgroup& group, uid_t owner) {
    fill_cpuset(group);
    SUPERVISOR_TRY(delegate_directory(group.directory, owner));
    for (const auto& name : sys::list_directory(group.directory).value_or(std::vector<std::string>{})) {
        const std::string child = group.directory + "/" + name;
        if (sys::is_directory(child)) SUPERVISOR_TRY(delegate_directory(child, owner));
    }
    return {};
}

std::optional<LoopbackResolver> loopback_resolver(const std::string& resolv_conf) {
    for (const auto& line : split_lines(resolv_conf)) {
        const auto words = split_words(line);
        if (words.size() >= 2 && words[0] == "nameserver" && words[1].starts_with("127.")) {
            return find_resolver(std::string(words[1]), sys::read_file_or("/proc/net/udp"),
                                 sys::read_file_or("/proc/net/tcp"));
        }
    }
    return std::nullopt;
}

Result<std::vector<host::DeviceNode>> wanted_devices(const std::vector<std::string>& names) {
    std::vector<host::DeviceNode> nodes = host::standard_devices();
    for (const auto& name : names) {
        SUPERVISOR_TRY_ASSIGN(found, host::find_devices(name));
        nodes.insert(nodes.end(), found.begin(), found.end());
    }
    return nodes;
}

bool is_version2(const std::vector<SpaceCgroup>& groups) {
    return groups.size() == 1 && groups.front().controllers.empty();
}

// Descriptors of the cgroups that the holder is born in or moves to.
struct Birth {
    std::vector<UniqueFd> open;
    host::BirthPlace place;
};

Result<Birth> prepare_birth(const std::vector<SpaceCgroup>& groups, uid_t owner) {
    Birth birth;
    for (const auto& group : groups) {
        const bool version2 = is_version2(groups);
        SUPERVISOR_TRY(delegate(group, owner));
        auto opened = version2 ? sys::open_directory(group.directory)
                               : sys::open_file(group.directory + "/cgroup.procs", O_WRONLY);
        if (!opened) return fail(opened.error());
        if (version2) birth.place.cgroup_directory = opened->get();
        if (!version2) birth.place.cgroup_procs.push_back(opened->get());
        birth.open.push_back(std::move(*opened));
    }
    return birth;
}

// In a user namespace no node can be made, so there this is a second lock on the same door.
Result<> filter_devices(const SpaceInputs& inputs, const std::vector<host::DeviceNode>& devices) {
    for (const auto& directory : inputs.device_cgroups)
        SUPERVISOR_TRY(host::attach_device_filter(directory, devices));
    return {};
}

}  // namespace

struct EngineSpace::Contained {
    host::NamespaceHolder holder;
    SpaceNetwork network;
    FirewallPrograms firewall;
    SharedDirectories directories;
    UniqueFd outer_network;  // while the supervisor is in the engine's
};

// What caps mode puts on every process of the engine.
struct EngineSpace::Restricted {
    host::NamespaceHolder mounts;
    std::uint64_t bounding_set = 0;
    std::shared_ptr<const proc::SeccompProgram> seccomp;
    host::DeviceGroup devices;
};

Result<EngineSpace> EngineSpace::create(const ContainmentPlan& plan, const SpaceInputs& inputs,
                                        const proc::Spawner& spawner) {
    EngineSpace space;
    space.mode_ = plan.mode;
    space.spawner_ = &spawner;
    if (plan.mode == ContainmentMode::Off) return space;
    if (plan.mode == ContainmentMode::Caps) {
        if (auto restricted = space.restrict(inputs); !restricted)
            return fail(restricted.error(), "restrict the engine");
        return space;
    }
    space.contained_ = std::make_unique<Contained>();
    space.root_ = plan.engine_root();
    const auto all_mappable = space.move_directories(plan, inputs);
    if (auto built = space.build(all_mappable, inputs); !built)
        return fail(built.error(), "contain the engine");
    return space;
}

Result<> EngineSpace::restrict(const SpaceInputs& inputs) {
    restricted_ = std::make_unique<Restricted>();
    restricted_->bounding_set = caps_bounding_set();
    SUPERVISOR_TRY_ASSIGN(program, proc::compile(caps_seccomp_rules()));
    restricted_->seccomp = std::make_shared<const proc::SeccompProgram>(std::move(program));
    SUPERVISOR_TRY_ASSIGN(devices, wanted_devices(inputs.devices));
    SUPERVISOR_TRY_ASSIGN(directory, host::make_device_directory(devices, 0));
    SUPERVISOR_TRY(filter_devices(inputs, devices));
    limit_devices(inputs, devices);
    auto steps = plan_device_space();
    SUPERVISOR_TRY_ASSIGN(mounts, host::NamespaceHolder::start_mounts_only(std::move(steps.steps)));
    SUPERVISOR_TRY(mounts.proceed({directory.get()}));
    SUPERVISOR_TRY(mounts.finish(kSetupPatience));
    mounts.stop();
    restricted_->mounts = std::move(mounts);
    return {};
}

// Without it the engine is still better off than with no containment at all.
void EngineSpace::limit_devices(const SpaceInputs& inputs, const std::vector<host::DeviceNode>& devices) {
    if (inputs.device_groups.empty()) return;
    auto group = host::DeviceGroup::create(inputs.device_groups, devices, inputs.device_parent);
    if (group)
        restricted_->devices = std::move(*group);
    else
        open_devices_ = group.error().message();
}

ContainmentPlan EngineSpace::move_directories(const ContainmentPlan& plan, const SpaceInputs& inputs) {
    ContainmentPlan result = plan;
    result.unmappable.clear();
    if (inputs.stores.empty()) {
        for (const auto& path : plan.unmappable)
            unshared_.push_back(path + ": its file system cannot be id-mapped");
        return result;
    }
    contained_->directories = SharedDirectories::move(plan.unmappable, inputs.stores);
    for (const auto& moved : contained_->directories.moved()) result.mappable.push_back(moved.path);
    unshared_ = contained_->directories.left();
    return result;
}

Result<> EngineSpace::build(const ContainmentPlan& plan, const SpaceInputs& inputs) {
    SUPERVISOR_TRY_ASSIGN(link, plan_link(inputs.taken, inputs.mtu, inputs.ipv6));
    link.resolver = loopback_resolver(inputs.resolv_conf);
    auto steps = plan_space(plan, inputs, engine_resolv_conf(inputs.resolv_conf, link));
    SUPERVISOR_TRY(sys::make_directories(inputs.data_directory, 0711));
    // The holder walks there with the rights of nobody; an engine on the host's ids leaves its directory at
    // 0710.
    sys::let_others_pass(inputs.data_directory.substr(0, inputs.data_directory.rfind('/')));
    SUPERVISOR_TRY(sys::make_directories(inputs.run_directory));
    SUPERVISOR_TRY(give(inputs.run_directory, root_));
    SUPERVISOR_TRY_ASSIGN(birth, prepare_birth(inputs.cgroups, root_));

    SUPERVISOR_TRY_ASSIGN(holder,
                          host::NamespaceHolder::start(plan.ids, birth.place, std::move(steps.steps)));
    contained_->holder = std::move(holder);
    SUPERVISOR_TRY_ASSIGN(mounts, prepare_mounts(inputs, steps.mounts));
    std::vector<int> descriptors;
    for (const auto& mount : mounts) descriptors.push_back(mount.get());
    SUPERVISOR_TRY(contained_->holder.proceed(descriptors));
    SUPERVISOR_TRY_ASSIGN(network, SpaceNetwork::create(link, contained_->holder.descriptor(CLONE_NEWNET)));
    contained_->network = std::move(network);
    contained_->firewall = inputs.firewall;
    contained_->network.look_for_stale_rules(*spawner_, inputs.firewall);
    return {};
}

Result<std::vector<UniqueFd>> EngineSpace::prepare_mounts(const SpaceInputs& inputs,
                                                          const std::vector<PreparedMount>& mounts) const {
    const int user_namespace = contained_->holder.descriptor(CLONE_NEWUSER);
    SUPERVISOR_TRY_ASSIGN(devices, wanted_devices(inputs.devices));
    SUPERVISOR_TRY(filter_devices(inputs, devices));
    std::vector<UniqueFd> prepared;
    for (const auto& mount : mounts) {
        auto made = mount.kind == PreparedMount::Kind::IdMapped
                        ? host::id_mapped_copy(mount.path, user_namespace)
                    : mount.kind == PreparedMount::Kind::AsIs ? host::clone_mount(mount.path)
                                                              : host::make_device_directory(devices, root_);
        if (!made) return fail(std::move(made).error());
        prepared.push_back(std::move(*made));
    }
    return prepared;
}

Result<> EngineSpace::finish(Milliseconds patience) {
    if (!contained_) return {};
    auto& contained = *contained_;
    auto finished = contained.network.start_rules(*spawner_, contained.firewall);
    if (finished) finished = contained.holder.finish(patience);
    if (finished) finished = contained.network.finish_rules(*spawner_, patience);
    if (!finished) return fail(finished.error(), "contain the engine");
    contained.holder.release();
    return {};
}

Result<> EngineSpace::enter_network() {
    if (!contained_) return {};
    SUPERVISOR_TRY_ASSIGN(own, host::current_network_namespace());
    SUPERVISOR_TRY(host::enter_network_namespace(contained_->holder.descriptor(CLONE_NEWNET)));
    contained_->outer_network = std::move(own);
    return {};
}

void EngineSpace::place(proc::ChildPlan& child) const {
    if (restricted_) {
        child.namespaces.push_back({restricted_->mounts.descriptor(CLONE_NEWNS), CLONE_NEWNS});
        child.bounding_set = restricted_->bounding_set;
        child.seccomp = restricted_->seccomp;
        if (const int procs = restricted_->devices.procs(); procs >= 0) child.cgroup_procs.push_back(procs);
    }
    if (!contained_) return;
    const auto& holder = contained_->holder;
    // The user namespace first: membership gives the right to enter the others.
    for (const int type :
         {CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWNET, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWCGROUP}) {
        child.namespaces.push_back({holder.descriptor(type), type});
    }
    child.pid_namespace = holder.descriptor(CLONE_NEWPID);
    child.identity = proc::Identity{0, 0, {}};
}

void EngineSpace::place_agent(proc::ChildPlan& child) const {
    if (contained_) child.namespaces.push_back({contained_->holder.descriptor(CLONE_NEWNET), CLONE_NEWNET});
}

pid_t EngineSpace::holder() const noexcept {
    return contained_ ? contained_->holder.pid() : 0;
}

void EngineSpace::kill_all() const noexcept {
    if (contained_) contained_->holder.kill();
}

Result<> EngineSpace::remove() {
    if (restricted_) return restricted_->devices.remove(kGroupPatience);
    if (!contained_) return {};
    kill_all();
    if (contained_->outer_network)
        SUPERVISOR_TRY(host::enter_network_namespace(contained_->outer_network.get()));
    auto removed = contained_->network.remove(*spawner_);
    contained_.reset();
    if (!removed) return fail(removed.error(), "remove the engine's network");
    return {};
}

const LinkPlan* EngineSpace::link() const noexcept {
    return contained_ ? &contained_->network.link() : nullptr;
}

EngineSpace::EngineSpace() = default;
EngineSpace::EngineSpace(EngineSpace&&) noexcept = default;

EngineSpace& EngineSpace::operator=(EngineSpace&& other) noexcept {
    if (this == &other) return *this;
    (void)remove();
    mode_ = other.mode_;
    root_ = other.root_;
    spawner_ = other.spawner_;
    unshared_ = std::move(other.unshared_);
    open_devices_ = std::move(other.open_devices_);
    restricted_ = std::move(other.restricted_);
    contained_ = std::move(other.contained_);
    return *this;
}

EngineSpace::~EngineSpace() {
    (void)remove();
}

}  // namespace supervisor::engine
