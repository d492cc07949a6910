#include "sys/resource_limits.hpp"

#include <sys/resource.h>

namespace supervisor::sys {
namespace {

struct Resource {
    const char* name;
    __rlimit_resource number;
};

constexpr Resource kResources[] = {
    {"as", RLIMIT_AS},           {"core", RLIMIT_CORE},         {"cpu", RLIMIT_CPU},
    {"data", RLIMIT_DATA},       {"fsize", RLIMIT_FSIZE},       {"locks", RLIMIT_LOCKS},
    {"memlock", RLIMIT_MEMLOCK}, {"msgqueue", RLIMIT_MSGQUEUE}, {"nice", RLIMIT_NICE},
    {"nofile", RLIMIT_NOFILE},   {"nproc", RLIMIT_NPROC},       {"rss", RLIMIT_RSS},
    {"rtprio", RLIMIT_RTPRIO},   {"rttime", RLIMIT_RTTIME},     {"sigpending", RLIMIT_SIGPENDING},
    {"stack", RLIMIT_STACK},
};

}  // namespace

std::vector<HardLimit> own_hard_limits() {
    std::vector<HardLimit> out;
    for (const auto& resource : kResources) {
        rlimit limit{};
        if (::getrlimit(resource.number, &limit) != 0) continue;
        out.push_back({resource.name, limit.rlim_max == RLIM_INFINITY ? kNoLimit : limit.rlim_max});
    }
    return out;
}

}  // namespace supervisor::sys
