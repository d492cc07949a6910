#include "engine/oom_watch.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "base/log.hpp"
#include "base/strings.hpp"
#include "sys/files.hpp"
#include "sys/procfs.hpp"

namespace supervisor::engine {
namespace {

// A host that logs a lot must not keep us awake.
constexpr Milliseconds kBetweenLooks{1'000};
constexpr Milliseconds kPollInterval{5'000};

}  // namespace

std::string own_memory_cgroup(const host::CgroupFacts& facts) {
    std::string path = facts.own_path;
    if (facts.mode != host::CgroupMode::V2) {
        path.clear();
        for (const auto& membership : sys::parse_cgroup_membership(sys::read_file_or("/proc/self/cgroup"))) {
            const auto names = split(membership.controllers, ',');
            if (std::find(names.begin(), names.end(), "memory") != names.end()) path = membership.path;
        }
    }
    return path == "/" || path.starts_with("/..") ? std::string() : path;
}

OomWatch::OomWatch(loop::EventLoop& loop, host::CgroupManager& cgroups, Setup setup)
    : loop_(loop), cgroups_(cgroups), setup_(std::move(setup)) {
    for (const auto& group : setup_.groups) known_[group] = cgroups_.oom_kills(group);
    auto log = host::KernelLog::open();
    if (log) {
        log_ = std::move(*log);
    } else {
        log::debug("memory", "OOM kills are reported without their victims: " + log.error().message());
    }
    if (watch_counts()) return;
    if (setup_.own_path.empty() || !watch_log()) poll_counts();
}

bool OomWatch::watch_counts() {
    for (const auto& group : setup_.groups) {
        auto events = cgroups_.oom_events(group);
        if (!events) continue;
        cgroups_.rearm_oom_events(*events);
        const std::size_t index = events_.size();
        auto watch = loop_.watch(events->get(), EPOLLPRI, [this, index](std::uint32_t) {
            cgroups_.rearm_oom_events(events_[index]);
            look();
        });
        if (!watch) continue;
        events_.push_back(std::move(*events));
        watches_.push_back(std::move(*watch));
    }
    return !watches_.empty();
}

bool OomWatch::watch_log() {
    if (!log_) return false;
    auto watch = loop_.watch(log_->descriptor(), EPOLLIN, [this](std::uint32_t) {
        look();
        pause_log();
    });
    if (!watch) return false;
    watches_.push_back(std::move(*watch));
    return true;
}

void OomWatch::pause_log() {
    (void)watches_.front().modify(0);
    timer_ = loop_.after(kBetweenLooks, [this] { (void)watches_.front().modify(EPOLLIN); });
}

void OomWatch::poll_counts() {
    timer_ = loop_.after(kPollInterval, [this] {
        look();
        poll_counts();
    });
}

void OomWatch::look() {
    auto fresh = host::oom_victims(log_ ? log_->read_new() : std::string());
    if (setup_.own_path.empty()) {
        victims_ = std::move(fresh);
        for (const auto& group : setup_.groups) {
            const auto kills = cgroups_.oom_kills(group);
            const auto before = std::exchange(known_[group], kills);
            if (kills > before) report(group, kills - before);
        }
        return;
    }
    for (const auto& victim : fresh) {
        if (!sys::path_is_inside(victim.cgroup, setup_.own_path)) continue;
        tell(victim, victim.cgroup.substr(setup_.own_path.size()));
    }
}

// The path of ours in the machine's tree is not known, so victims are told by the names of our groups, and
// never more of them than were counted.
void OomWatch::report(const std::string& group, std::uint64_t kills) {
    for (const auto& victim : victims_) {
        const auto cgroup = host::path_from(victim.cgroup, group);
        if (cgroup.empty() || kills == 0) continue;
        tell(victim, cgroup);
        --kills;
    }
    if (kills == 0) return;
    setup_.said(fmt::format("the kernel killed {} process(es) in cgroup {}", kills, group));
}

void OomWatch::tell(const host::OomVictim& victim, const std::string& cgroup) {
    const std::string ours(cgroup.starts_with('/') ? cgroup.substr(1) : cgroup);
    const std::string place = ours.empty() ? "of the supervisor itself" : ours;
    std::string why = "the machine has no memory left";
    if (!victim.limit_of.empty())
        why = victim.limit_of == victim.cgroup ? "its memory limit was hit"
                                               : "the memory limit of " + victim.limit_of + " was hit";
    setup_.said(printable(fmt::format("the kernel killed {} (process {} of the machine) in cgroup {}: {}",
                                      victim.task, victim.pid, place, why)));
}

}  // namespace supervisor::engine
