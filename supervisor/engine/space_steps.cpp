#include "engine/space_steps.hpp"

#include <sys/mount.h>

#include "base/strings.hpp"
#include "sys/files.hpp"
#include "sys/procfs.hpp"

namespace supervisor::engine {
namespace {

using host::SetupStep;
using Kind = SetupStep::Kind;

constexpr const char* kCgroups = "/sys/fs/cgroup";
constexpr const char* kResolvConf = "/run/resolv.conf";

SetupStep make_directory(std::string path) {
    SetupStep step{Kind::MakeDirectory, std::move(path), {}, {}, {}, 0755};
    return step;
}

SetupStep mount(std::string source, std::string target, std::string type, unsigned long flags = 0,
                std::string data = {}) {
    return {Kind::Mount, std::move(target), std::move(source), std::move(type), std::move(data), flags};
}

SetupStep write(std::string path, std::string text) {
    return {Kind::Write, std::move(path), {}, {}, std::move(text)};
}

SetupStep optional(SetupStep step) {
    step.optional = true;
    return step;
}

class Builder {
  public:
    void add(SetupStep step) { result.steps.push_back(std::move(step)); }
    void attach(PreparedMount::Kind kind, const std::string& path) {
        SetupStep step{Kind::Attach, path};
        step.index = result.mounts.size();
        result.mounts.push_back({kind, path});
        add(std::move(step));
    }

    SpaceSteps result;
};

// cgroup(7): a named hierarchy has no controller, the v2 tree beside v1 has its own type.
SetupStep mount_version1(const SpaceCgroup& group) {
    if (group.controllers.empty()) return mount("cgroup2", group.mount_point, "cgroup2");
    const bool named = group.controllers.starts_with("name=");
    return mount("cgroup", group.mount_point, "cgroup", 0,
                 named ? "none," + group.controllers : group.controllers);
}

// "cpu" and "cpuacct" beside "cpu,cpuacct": where programs look for them.
void add_aliases(Builder& builder, const SpaceCgroup& group) {
    const auto names = split(group.controllers, ',');
    if (names.size() < 2) return;
    const std::string target = group.mount_point.substr(group.mount_point.rfind('/') + 1);
    for (const auto& name : names) {
        const std::string alias = std::string(kCgroups) + "/" + std::string(name);
        builder.add(optional({Kind::MakeLink, alias, target}));
    }
}

void add_cgroups(Builder& builder, const SpaceInputs& inputs) {
    if (inputs.cgroups.size() == 1 && inputs.cgroups.front().controllers.empty()) {
        builder.add(mount("cgroup2", kCgroups, "cgroup2"));
        // Out of the root of the new namespace, so that it can give controllers to its children.
        builder.add(write(std::string(kCgroups) + "/" + inputs.daemons_group + "/cgroup.procs", "0"));
        for (const char* controller : {"cpuset", "cpu", "io", "memory", "hugetlb", "pids", "rdma", "misc"})
            builder.add(optional(
                write(std::string(kCgroups) + "/cgroup.subtree_control", std::string("+") + controller)));
        return;
    }
    builder.add(mount("cgroup", kCgroups, "tmpfs", 0, "mode=755"));
    for (const auto& group : inputs.cgroups) {
        builder.add(make_directory(group.mount_point));
        builder.add(mount_version1(group));
        add_aliases(builder, group);
    }
}

void add_devices(Builder& builder) {
    builder.attach(PreparedMount::Kind::Devices, "/dev");
    builder.add(mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
                      "newinstance,ptmxmode=0666,mode=0620,gid=5"));
    builder.add(mount("shm", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777"));
    builder.add(optional(mount("mqueue", "/dev/mqueue", "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC)));
}

// The supervisor's shared directory lies below /run on most systems, so it comes after the new /run.
void add_run(Builder& builder, const SpaceInputs& inputs, const std::string& resolv_conf) {
    builder.add(mount("run", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755"));
    builder.add(make_directory(inputs.run_directory));
    builder.attach(PreparedMount::Kind::AsIs, inputs.run_directory);
    if (!inputs.socket.empty() && sys::exists(inputs.socket) &&
        !sys::path_is_inside(inputs.socket, inputs.run_directory)) {
        builder.add({Kind::MakeFile, inputs.socket});
        builder.attach(PreparedMount::Kind::AsIs, inputs.socket);
    }
    if (resolv_conf.empty()) return;
    builder.add({Kind::MakeFile, kResolvConf, {}, {}, resolv_conf});
    builder.add(optional(mount(kResolvConf, "/etc/resolv.conf", "", MS_BIND)));
}

}  // namespace

SpaceSteps plan_space(const ContainmentPlan& plan, const SpaceInputs& inputs,
                      const std::string& resolv_conf) {
    Builder builder;
    // Nothing that is mounted inside may reach the outer side; bind mounts of jobs may ask for rshared.
    builder.add(mount("", "/", "", MS_REC | MS_SLAVE));
    builder.add(mount("", "/", "", MS_REC | MS_SHARED));
    builder.attach(PreparedMount::Kind::IdMapped, inputs.data_directory);
    for (const auto& directory : plan.mappable) builder.attach(PreparedMount::Kind::IdMapped, directory);
    builder.add(mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC));
    builder.add(mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC));
    add_cgroups(builder, inputs);
    add_devices(builder);
    add_run(builder, inputs, resolv_conf);
    return std::move(builder.result);
}

SpaceSteps plan_device_space() {
    Builder builder;
    // The engine's mounts stay its own; what the supervisor mounts later still arrives.
    builder.add(mount("", "/", "", MS_REC | MS_SLAVE));
    builder.add(mount("", "/", "", MS_REC | MS_SHARED));
    add_devices(builder);
    return std::move(builder.result);
}

}  // namespace supervisor::engine
