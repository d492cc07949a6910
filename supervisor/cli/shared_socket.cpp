#include "cli/shared_socket.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cstdint>
#include <ctime>

#include "base/strings.hpp"
#include "sys/files.hpp"

namespace supervisor::cli {
namespace {

constexpr std::string_view kPrefix = ".gocd-docker-";
// A socket that is bound but does not listen yet refuses too: only one that had its time is a leftover.
constexpr std::int64_t kLeftoverAge = 60;

bool comes_from_a_disk(std::string_view type) {
    for (const std::string_view none :
         {"overlay", "tmpfs", "proc", "sysfs", "cgroup", "cgroup2", "devpts", "mqueue", "devtmpfs",
          "securityfs", "debugfs", "tracefs", "bpf", "fuse.lxcfs"}) {
        if (type == none) return false;
    }
    return true;
}

bool is_system_path(std::string_view path) {
    for (const std::string_view top : {"/proc", "/sys", "/dev", "/run", "/var/run", "/etc"}) {
        if (path == top || (path.starts_with(top) && path[top.size()] == '/')) return true;
    }
    return path == "/";
}

bool lists_option(std::string_view options, std::string_view wanted) {
    const auto parts = split(options, ',');
    return std::find(parts.begin(), parts.end(), wanted) != parts.end();
}

bool belongs_to_root(const std::string& directory) {
    struct stat status {};
    return ::stat(directory.c_str(), &status) == 0 && status.st_uid == 0 && (status.st_mode & S_IWOTH) == 0;
}

void remove_leftovers(const std::string& top) {
    const auto names = sys::list_directory(top);
    if (!names) return;
    for (const auto& name : *names) {
        const auto socket = top + "/" + name + "/docker.sock";
        if (!name.starts_with(kPrefix)) continue;
        const auto made = sys::modification_time(socket);
        if (!made || *made + kLeftoverAge > std::time(nullptr) || sys::connect_unix(socket)) continue;
        (void)sys::remove_tree(top + "/" + name);
    }
}

}  // namespace

std::vector<std::string> host_mounts(std::string_view mountinfo) {
    std::vector<std::string> out;
    for (const auto line : split_lines(mountinfo)) {
        const auto fields = split_words(line);
        const auto dash = std::find(fields.begin(), fields.end(), "-");
        // Field 5 is the place, field 6 its options; after the dash: type, source, the file system's options.
        if (fields.size() < 7 || fields.end() - dash < 4) continue;
        const auto place = fields[4];
        if (is_system_path(place) || place.find('\\') != std::string_view::npos) continue;
        if (!comes_from_a_disk(dash[1]) || !lists_option(fields[5], "rw") || !lists_option(dash[3], "rw"))
            continue;
        out.emplace_back(place);
    }
    std::sort(out.begin(), out.end(), [](const std::string& a, const std::string& b) {
        return a.size() != b.size() ? a.size() < b.size() : a < b;
    });
    return out;
}

std::optional<SharedSocket> listen_on_one_of(const std::vector<std::string>& directories,
                                             const std::string& tag, const sys::SocketAccess& access) {
    for (const auto& top : directories) {
        if (!sys::is_directory(top)) continue;
        remove_leftovers(top);
        SharedSocket socket;
        socket.directory = top + "/" + std::string(kPrefix) + tag;
        socket.path = socket.directory + "/docker.sock";
        if (!sys::make_directories(socket.directory, 0711)) continue;
        auto listener = sys::listen_unix(socket.path, access);
        if (!listener) {
            (void)sys::remove_tree(socket.directory);
            continue;
        }
        socket.listener = std::move(*listener);
        return socket;
    }
    return {};
}

std::optional<SharedSocket> listen_on_host_mount(const std::string& tag, const sys::SocketAccess& access) {
    auto directories = host_mounts(sys::read_file_or("/proc/self/mountinfo"));
    std::stable_partition(directories.begin(), directories.end(), belongs_to_root);
    return listen_on_one_of(directories, tag, access);
}

void remove_shared_socket(SharedSocket& socket) {
    socket.listener.reset();
    (void)sys::remove_tree(socket.directory);
}

}  // namespace supervisor::cli
