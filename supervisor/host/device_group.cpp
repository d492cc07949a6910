#include "host/device_group.hpp"

#include <fcntl.h>
#include <fmt/core.h>

#include "host/cgroup_tree.hpp"
#include "host/device_filter.hpp"
#include "host/id_mapped_mount.hpp"
#include "sys/files.hpp"
#include "sys/procfs.hpp"

namespace supervisor::host {
namespace {

std::string own_group() {
    for (const auto& membership : sys::parse_cgroup_membership(sys::read_file_or("/proc/self/cgroup"))) {
        if (membership.hierarchy == 0 && membership.controllers.empty()) return membership.path;
    }
    return {};
}

}  // namespace

Result<DeviceGroup> DeviceGroup::create(const std::vector<std::string>& names,
                                        const std::vector<DeviceNode>& devices, const std::string& parent) {
    DeviceGroup group;
    SUPERVISOR_TRY_ASSIGN(tree, new_mount("cgroup2"));
    group.tree_ = std::move(tree);
    const std::string path = parent.empty() ? own_group() : parent;
    const auto base = fmt::format("/proc/self/fd/{}{}", group.tree_.get(), path);
    // Only the root of the tree has no type.
    if (path.empty() || !sys::exists(base + "/cgroup.type"))
        return fail(Error(EBUSY, "this container has no version 2 cgroup of its own"));
    for (const auto& name : names) {
        SUPERVISOR_TRY(make_group(base + "/" + name));
        group.directories_.push_back(base + "/" + name);
        SUPERVISOR_TRY(attach_device_filter(group.directories_.back(), devices));
    }
    SUPERVISOR_TRY_ASSIGN(procs, sys::open_file(group.directories_.at(0) + "/cgroup.procs", O_WRONLY));
    group.procs_ = std::move(procs);
    return group;
}

Result<> DeviceGroup::remove(Milliseconds patience) {
    const SteadyClock clock;
    const auto deadline = Deadline::after(clock, patience);
    Result<> outcome;
    procs_.reset();
    for (const auto& directory : directories_) {
        auto removed = remove_groups(directory, clock, deadline);
        if (!removed) outcome = std::move(removed);
    }
    directories_.clear();
    return outcome;
}

}  // namespace supervisor::host
