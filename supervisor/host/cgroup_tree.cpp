#include "host/cgroup_tree.hpp"

#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>

#include "base/strings.hpp"
#include "sys/files.hpp"

namespace supervisor::host {
namespace {

constexpr int kMostKillPasses = 50;

void collect(const std::string& group, std::vector<std::string>& groups) {
    const auto names = sys::list_directory(group);
    if (!names) return;
    for (const auto& name : *names) {
        if (sys::is_directory(group + "/" + name)) collect(group + "/" + name, groups);
    }
    groups.push_back(group);
}

// errno of the last directory that would not go, 0 if all are gone.
int remove_once(const std::string& group) {
    int error = 0;
    for (const auto& path : groups_below(group)) {
        if (::rmdir(path.c_str()) != 0 && errno != ENOENT) error = errno;
    }
    return error;
}

}  // namespace

void pause_for(Milliseconds time) {
    const timespec wait{time.count() / 1000, time.count() % 1000 * 1'000'000};
    (void)::nanosleep(&wait, nullptr);
}

std::vector<int> processes_in(const std::string& group) {
    std::vector<int> pids;
    const auto text = sys::read_file_or(group + "/cgroup.procs");
    for (const auto line : split_lines(text)) {
        const auto pid = parse_unsigned(trim(line), INT32_MAX);
        if (pid && *pid != 0) pids.push_back(static_cast<int>(*pid));
    }
    return pids;
}

std::vector<std::string> groups_below(const std::string& group) {
    std::vector<std::string> groups;
    collect(group, groups);
    return groups;
}

bool tree_is_empty(const std::string& group) {
    for (const auto& path : groups_below(group)) {
        if (!trim(sys::read_file_or(path + "/cgroup.procs")).empty()) return false;
    }
    return true;
}

Result<> remove_groups(const std::string& group, const Clock& clock, const Deadline& deadline) {
    for (;;) {
        const int error = remove_once(group);
        if (error == 0) return {};
        if (error != EBUSY || deadline.expired(clock))
            return fail(system_error(error, "remove cgroup", group));
        pause_for(Milliseconds(5));
    }
}

Result<> kill_by_signals(const std::string& group) {
    for (int pass = 0; pass < kMostKillPasses; ++pass) {
        bool found = false;
        for (const auto& path : groups_below(group)) {
            for (const int pid : processes_in(path)) {
                if (pid == ::getpid()) continue;
                if (::kill(pid, SIGKILL) == 0) found = true;
            }
        }
        if (!found) return {};
        pause_for(Milliseconds(1));
    }
    return {};
}

Result<> make_group(const std::string& path) {
    if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) return fail(group_error(errno, path));
    return {};
}

Error group_error(int error, const std::string& path) {
    auto described = system_error(error, "make cgroup", path);
    if (error != ENOSPC) return described;
    return std::move(described).advice(
        "the kernel has room for no more: groups without processes that somebody left on the host are to be "
        "removed, or cgroup.max.descendants above us is to be raised");
}

}  // namespace supervisor::host
