#include "support/host_snapshot.hpp"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "support/docker.hpp"

namespace test_support {

namespace {

namespace fs = std::filesystem;

std::string first_line(const fs::path& file) {
    std::ifstream in(file);
    std::string line;
    std::getline(in, line);
    return line;
}

// Whether a process is in the cgroup that this test gives to its containers. Without one, every process
// counts.
bool is_of_this_test(const fs::path& process) {
    const std::string parent = cgroup_parent();
    if (parent.empty()) return true;
    std::ifstream in(process / "cgroup");
    for (std::string line; std::getline(in, line);) {
        if (line.find(parent) != std::string::npos) return true;
    }
    return false;
}

std::set<std::string> foreign_processes() {
    std::error_code ignored;
    const fs::path own = fs::read_symlink("/proc/self/ns/pid", ignored);
    std::set<std::string> found;
    for (const fs::directory_entry& entry : fs::directory_iterator("/proc", ignored)) {
        const std::string pid = entry.path().filename();
        if (!std::all_of(pid.begin(), pid.end(), [](unsigned char c) { return std::isdigit(c) != 0; }))
            continue;
        std::error_code gone;
        const fs::path theirs = fs::read_symlink(entry.path() / "ns/pid", gone);
        if (gone || theirs == own || !is_of_this_test(entry.path())) continue;
        found.insert(pid + " " + first_line(entry.path() / "comm"));
    }
    return found;
}

// Layers that other engines of this machine have mounted for their builds and containers are theirs.
bool is_another_engines_layer(const std::string& point, const std::string& type) {
    static const std::string root = trimmed(docker({"info", "--format", "{{.DockerRootDir}}"}).out);
    const bool in_an_engine = type == "overlay" || point.find("/engine/data/") != std::string::npos;
    return in_an_engine && !root.empty() && !point.starts_with(root + "/");
}

// proc(5): field 5 is the mount point; the type follows the separator "-".
std::set<std::string> mount_points() {
    std::ifstream in("/proc/self/mountinfo");
    std::set<std::string> found;
    for (std::string line; std::getline(in, line);) {
        std::istringstream fields(line);
        std::string field;
        std::string point;
        for (int i = 0; i < 5 && fields >> field; ++i) point = field;
        while (fields >> field && field != "-") continue;
        fields >> field;
        if (!is_another_engines_layer(point, field)) found.insert(point + " (" + field + ")");
    }
    return found;
}

std::set<std::string> cgroup_directories() {
    std::set<std::string> found;
    std::error_code error;
    fs::recursive_directory_iterator walk("/sys/fs/cgroup", fs::directory_options::skip_permission_denied,
                                          error);
    while (!error && walk != fs::recursive_directory_iterator()) {
        const std::string path = walk->path();
        const bool ours = cgroup_parent().empty() || path.find(cgroup_parent()) != std::string::npos;
        if (ours && walk->is_directory(error) && !walk->is_symlink(error)) found.insert(path);
        walk.increment(error);
    }
    return found;
}

std::set<std::string> directory_names(const fs::path& directory) {
    std::set<std::string> found;
    std::error_code ignored;
    for (const fs::directory_entry& entry : fs::directory_iterator(directory, ignored))
        found.insert(entry.path().filename());
    return found;
}

std::set<std::string> docker_list(const Arguments& args) {
    const std::vector<std::string> names = lines(docker(args).out);
    return {names.begin(), names.end()};
}

// Two engines of the tests can run side by side on a developer's machine; only ours concerns us.
bool belongs_to_another_engine(const std::string& what) {
    const std::size_t at = what.find("gocd-engine-");
    if (at == std::string::npos) return false;
    const char* host = std::getenv("DOCKER_HOST");
    return host == nullptr || std::string(host).find(what.substr(
                                  at, std::string("gocd-engine-").size() + 8)) == std::string::npos;
}

void add_new(std::vector<std::string>& out, const char* kind, const std::set<std::string>& before,
             const std::set<std::string>& after) {
    for (const std::string& item : after) {
        if (!before.contains(item) && !belongs_to_another_engine(item))
            out.push_back(std::string(kind) + " " + item);
    }
}

}  // namespace

HostSnapshot HostSnapshot::take() {
    remove_cgroup_parent();
    return {.processes = foreign_processes(),
            .mounts = mount_points(),
            .cgroups = cgroup_directories(),
            .links = directory_names("/sys/class/net"),
            .containers = docker_list({"ps", "-aq"}),
            .volumes = docker_list({"volume", "ls", "-q"}),
            .networks = docker_list({"network", "ls", "-q"})};
}

std::vector<std::string> left_behind(const HostSnapshot& before, const HostSnapshot& after) {
    std::vector<std::string> found;
    add_new(found, "process", before.processes, after.processes);
    add_new(found, "mount", before.mounts, after.mounts);
    add_new(found, "cgroup", before.cgroups, after.cgroups);
    add_new(found, "link", before.links, after.links);
    add_new(found, "container", before.containers, after.containers);
    add_new(found, "volume", before.volumes, after.volumes);
    add_new(found, "network", before.networks, after.networks);
    return found;
}

}  // namespace test_support
