#include "host/device_directory.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>

#include "host/id_mapped_mount.hpp"

namespace supervisor::host {
namespace {

constexpr unsigned kMiscMajor = 10;
constexpr unsigned kLoopMajor = 7;
constexpr unsigned kLoopDevices = 8;

struct Link {
    const char* name;
    const char* target;
};
constexpr Link kLinks[] = {{"ptmx", "pts/ptmx"},          {"fd", "/proc/self/fd"},
                           {"stdin", "/proc/self/fd/0"},  {"stdout", "/proc/self/fd/1"},
                           {"stderr", "/proc/self/fd/2"}, {"core", "/proc/kcore"}};

std::vector<DeviceNode> loop_devices() {
    std::vector<DeviceNode> nodes{{"loop-control", false, kMiscMajor, 237, 0660}};
    for (unsigned number = 0; number < kLoopDevices; ++number)
        nodes.push_back({"loop" + std::to_string(number), true, kLoopMajor, number, 0660});
    return nodes;
}

Result<> make_directory(int parent, const std::string& path, uid_t owner) {
    if (::mkdirat(parent, path.c_str(), 0755) != 0 && errno != EEXIST)
        return fail(system_error("make directory", "/dev/" + path));
    if (::fchownat(parent, path.c_str(), owner, owner, 0) != 0)
        return fail(system_error("chown", "/dev/" + path));
    return {};
}

Result<> make_node(int parent, const DeviceNode& node, uid_t owner) {
    for (auto slash = node.path.find('/'); slash != std::string::npos; slash = node.path.find('/', slash + 1))
        SUPERVISOR_TRY(make_directory(parent, node.path.substr(0, slash), owner));
    const mode_t type = node.block ? S_IFBLK : S_IFCHR;
    const char* name = node.path.c_str();
    // mknod is subject to the umask, which belongs to the whole process; chmod is not.
    if (::mknodat(parent, name, type | node.mode, ::makedev(node.major, node.minor)) != 0 ||
        ::fchmodat(parent, name, node.mode, 0) != 0 || ::fchownat(parent, name, owner, owner, 0) != 0) {
        return fail(system_error("make device", "/dev/" + node.path));
    }
    return {};
}

}  // namespace

const std::vector<DeviceNode>& standard_devices() {
    static const std::vector<DeviceNode> devices{
        {"null", false, 1, 3, 0666},   {"zero", false, 1, 5, 0666},    {"full", false, 1, 7, 0666},
        {"random", false, 1, 8, 0666}, {"urandom", false, 1, 9, 0666}, {"tty", false, 5, 0, 0666}};
    return devices;
}

Result<std::vector<DeviceNode>> find_devices(const std::string& name) {
    if (name == "fuse") return std::vector<DeviceNode>{{"fuse", false, kMiscMajor, 229, 0666}};
    if (name == "tun") return std::vector<DeviceNode>{{"net/tun", false, kMiscMajor, 200, 0666}};
    if (name == "kvm") return std::vector<DeviceNode>{{"kvm", false, kMiscMajor, 232, 0666}};
    if (name == "loop") return loop_devices();
    struct stat status {};
    const std::string path = "/dev/" + name;
    const bool inside = name.find("..") == std::string::npos && !name.empty() && name.front() != '/';
    if (!inside || ::stat(path.c_str(), &status) != 0 ||
        (!S_ISCHR(status.st_mode) && !S_ISBLK(status.st_mode)))
        return fail(Error(ENODEV, "\"" + name +
                                      "\" is no device: use fuse, tun, kvm, loop or the path of a node "
                                      "below /dev"));
    return std::vector<DeviceNode>{{name, S_ISBLK(status.st_mode), ::major(status.st_rdev),
                                    ::minor(status.st_rdev), status.st_mode & 07777U}};
}

Result<UniqueFd> make_device_directory(const std::vector<DeviceNode>& devices, uid_t owner) {
    SUPERVISOR_TRY_ASSIGN(tmpfs, new_tmpfs({"dev", 0755, owner, owner}));
    for (const auto& node : devices) SUPERVISOR_TRY(make_node(tmpfs.get(), node, owner));
    for (const char* directory : {"pts", "shm", "mqueue"})
        SUPERVISOR_TRY(make_directory(tmpfs.get(), directory, owner));
    for (const auto& link : kLinks) {
        if (::symlinkat(link.target, tmpfs.get(), link.name) != 0)
            return fail(system_error("make link", std::string("/dev/") + link.name));
    }
    return std::move(tmpfs);
}

}  // namespace supervisor::host
