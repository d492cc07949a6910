#include "host/facts.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <linux/keyctl.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "base/strings.hpp"
#include "host/experiment.hpp"
#include "sys/files.hpp"

namespace supervisor::host {
namespace {

struct NamedMagic {
    std::uint64_t magic;
    const char* name;
};
// statfs(2), linux/magic.h and, for zfs and gpfs, their own headers.
constexpr NamedMagic kMagics[] = {
    {0x794C7630, "overlay"},  {0xEF53, "ext4"},      {0x58465342, "xfs"},    {0x9123683E, "btrfs"},
    {0x2FC12FC1, "zfs"},      {0x01021994, "tmpfs"}, {0xF2F52010, "f2fs"},   {0x65735546, "fuse"},
    {0x6969, "nfs"},          {0x517B, "smb"},       {0xFF534D42, "cifs"},   {0xFE534D42, "smb2"},
    {0xF15F, "ecryptfs"},     {0x61756673, "aufs"},  {0x858458F6, "ramfs"},  {0x73717368, "squashfs"},
    {0x52654973, "reiserfs"}, {0x3153464A, "jfs"},   {0x47504653, "gpfs"},   {0xA501FCF5, "vxfs"},
    {0x63677270, "cgroup2"},  {0x01021997, "9p"},    {0x6165676C, "pstore"}, {0x00C36400, "ceph"},
    {0xCA451A4E, "bcachefs"}, {0xC0FFEE, "hostfs"},  {0xE0F5E1E2, "erofs"}};

ProcessFacts probe_process() {
    ProcessFacts facts;
    const auto status = sys::parse_process_status(sys::read_file_or("/proc/self/status"));
    facts.user = ::geteuid();
    facts.first_process = ::getpid() == 1;
    const auto map = sys::read_file_or("/proc/self/uid_map");
    facts.initial_user_namespace = split_words(map) == std::vector<std::string_view>{"0", "0", "4294967295"};
    facts.capabilities = status.effective;
    facts.bounding = status.bounding;
    const auto last = parse_unsigned(trim(sys::read_file_or("/proc/sys/kernel/cap_last_cap", "40")), 62);
    facts.known_capabilities = (std::uint64_t{2} << last.value_or(40)) - 1;
    facts.no_new_privileges = status.no_new_privileges;
    facts.seccomp_mode = status.seccomp_mode;
    return facts;
}

std::string nearest_existing(std::string path) {
    while (!sys::is_directory(path)) {
        const auto slash = path.find_last_of('/');
        if (slash == std::string::npos || slash == 0) return "/";
        path.resize(slash);
    }
    return path;
}

StorageFacts probe_storage(const ProbeRequest& request, const std::vector<sys::MountEntry>& mounts) {
    StorageFacts facts;
    facts.path = request.data_directory;
    facts.probed_path = nearest_existing(request.data_directory);
    facts.exists = facts.probed_path == facts.path;
    struct statfs status {};
    if (::statfs(facts.probed_path.c_str(), &status) == 0) {
        facts.magic = static_cast<std::uint32_t>(status.f_type);
        facts.size = static_cast<std::uint64_t>(status.f_blocks) * static_cast<std::uint64_t>(status.f_bsize);
        facts.available =
            static_cast<std::uint64_t>(status.f_bavail) * static_cast<std::uint64_t>(status.f_bsize);
        facts.read_only = (status.f_flags & ST_RDONLY) != 0;
    }
    facts.type = filesystem_name(facts.magic);
    if (const auto* mount = sys::mount_holding(mounts, facts.probed_path)) {
        facts.own_mount = mount->target != "/";
        // ext2, ext3 and ext4 share one magic; fuse names the file system behind it here.
        if (facts.type == "ext4" || facts.type == "fuse") facts.type = mount->type;
    }
    return facts;
}

int open_error_of(const std::string& path) {
    const auto opened = sys::open_file(path, O_RDWR | O_NONBLOCK);
    return opened ? 0 : opened.error().code();
}

// A container's device rules may allow making a node and forbid opening it: a node under another name, gone
// again at once, tells.
int error_of_made_device(const std::string& path, dev_t device) {
    const std::string trial = path + "-probe";
    if (::mknod(trial.c_str(), S_IFCHR | 0600, device) != 0) return errno;
    const int error = open_error_of(trial);
    (void)::unlink(trial.c_str());
    return error;
}

DeviceFacts probe_device(const ProbeRequest& request, const std::string& path, dev_t device) {
    DeviceFacts facts;
    facts.exists = sys::exists(path);
    if (facts.exists) {
        facts.open_error = open_error_of(path);
    } else {
        facts.open_error = request.experiments ? error_of_made_device(path, device) : ENOENT;
    }
    return facts;
}

SecurityFacts probe_security(const std::vector<sys::MountEntry>& mounts) {
    SecurityFacts facts;
    facts.apparmor = trim(sys::read_file_or("/sys/module/apparmor/parameters/enabled")) == "Y";
    std::string label(trim(sys::read_file_or("/proc/self/attr/current")));
    while (!label.empty() && label.back() == '\0') label.pop_back();
    (facts.apparmor ? facts.apparmor_profile : facts.label) = label;
    const auto enforce = sys::read_file("/sys/fs/selinux/enforce");
    facts.selinux = enforce.has_value();
    facts.selinux_enforcing = enforce && trim(*enforce) == "1";
    facts.securityfs_directory = sys::is_directory("/sys/kernel/security");
    const auto* mount = sys::mount_at(mounts, "/sys/kernel/security");
    facts.securityfs_mounted = mount != nullptr && mount->type == "securityfs";
    return facts;
}

// The ioctl answers for this network namespace; /sys may show another one.
unsigned interface_mtu(const std::string& name) {
    const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq request{};
    if (!socket || name.size() >= sizeof request.ifr_name) return 0;
    std::memcpy(request.ifr_name, name.c_str(), name.size());
    if (::ioctl(socket.get(), SIOCGIFMTU, &request) != 0) return 0;
    return static_cast<unsigned>(request.ifr_mtu);
}

bool has_ipv6(const std::string& if_inet6) {
    const auto lines = split_lines(if_inet6);
    return std::any_of(lines.begin(), lines.end(), [](std::string_view line) {
        const auto words = split_words(line);
        return words.size() >= 6 && words.back() != "lo";
    });
}

std::string environment_value(const ProbeRequest& request, const std::string& name) {
    const auto found = request.environment.find(name);
    return found == request.environment.end() ? "" : found->second;
}

NetworkFacts probe_network(const ProbeRequest& request, const std::vector<sys::MountEntry>& mounts) {
    NetworkFacts facts;
    facts.routes = sys::parse_routes(sys::read_file_or("/proc/net/route"));
    if (const auto* route = sys::default_route(facts.routes)) {
        facts.default_interface = route->interface;
        facts.default_mtu = interface_mtu(route->interface);
    }
    facts.ipv6 = has_ipv6(sys::read_file_or("/proc/net/if_inet6"));
    facts.resolver = parse_resolv_conf(sys::read_file_or("/etc/resolv.conf"));
    facts.service_address = environment_value(request, "KUBERNETES_SERVICE_HOST");
    facts.ip_forward_on = trim(sys::read_file_or("/proc/sys/net/ipv4/ip_forward")) == "1";
    const auto* mount = sys::mount_holding(mounts, "/proc/sys/net/ipv4/ip_forward");
    facts.proc_sys_read_only = mount != nullptr && mount->read_only();
    facts.bridge_filter = sys::exists("/proc/sys/net/bridge/bridge-nf-call-iptables");
    return facts;
}

MachineFacts probe_machine() {
    MachineFacts facts;
    facts.kernel = trim(sys::read_file_or("/proc/sys/kernel/osrelease"));
    facts.memory_total = sys::meminfo_value(sys::read_file_or("/proc/meminfo"), "MemTotal");
    facts.filesystems = sys::parse_filesystems(sys::read_file_or("/proc/filesystems"));
    return facts;
}

void read_mounts(HostFacts& facts) {
    facts.mounts = sys::parse_mountinfo(sys::read_file_or("/proc/self/mountinfo"));
    if (const auto* root = sys::mount_at(facts.mounts, "/")) {
        facts.root_shared = root->shared();
        facts.root_read_only = root->read_only();
    }
    const auto* run = sys::mount_holding(facts.mounts, "/run");
    facts.run_is_tmpfs = run != nullptr && run->target != "/" && run->type == "tmpfs";
    struct statfs status {};
    if (run != nullptr && run->target != "/" && ::statfs("/run", &status) == 0)
        facts.run_size =
            static_cast<std::uint64_t>(status.f_blocks) * static_cast<std::uint64_t>(status.f_bsize);
    facts.docker_marker = sys::exists("/.dockerenv");
}

}  // namespace

bool MachineFacts::has_filesystem(const std::string& name) const {
    return std::find(filesystems.begin(), filesystems.end(), name) != filesystems.end();
}

bool MachineFacts::kernel_at_least(unsigned major, unsigned minor) const {
    const auto parts = split(kernel, '.');
    if (parts.size() < 2) return true;
    const auto first = parse_unsigned(parts[0]);
    const auto second = parse_unsigned(parts[1].substr(0, parts[1].find_first_not_of("0123456789")));
    if (!first || !second) return true;
    return *first > major || (*first == major && *second >= minor);
}

std::string filesystem_name(std::uint64_t magic) {
    const auto* found = std::find_if(std::begin(kMagics), std::end(kMagics),
                                     [&](const NamedMagic& entry) { return entry.magic == magic; });
    return found == std::end(kMagics) ? fmt::format("{:#x}", magic) : found->name;
}

std::string find_program(const std::string& program, const std::string& path) {
    for (const auto directory : split(path, ':')) {
        if (directory.empty()) continue;
        std::string candidate = std::string(directory) + "/" + program;
        if (::access(candidate.c_str(), X_OK) == 0 && !sys::is_directory(candidate)) return candidate;
    }
    return {};
}

namespace {

// In a child: it joins a keyring of its own.
int try_session_keyring() {
    Experiment<int> experiment;
    const int failed = experiment.start(
        [] { return ::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr) < 0 ? errno : 0; });
    return failed != 0 ? failed : experiment.finish(Milliseconds(1000)).value_or(ETIMEDOUT);
}

}  // namespace

HostFacts probe(const ProbeRequest& request) {
    HostFacts facts;
    std::optional<NetfilterExperiment> netfilter;
    std::optional<OverlayExperiment> overlay;
    std::optional<BridgeExperiment> bridge;
    if (request.experiments) {
        netfilter.emplace();
        bridge.emplace();
    }
    facts.process = probe_process();
    // Only a filter can refuse it.
    if (request.experiments && facts.process.seccomp_mode != 0)
        facts.process.keyring_error = try_session_keyring();
    facts.machine = probe_machine();
    read_mounts(facts);
    facts.storage = probe_storage(request, facts.mounts);
    if (request.experiments && !facts.storage.read_only) overlay.emplace(facts.storage.probed_path);
    facts.container_variable = !environment_value(request, "container").empty();
    facts.cgroup =
        probe_cgroups(facts.mounts, sys::parse_cgroup_membership(sys::read_file_or("/proc/self/cgroup")));
    facts.fuse = probe_device(request, "/dev/fuse", makedev(10, 229));
    facts.kmsg = probe_device(request, "/dev/kmsg", makedev(1, 11));
    facts.security = probe_security(facts.mounts);
    facts.network = probe_network(request, facts.mounts);
    for (const auto& program : request.programs) {
        if (auto found = find_program(program, request.path); !found.empty()) facts.programs[program] = found;
    }
    if (bridge) facts.network.bridge = bridge->finish();
    if (overlay) facts.storage.overlay = overlay->finish();
    facts.network.netfilter = netfilter ? netfilter->finish() : look_at_legacy_tables();
    return facts;
}

}  // namespace supervisor::host
