#include "cli/shared_socket.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cstdint>
#include <ctime>

#include "sys/files.hpp"
#include "sys/procfs.hpp"

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
        if (sys::path_is_inside(path, top)) return true;
    }
    return path == "/";
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
    for (const auto& mount : sys::parse_mountinfo(mountinfo)) {
        // An odd name would have to be written differently in each of the places that it goes to.
        if (mount.target.find_first_of(" \t\n\\") != std::string::npos || is_system_path(mount.target))
            continue;
        if (comes_from_a_disk(mount.type) && !mount.read_only()) out.push_back(mount.target);
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
