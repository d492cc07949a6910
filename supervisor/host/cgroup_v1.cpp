#include <fcntl.h>
#include <fmt/core.h>
#include <signal.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <map>

#include "base/strings.hpp"
#include "host/cgroup_tree.hpp"
#include "host/cgroup_versions.hpp"
#include "host/mounts.hpp"
#include "sys/files.hpp"

namespace supervisor::host {
namespace {

constexpr const char* kTop = "/sys/fs/cgroup";

bool controls(const CgroupHierarchy& hierarchy, std::string_view controller) {
    const auto names = split(hierarchy.controllers, ',');
    return std::find(names.begin(), names.end(), controller) != names.end();
}

// "name=systemd" → "systemd": the directory it is mounted on by custom.
std::string directory_name(const std::string& controllers) {
    return controllers.starts_with("name=") ? controllers.substr(5) : controllers;
}

class Version1 final : public CgroupManager {
  public:
    explicit Version1(const CgroupLayout& layout) : layout_(layout) {}

    Result<> apply();
    Result<CgroupPlacement> placement(const std::string& group) override;
    Result<> set_limits(const std::string& group, const CgroupLimits& limits) override;
    Result<> kill(const std::string& group) override;
    bool empty(const std::string& group) override;
    std::uint64_t oom_kills(const std::string& group) override;
    Result<UniqueFd> oom_events(const std::string& group) override;
    Result<> remove(Milliseconds patience) override;
    std::vector<std::string> directories(const std::string& group) const override;

  private:
    Result<> make_writable() const;
    void mount_missing();
    void mount_one(const UnmountedHierarchy& hierarchy);
    void hide_unscoped();
    Result<> make_group_everywhere(const CgroupGroup& group);
    const CgroupHierarchy* hierarchy_with(std::string_view controller) const;
    // The hierarchy whose member lists are used to find processes.
    const CgroupHierarchy& member_list() const;

    CgroupLayout layout_;
    std::map<std::string, std::vector<UniqueFd>> procs_;
    std::vector<std::string> mounted_;
};

std::string path_in(const CgroupHierarchy& hierarchy, const std::string& group) {
    return hierarchy.own_directory + "/" + group;
}

Result<> no_memory_hierarchy() {
    return fail("no memory limits: the memory hierarchy is not mounted");
}

// A new cpuset has no cpus and no memory nodes, and refuses processes until it has.
Result<> fill_cpuset(const std::string& group, const std::string& parent) {
    for (const char* file : {"/cpuset.cpus", "/cpuset.mems"}) {
        if (!trim(sys::read_file_or(group + file)).empty()) continue;
        SUPERVISOR_TRY_ASSIGN(value, sys::read_file(parent + file));
        SUPERVISOR_TRY(sys::write_existing(group + file, trim(value)));
    }
    return {};
}

std::string parent_of(const std::string& path) {
    return path.substr(0, path.find_last_of('/'));
}

Result<> Version1::apply() {
    if (layout_.make_writable) SUPERVISOR_TRY(make_writable());
    hide_unscoped();
    mount_missing();
    if (layout_.hierarchies.empty()) return fail("no cgroup hierarchy is mounted");
    for (const auto& group : layout_.groups) {
        if (group.name == layout_.nest) continue;
        SUPERVISOR_TRY(make_group_everywhere(group));
        if (auto limited = set_limits(group.name, group.limits); !limited)
            warnings_.push_back(limited.error().message());
    }
    return {};
}

Result<> Version1::make_writable() const {
    SUPERVISOR_TRY(remount_writable(kTop));
    for (const auto& hierarchy : layout_.hierarchies) {
        if (hierarchy.read_only) SUPERVISOR_TRY(remount_writable(hierarchy.mount_point));
    }
    return {};
}

// runc makes a group in every hierarchy that it sees mounted.
void Version1::hide_unscoped() {
    for (const auto& mount_point : layout_.hide) {
        if (::umount2(mount_point.c_str(), MNT_DETACH) != 0)
            warnings_.push_back(
                system_error("unmount the machine's own cgroup hierarchy", mount_point).message());
    }
}

// What cannot be mounted is only a warning: another place may hold that hierarchy with other options.
void Version1::mount_missing() {
    for (const auto& hierarchy : layout_.mount_missing) mount_one(hierarchy);
}

// A fresh mount shows the whole machine's hierarchy. Only our part of it may stay, since whoever looks for
// the hierarchy takes the first mount in the list and would make groups outside of ours.
void Version1::mount_one(const UnmountedHierarchy& hierarchy) {
    const auto& controllers = hierarchy.controllers;
    const std::string target = std::string(kTop) + "/" + directory_name(controllers);
    const std::string whole = target + ".whole";
    const std::string options = controllers.starts_with("name=") ? "none," + controllers : controllers;
    for (const auto& directory : {target, whole}) {
        if (auto made = sys::make_directories(directory); !made)
            return warnings_.push_back(made.error().message());
    }
    if (::mount("cgroup", whole.c_str(), "cgroup", MS_NOSUID | MS_NODEV | MS_NOEXEC, options.c_str()) != 0) {
        warnings_.push_back(system_error("mount cgroup hierarchy " + controllers + " at", target).message());
    } else {
        const std::string ours =
            sys::is_directory(whole + hierarchy.own_path) ? whole + hierarchy.own_path : whole;
        if (::mount(ours.c_str(), target.c_str(), nullptr, MS_BIND, nullptr) == 0)
            mounted_.push_back(target);
        else
            warnings_.push_back(
                system_error("mount our part of cgroup hierarchy " + controllers + " at", target).message());
        (void)::umount2(whole.c_str(), MNT_DETACH);
    }
    (void)::rmdir(whole.c_str());
}

Result<> Version1::make_group_everywhere(const CgroupGroup& group) {
    for (const auto& hierarchy : layout_.hierarchies) {
        const auto path = path_in(hierarchy, group.name);
        SUPERVISOR_TRY(make_group(path));
        if (controls(hierarchy, "cpuset")) SUPERVISOR_TRY(fill_cpuset(path, parent_of(path)));
    }
    return {};
}

const CgroupHierarchy* Version1::hierarchy_with(std::string_view controller) const {
    const auto found =
        std::find_if(layout_.hierarchies.begin(), layout_.hierarchies.end(),
                     [&](const CgroupHierarchy& hierarchy) { return controls(hierarchy, controller); });
    return found == layout_.hierarchies.end() ? nullptr : &*found;
}

const CgroupHierarchy& Version1::member_list() const {
    for (const char* controller : {"freezer", "pids", "devices", "memory"}) {
        if (const auto* hierarchy = hierarchy_with(controller)) return *hierarchy;
    }
    return layout_.hierarchies.front();
}

std::vector<std::string> Version1::directories(const std::string& group) const {
    std::vector<std::string> paths;
    for (const auto& hierarchy : layout_.hierarchies) paths.push_back(path_in(hierarchy, group));
    return paths;
}

Result<CgroupPlacement> Version1::placement(const std::string& group) {
    if (group == layout_.nest) return CgroupPlacement{};  // where this process is anyway
    auto& files = procs_[group];
    if (files.empty()) {
        for (const auto& directory : directories(group)) {
            SUPERVISOR_TRY_ASSIGN(file, sys::open_file(directory + "/cgroup.procs", O_WRONLY));
            files.push_back(std::move(file));
        }
    }
    CgroupPlacement placement;
    for (const auto& file : files) placement.procs.push_back(file.get());
    return placement;
}

Result<> Version1::set_limits(const std::string& group, const CgroupLimits& limits) {
    const auto* pids = hierarchy_with("pids");
    if (limits.pids_max && pids != nullptr)
        SUPERVISOR_TRY(
            sys::write_existing(path_in(*pids, group) + "/pids.max", std::to_string(*limits.pids_max)));
    if (!limits.memory_max && !limits.memory_soft) return {};
    const auto* memory = hierarchy_with("memory");
    if (memory == nullptr) return limits.memory_max ? no_memory_hierarchy() : Result<>{};
    const std::string directory = path_in(*memory, group);
    // Kernels with real-time preemption have no soft limits: then nobody is taken from first.
    if (limits.memory_soft)
        (void)sys::write_existing(directory + "/memory.soft_limit_in_bytes",
                                  std::to_string(*limits.memory_soft));
    if (!limits.memory_max) return {};
    return sys::write_existing(directory + "/memory.limit_in_bytes", std::to_string(*limits.memory_max));
}

// Frozen processes cannot fork; on version 1 they act on SIGKILL only after they are thawed.
Result<> Version1::kill(const std::string& group) {
    const auto* freezer = hierarchy_with("freezer");
    const std::string state = freezer == nullptr ? "" : path_in(*freezer, group) + "/freezer.state";
    if (!state.empty()) (void)sys::write_existing(state, "FROZEN");
    for (const auto& path : groups_below(path_in(member_list(), group))) {
        for (const int pid : processes_in(path)) {
            if (pid != ::getpid()) (void)::kill(pid, SIGKILL);
        }
    }
    if (!state.empty()) (void)sys::write_existing(state, "THAWED");
    return kill_by_signals(path_in(member_list(), group));
}

bool Version1::empty(const std::string& group) {
    return tree_is_empty(path_in(member_list(), group));
}

// memory.oom_control counts for its own group only.
std::uint64_t Version1::oom_kills(const std::string& group) {
    const auto* memory = hierarchy_with("memory");
    std::uint64_t kills = 0;
    if (memory == nullptr) return kills;
    for (const auto& path : groups_below(path_in(*memory, group))) {
        const auto text = sys::read_file_or(path + "/memory.oom_control");
        for (const auto line : split_lines(text)) {
            if (line.starts_with("oom_kill ")) kills += parse_unsigned(trim(line.substr(9))).value_or(0);
        }
    }
    return kills;
}

Result<UniqueFd> Version1::oom_events(const std::string&) {
    return fail("cgroup version 1 does not tell of OOM kills in a whole tree");
}

Result<> Version1::remove(Milliseconds patience) {
    const SteadyClock clock;
    const auto deadline = Deadline::after(clock, patience);
    procs_.clear();
    auto outcome = remove_groups_of(layout_, clock, deadline);
    for (auto target = mounted_.rbegin(); target != mounted_.rend(); ++target)
        (void)::umount2(target->c_str(), MNT_DETACH);
    return outcome;
}

}  // namespace

Result<std::unique_ptr<CgroupManager>> create_cgroup_v1(const CgroupLayout& layout) {
    auto manager = std::make_unique<Version1>(layout);
    SUPERVISOR_TRY(manager->apply());
    return manager;
}

}  // namespace supervisor::host
