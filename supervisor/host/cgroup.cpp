#include "host/cgroup.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/strings.hpp"
#include "host/cgroup_tree.hpp"
#include "host/cgroup_versions.hpp"
#include "sys/files.hpp"

namespace supervisor::host {
namespace {

// Value of `key` in a list "key=value,key=value"; cgroup paths contain no commas that matter.
std::string field(std::string_view line, std::string_view key) {
    for (const auto part : split(line, ',')) {
        const auto equals = part.find('=');
        if (equals != std::string_view::npos && part.substr(0, equals) == key)
            return std::string(part.substr(equals + 1));
    }
    return {};
}

}  // namespace

Result<std::unique_ptr<CgroupManager>> CgroupManager::create(const CgroupLayout& layout) {
    switch (layout.mode) {
        case CgroupMode::None:
            return fail("no cgroup file system is mounted");
        case CgroupMode::V1:
        case CgroupMode::Hybrid:
            return create_cgroup_v1(layout);
        case CgroupMode::V2:
            return create_cgroup_v2(layout);
    }
    return fail("unknown cgroup mode");
}

Result<> CgroupManager::remove_groups_of(const CgroupLayout& layout, const Clock& clock,
                                         const Deadline& deadline) const {
    Result<> outcome;
    for (auto group = layout.groups.rbegin(); group != layout.groups.rend(); ++group) {
        if (group->name == layout.nest) continue;
        for (const auto& directory : directories(group->name)) {
            auto removed = remove_groups(directory, clock, deadline);
            if (!removed) outcome = std::move(removed);
        }
    }
    return outcome;
}

void CgroupManager::rearm_oom_events(const UniqueFd& events) {
    char text[1024];
    (void)!::pread(events.get(), text, sizeof text, 0);
}

std::vector<OomVictim> oom_victims(std::string_view kernel_log) {
    std::vector<OomVictim> victims;
    for (const auto line : split_lines(kernel_log)) {
        const auto at = line.find("oom-kill:");
        if (at == std::string_view::npos) continue;
        const auto fields = line.substr(at + 9);
        victims.push_back({field(fields, "task_memcg"), field(fields, "task"), field(fields, "pid"),
                           field(fields, "oom_memcg")});
    }
    return victims;
}

std::string path_from(const std::string& cgroup, std::string_view group) {
    const std::string part = "/" + std::string(group);
    const auto at = (cgroup + "/").find(part + "/");
    return at == std::string::npos ? std::string() : cgroup.substr(at + 1);
}

Result<KernelLog> KernelLog::open() {
    SUPERVISOR_TRY_ASSIGN(file, sys::open_file("/dev/kmsg", O_RDONLY | O_NONBLOCK));
    if (::lseek(file.get(), 0, SEEK_END) < 0) return fail(system_error("go to the end of", "/dev/kmsg"));
    return KernelLog(std::move(file));
}

std::string KernelLog::read_new() {
    std::string log;
    char record[8192];
    for (;;) {
        const auto got = ::read(file_.get(), record, sizeof record);
        if (got < 0 && errno == EPIPE) continue;  // overwritten before we came to it
        if (got <= 0) return log;
        log.append(record, static_cast<std::size_t>(got));
    }
}

}  // namespace supervisor::host
