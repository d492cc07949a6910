#include <fcntl.h>
#include <fmt/core.h>
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
#include "sys/procfs.hpp"

namespace supervisor::host {
namespace {

// Rounds of moving everybody and enabling controllers. Each racer costs one; hundreds would have to join one
// after the other for it to matter.
constexpr int kMostRounds = 200;
// Whoever is still there then is given time to leave by itself.
constexpr int kRoundsWithoutPause = 20;
// Of a millisecond each, for a birthplace to be left.
constexpr int kMostWaits = 50;

std::string enabling(const std::vector<std::string>& controllers, char sign) {
    std::string text;
    for (const auto& controller : controllers)
        text += fmt::format("{}{}{}", text.empty() ? "" : " ", sign, controller);
    return text;
}

// Processes of other pid namespaces are listed as 0; only they themselves, or who sees them, can move them.
std::string why_busy(const std::string& base) {
    const auto text = sys::read_file_or(base + "/cgroup.procs");
    const auto lines = split_lines(text);
    const auto strangers = std::count(lines.begin(), lines.end(), "0");
    if (strangers > 0)
        return fmt::format("{} process(es) of another pid namespace are in {}", strangers, base);
    return "processes keep joining " + base + " from outside";
}

class Version2 final : public CgroupManager {
  public:
    explicit Version2(const CgroupLayout& layout) : layout_(layout) {}

    Result<> apply();
    void settle() override;
    Result<CgroupPlacement> placement(const std::string& group) override;
    Result<> set_limits(const std::string& group, const CgroupLimits& limits) override;
    Result<> kill(const std::string& group) override;
    bool empty(const std::string& group) override;
    std::uint64_t oom_kills(const std::string& group) override;
    Result<UniqueFd> oom_events(const std::string& group) override;
    Result<> remove(Milliseconds patience) override;
    std::vector<std::string> directories(const std::string& group) const override { return {path(group)}; }

  private:
    struct Handles {
        UniqueFd directory;
        UniqueFd procs;
    };

    std::string path(const std::string& group) const { return layout_.base + "/" + group; }
    Result<> prepare_mount() const;
    Result<> nest();
    Result<> move_all_to_nest() const;
    Result<> enable_controllers(const std::string& directory, std::vector<std::string>& enabled);
    void enable_one_by_one(const std::string& directory, std::vector<std::string>& enabled);
    Result<> make_groups();
    bool has_to_wait(const CgroupGroup& group) const;
    Result<> hand_on(const CgroupGroup& group) const;
    void equip(const CgroupGroup& group);
    Result<> write_limit(const std::string& group, const std::string& file, std::uint64_t bytes) const;

    CgroupLayout layout_;
    std::vector<std::string> enabled_;
    std::map<std::string, Handles> handles_;
};

Result<> Version2::apply() {
    SUPERVISOR_TRY(prepare_mount());
    SUPERVISOR_TRY(nest());
    return make_groups();
}

Result<> Version2::prepare_mount() const {
    if (layout_.mount_fresh) {
        if (::mount("cgroup2", layout_.base.c_str(), "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) !=
            0)
            return fail(system_error("mount cgroup2 at", layout_.base));
    }
    return layout_.make_writable ? remount_writable(layout_.base) : Result<>{};
}

// Moves until a pass over the base finds nobody left, then enables; EBUSY means somebody came in between.
Result<> Version2::nest() {
    SUPERVISOR_TRY(make_group(path(layout_.nest)));
    const std::vector<std::string> wanted = layout_.controllers;
    Result<> last;
    for (int round = 0; round < kMostRounds; ++round) {
        SUPERVISOR_TRY(move_all_to_nest());
        enabled_.clear();
        last = enable_controllers(layout_.base, enabled_);
        if (last) return {};
        if (last.error().code() != EBUSY) break;
        if (round >= kRoundsWithoutPause) pause_for(Milliseconds(1));
    }
    if (last.error().code() == EBUSY) return fail(last.error(), why_busy(layout_.base));
    // One controller may refuse for reasons of its own (cpu with real-time processes): take the others.
    enable_one_by_one(layout_.base, enabled_);
    return {};
}

Result<> Version2::move_all_to_nest() const {
    const std::string procs = path(layout_.nest) + "/cgroup.procs";
    if (!layout_.move_everybody) return sys::write_existing(procs, "0");
    for (const int pid : processes_in(layout_.base)) {
        const auto moved = sys::write_existing(procs, std::to_string(pid));
        // It may have ended meanwhile, or be a kernel thread that belongs to the root.
        if (!moved && moved.error().code() != ESRCH && moved.error().code() != EINVAL)
            return fail(moved.error(), fmt::format("move process {} to {}", pid, path(layout_.nest)));
    }
    return {};
}

Result<> Version2::enable_controllers(const std::string& directory, std::vector<std::string>& enabled) {
    if (layout_.controllers.empty()) return {};
    SUPERVISOR_TRY(
        sys::write_existing(directory + "/cgroup.subtree_control", enabling(layout_.controllers, '+')));
    enabled = layout_.controllers;
    return {};
}

void Version2::enable_one_by_one(const std::string& directory, std::vector<std::string>& enabled) {
    for (const auto& controller : layout_.controllers) {
        const auto written = sys::write_existing(directory + "/cgroup.subtree_control", "+" + controller);
        if (written) {
            enabled.push_back(controller);
        } else {
            warnings_.push_back(fmt::format("no {} limits: {}", controller, written.error().message()));
        }
    }
}

Result<> Version2::make_groups() {
    for (const auto& group : layout_.groups) {
        SUPERVISOR_TRY(make_group(path(group.name)));
        if (!has_to_wait(group)) equip(group);
    }
    return {};
}

// A group that hands controllers on must have no processes, and without them its children have no limits.
bool Version2::has_to_wait(const CgroupGroup& group) const {
    return std::any_of(layout_.groups.begin(), layout_.groups.end(), [&](const CgroupGroup& other) {
        return other.birthplace && sys::path_is_inside(group.name, other.name);
    });
}

// The last process may be on its way out of the group.
Result<> Version2::hand_on(const CgroupGroup& group) const {
    const std::string file = path(group.name) + "/cgroup.subtree_control";
    for (int round = 0;; ++round) {
        auto written = sys::write_existing(file, enabling(enabled_, '+'));
        if (written || written.error().code() != EBUSY || round == kMostWaits) return written;
        pause_for(Milliseconds(1));
    }
}

void Version2::equip(const CgroupGroup& group) {
    if (group.parent && !enabled_.empty()) {
        const auto written = hand_on(group);
        if (!written) warnings_.push_back(written.error().message());
    }
    if (auto limited = set_limits(group.name, group.limits); !limited)
        warnings_.push_back(limited.error().message());
}

void Version2::settle() {
    for (const auto& group : layout_.groups) {
        if (has_to_wait(group)) equip(group);
    }
}

Result<CgroupPlacement> Version2::placement(const std::string& group) {
    auto& handles = handles_[group];
    if (!handles.directory) {
        SUPERVISOR_TRY_ASSIGN(directory, sys::open_directory(path(group)));
        SUPERVISOR_TRY_ASSIGN(procs, sys::open_file(path(group) + "/cgroup.procs", O_WRONLY));
        handles = {std::move(directory), std::move(procs)};
    }
    return CgroupPlacement{handles.directory.get(), {handles.procs.get()}};
}

Result<> Version2::write_limit(const std::string& group, const std::string& file, std::uint64_t value) const {
    return sys::write_existing(path(group) + "/" + file, std::to_string(value));
}

Result<> Version2::set_limits(const std::string& group, const CgroupLimits& limits) {
    if (limits.memory_low) SUPERVISOR_TRY(write_limit(group, "memory.low", *limits.memory_low));
    if (limits.memory_max) SUPERVISOR_TRY(write_limit(group, "memory.max", *limits.memory_max));
    if (limits.pids_max) SUPERVISOR_TRY(write_limit(group, "pids.max", *limits.pids_max));
    return {};
}

Result<> Version2::kill(const std::string& group) {
    const auto written = sys::write_existing(path(group) + "/cgroup.kill", "1");
    if (written) return {};
    if (written.error().code() != ENOENT) return written;
    // Before Linux 5.14: nobody can fork while frozen, and SIGKILL reaches frozen processes.
    (void)sys::write_existing(path(group) + "/cgroup.freeze", "1");
    const auto killed = kill_by_signals(path(group));
    (void)sys::write_existing(path(group) + "/cgroup.freeze", "0");
    return killed;
}

bool Version2::empty(const std::string& group) {
    const auto text = sys::read_file_or(path(group) + "/cgroup.events");
    for (const auto line : split_lines(text)) {
        if (line.starts_with("populated ")) return line.ends_with("0");
    }
    return tree_is_empty(path(group));
}

std::uint64_t Version2::oom_kills(const std::string& group) {
    const auto text = sys::read_file_or(path(group) + "/memory.events");
    for (const auto line : split_lines(text)) {
        if (line.starts_with("oom_kill ")) return parse_unsigned(trim(line.substr(9))).value_or(0);
    }
    return 0;
}

Result<UniqueFd> Version2::oom_events(const std::string& group) {
    return sys::open_file(path(group) + "/memory.events", O_RDONLY);
}

Result<> Version2::remove(Milliseconds patience) {
    const SteadyClock clock;
    const auto deadline = Deadline::after(clock, patience);
    handles_.clear();
    auto outcome = remove_groups_of(layout_, clock, deadline);
    // Controllers go before processes may come back to the base.
    (void)sys::write_existing(layout_.base + "/cgroup.subtree_control", enabling(enabled_, '-'));
    for (const int pid : processes_in(path(layout_.nest)))
        (void)sys::write_existing(layout_.base + "/cgroup.procs", std::to_string(pid));
    auto removed = remove_groups(path(layout_.nest), clock, deadline);
    if (!removed) outcome = std::move(removed);
    return outcome;
}

}  // namespace

Result<std::unique_ptr<CgroupManager>> create_cgroup_v2(const CgroupLayout& layout) {
    auto manager = std::make_unique<Version2>(layout);
    SUPERVISOR_TRY(manager->apply());
    return manager;
}

}  // namespace supervisor::host
