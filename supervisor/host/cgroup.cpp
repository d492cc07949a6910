#include "host/cgroup.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/strings.hpp"
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

std::optional<OomVictim> last_oom_victim(std::string_view kernel_log, std::string_view group) {
    const auto lines = split_lines(kernel_log);
    for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
        const auto at = line->find("oom-kill:");
        if (at == std::string_view::npos) continue;
        const auto fields = line->substr(at + 9);
        OomVictim victim{field(fields, "task_memcg"), field(fields, "task"), field(fields, "pid")};
        const auto components = split(victim.cgroup, '/');
        if (std::find(components.begin(), components.end(), group) != components.end()) return victim;
    }
    return std::nullopt;
}

std::string read_kernel_log() {
    std::string log;
    const auto kmsg = sys::open_file("/dev/kmsg", O_RDONLY | O_NONBLOCK);
    if (!kmsg) return log;
    char record[8192];
    for (;;) {
        const auto got = ::read(kmsg->get(), record, sizeof record);
        if (got < 0 && errno == EPIPE) continue;  // overwritten before we came to it
        if (got <= 0) return log;
        log.append(record, static_cast<std::size_t>(got));
    }
}

}  // namespace supervisor::host
