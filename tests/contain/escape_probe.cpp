// Runs inside an inner container and tries the known ways out. Prints one line an attempt: name, tab, "open"
// or the reason why not. Every attempt is harmless where it succeeds: values are written back as they were
// read, commands that do nothing are used, permission checks come before anything happens.
//
//   escape_probe ADDRESS SECRET SOCKET MARKER
// ADDRESS: an IPv4 address of the outer network; SECRET: a file of the outer root, mode 0600; SOCKET: a
// listening socket outside; MARKER: a word in the command line of a process outside.
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <linux/reboot.h>
#include <sched.h>
#include <signal.h>
#include <sys/fanotify.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#if defined(__x86_64__) || defined(__i386__)
#include <sys/io.h>
#endif

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>

namespace {

std::string address, secret, outer_socket, marker;

std::string read_text(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDONLY);
    char text[4096];
    const auto got = fd < 0 ? -1 : ::read(fd, text, sizeof text);
    const int error = errno;
    if (fd >= 0) ::close(fd);
    errno = error;
    return got > 0 ? std::string(text, static_cast<std::size_t>(got)) : std::string();
}

// 0 or an errno.
int write_back(const std::string& path, std::string text = {}) {
    if (text.empty()) text = read_text(path);
    const int fd = ::open(path.c_str(), O_WRONLY);
    if (fd < 0) return errno;
    const int error = ::write(fd, text.data(), text.size()) < 0 ? errno : 0;
    ::close(fd);
    return error;
}

int outcome(long result) {
    return result < 0 ? errno : 0;
}

// The call got past the permission check, whatever it complained about then.
int allowed(long result) {
    return result < 0 && (errno == EPERM || errno == EACCES || errno == ENOSYS) ? errno : 0;
}

const char* fresh(const char* path) {
    ::mkdir(path, 0755);
    return path;
}

int open_node(mode_t type, dev_t device, int flags) {
    const char* path = "/tmp/escape-node";
    ::unlink(path);
    if (::mknod(path, type | 0600, device) != 0) return -1;
    const int fd = ::open(path, flags);
    const int error = errno;
    ::unlink(path);
    errno = error;
    return fd;
}

dev_t outer_disk() {
    dev_t found = 0;
    if (DIR* directory = ::opendir("/sys/class/block")) {
        while (const dirent* entry = ::readdir(directory)) {
            unsigned major_number = 0, minor_number = 0;
            const std::string name = entry->d_name;
            if (name.starts_with(".") || name.starts_with("loop") || name.starts_with("ram") ||
                name.starts_with("nbd"))
                continue;
            if (std::sscanf(read_text("/sys/class/block/" + name + "/dev").c_str(), "%u:%u", &major_number,
                            &minor_number) == 2)
                found = ::makedev(major_number, minor_number);
        }
        ::closedir(directory);
    }
    return found;
}

int read_disk(int fd) {
    char sector[512];
    const int error = outcome(::pread(fd, sector, sizeof sector, 0));
    ::close(fd);
    return error;
}

int raw_disk() {
    const int fd = open_node(S_IFBLK, outer_disk(), O_RDONLY);
    return fd < 0 ? errno : read_disk(fd);
}

// devtmpfs has a node for everything that the machine has.
int disk_by_devtmpfs() {
    if (::mount("devtmpfs", fresh("/tmp/escape-dev"), "devtmpfs", 0, nullptr) != 0) return errno;
    int error = ENODEV;
    for (const char* name :
         {"/tmp/escape-dev/vda", "/tmp/escape-dev/sda", "/tmp/escape-dev/nvme0n1", "/tmp/escape-dev/ubda"}) {
        const int fd = ::open(name, O_RDONLY);
        if (fd >= 0)
            error = read_disk(fd);
        else if (errno != ENOENT)
            error = errno;
    }
    ::umount2("/tmp/escape-dev", MNT_DETACH);
    return error;
}

int kernel_memory() {
    const int fd = open_node(S_IFCHR, ::makedev(1, 1), O_RDONLY);
    if (fd >= 0) ::close(fd);
    return fd < 0 ? errno : 0;
}

int kernel_log() {
    return outcome(::klogctl(9 /* SYSLOG_ACTION_SIZE_UNREAD */, nullptr, 0));
}

int make_block_node() {
    ::unlink("/tmp/escape-node");
    const int error = outcome(::mknod("/tmp/escape-node", S_IFBLK | 0600, outer_disk()));
    ::unlink("/tmp/escape-node");
    return error;
}

const char* mount_cgroup1() {
    fresh("/tmp/escape-cgroup");
    for (const char* controllers :
         {"devices", "rdma", "pids", "memory", "cpu,cpuacct", "none,name=systemd"}) {
        if (::mount("cgroup", "/tmp/escape-cgroup", "cgroup", 0, controllers) == 0)
            return "/tmp/escape-cgroup";
    }
    return nullptr;
}

int release_agent() {
    const char* root = mount_cgroup1();
    if (root == nullptr) return errno;
    const int error = write_back(std::string(root) + "/release_agent", "\n");
    ::umount2(root, MNT_DETACH);
    return error;
}

// Moves a child into the topmost cgroup that can be reached, and asks whether that is the machine's own.
int machine_root_cgroup() {
    const char* root = mount_cgroup1();
    bool own = root != nullptr && ::access("/tmp/escape-cgroup/release_agent", F_OK) == 0;
    if (root == nullptr) {
        if (::mount("cgroup", fresh("/tmp/escape-cgroup"), "cgroup2", 0, nullptr) != 0) return errno;
        root = "/tmp/escape-cgroup";
        own = ::access("/tmp/escape-cgroup/cgroup.type", F_OK) != 0;
    }
    int error = EPERM;
    if (own) {
        const pid_t child = ::fork();
        if (child == 0) ::_exit(write_back(std::string(root) + "/cgroup.procs", "0"));
        int status = 0;
        ::waitpid(child, &status, 0);
        error = WEXITSTATUS(status);
    }
    ::umount2(root, MNT_DETACH);
    return error;
}

int open_by_handle() {
    // The root directory of whatever file system carries /etc/hosts: inode 2 on ext4.
    struct {
        file_handle head;
        unsigned char bytes[8];
    } handle{};
    handle.head.handle_bytes = 8;
    handle.head.handle_type = 1;
    handle.bytes[0] = 2;
    const int mount = ::open("/etc/hosts", O_RDONLY);
    const long fd = ::syscall(SYS_open_by_handle_at, mount, &handle, O_RDONLY);
    const int error = allowed(fd);
    if (fd >= 0) ::close(static_cast<int>(fd));
    ::close(mount);
    return error;
}

pid_t outer_process() {
    pid_t found = 0;
    if (DIR* directory = ::opendir("/proc")) {
        while (const dirent* entry = ::readdir(directory)) {
            const pid_t pid = std::atoi(entry->d_name);
            if (pid <= 1 || pid == ::getpid()) continue;
            const auto command = read_text("/proc/" + std::string(entry->d_name) + "/cmdline");
            if (command.starts_with("sleep") && command.find(marker) != std::string::npos) found = pid;
        }
        ::closedir(directory);
    }
    errno = ESRCH;
    return found;
}

int signal_outer() {
    const pid_t pid = outer_process();
    return pid == 0 ? ESRCH : outcome(::kill(pid, 0));
}

int trace_outer() {
    const pid_t pid = outer_process();
    if (pid == 0) return ESRCH;
    if (::ptrace(PTRACE_SEIZE, pid, nullptr, nullptr) != 0) return errno;
    ::ptrace(PTRACE_DETACH, pid, nullptr, nullptr);
    return 0;
}

int environment_of_outer() {
    const pid_t pid = outer_process();
    return pid == 0 ? ESRCH : read_text("/proc/" + std::to_string(pid) + "/environ").empty() ? errno : 0;
}

int environment_of_init() {
    if (::getpid() == 1) return ESRCH;
    const auto text = read_text("/proc/1/environ");
    return text.empty()                                       ? (errno == 0 ? ESRCH : errno)
           : text.find("CONTAIN_SECRET") == std::string::npos ? ESRCH
                                                              : 0;
}

int enter_outer(const char* name, int type) {
    const pid_t pid = outer_process();
    if (pid == 0) return ESRCH;
    const int fd = ::open(("/proc/" + std::to_string(pid) + "/ns/" + name).c_str(), O_RDONLY);
    if (fd < 0) return errno;
    const int error = outcome(::setns(fd, type));
    ::close(fd);
    return error;
}

int set_outer_hostname() {
    if (const int error = enter_outer("uts", CLONE_NEWUTS); error != 0) return error;
    char name[256]{};
    ::gethostname(name, sizeof name - 1);
    return outcome(::sethostname(name, std::strlen(name)));
}

int write_outer_cgroup() {
    const pid_t pid = outer_process();
    const char* root = pid == 0 ? nullptr : mount_cgroup1();
    if (root == nullptr) return pid == 0 ? ESRCH : errno;
    // Only the machine's own root has this file: below a cgroup namespace the group is the engine's.
    const int error = ::access((std::string(root) + "/release_agent").c_str(), F_OK) == 0
                          ? write_back(std::string(root) + "/notify_on_release")
                          : EACCES;
    ::umount2(root, MNT_DETACH);
    return error;
}

// Signal 0 asks for the permission alone; the first process of the machine or of the outer container.
int signal_init() {
    return outer_process() == 0 ? ESRCH : outcome(::kill(1, 0));
}

// A disk that is mounted outside is found by its number, without being opened: no device filter is asked.
int mount_disk() {
    const char* path = "/tmp/escape-node";
    ::unlink(path);
    if (::mknod(path, S_IFBLK | 0600, outer_disk()) != 0) return errno;
    int error = outcome(::mount(path, fresh("/tmp/escape-disk"), "ext4", MS_RDONLY, nullptr));
    if (error == EBUSY) error = 0;  // it could, were it not mounted writable outside
    ::umount2("/tmp/escape-disk", MNT_DETACH);
    ::unlink(path);
    return error;
}

int list_bpf_programs() {
    bpf_attr request{};
    return allowed(::syscall(SYS_bpf, BPF_PROG_GET_NEXT_ID, &request, sizeof request));
}

int count_events_of_a_cpu() {
    perf_event_attr request{};
    request.type = PERF_TYPE_SOFTWARE;
    request.size = sizeof request;
    request.config = PERF_COUNT_SW_CONTEXT_SWITCHES;
    const long fd = ::syscall(SYS_perf_event_open, &request, -1, 0, -1, 0);
    if (fd >= 0) ::close(static_cast<int>(fd));
    return outcome(fd);
}

int outer_key() {
    return outcome(::syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_USER_KEYRING, "user", "contain-secret", 0));
}

int set_clock() {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return outcome(::clock_settime(CLOCK_REALTIME, &now));
}

int outer_network() {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in here{};
    here.sin_family = AF_INET;
    ::inet_pton(AF_INET, address.c_str(), &here.sin_addr);
    const int error = outcome(::bind(fd, reinterpret_cast<sockaddr*>(&here), sizeof here));
    ::close(fd);
    return error;
}

int connect_outer_socket() {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un there{};
    there.sun_family = AF_UNIX;
    const std::string path = "/host" + outer_socket;
    std::memcpy(there.sun_path, path.c_str(), path.size() + 1);
    const int error = outcome(::connect(fd, reinterpret_cast<sockaddr*>(&there), sizeof there));
    ::close(fd);
    return error;
}

int read_outer_secret() {
    return read_text("/host" + secret).empty() ? errno : 0;
}

int write_outer_file() {
    const int fd = ::open(("/host" + secret).c_str(), O_WRONLY);
    if (fd >= 0) ::close(fd);
    return outcome(fd);
}

int raw_ports() {
#if defined(__x86_64__) || defined(__i386__)
    return outcome(::iopl(3));
#else
    return ENOSYS;
#endif
}

int widen_device_access() {
    if (::mount("cgroup", fresh("/tmp/escape-cgroup"), "cgroup", 0, "devices") != 0) return errno;
    const int error = write_back("/tmp/escape-cgroup/devices.allow", "b 259:1048575 r");
    ::umount2("/tmp/escape-cgroup", MNT_DETACH);
    return error;
}

struct Attempt {
    const char* name;
    int (*run)();
};

const Attempt kAttempts[] = {
    {"write kernel.core_pattern", [] { return write_back("/proc/sys/kernel/core_pattern"); }},
    {"write kernel.modprobe", [] { return write_back("/proc/sys/kernel/modprobe"); }},
    {"write vm.overcommit_memory", [] { return write_back("/proc/sys/vm/overcommit_memory"); }},
    {"write uevent_helper", [] { return write_back("/sys/kernel/uevent_helper", "\n"); }},
    {"trigger sysrq", [] { return write_back("/proc/sysrq-trigger", "h"); }},
    {"write a v1 release_agent", release_agent},
    {"widen device access (v1)", widen_device_access},
    {"enter the machine's root cgroup", machine_root_cgroup},
    {"load a module", [] { return allowed(::syscall(SYS_init_module, nullptr, 0, "")); }},
    {"load a kernel (kexec)", [] { return allowed(::syscall(SYS_kexec_load, 0, 0, nullptr, 0)); }},
    {"reboot",
     [] {
         return outcome(::syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2,
                                  LINUX_REBOOT_CMD_CAD_ON, nullptr));
     }},
    {"set the clock", set_clock},
    {"swap off", [] { return allowed(::swapoff("/escape-no-such-file")); }},
    {"process accounting", [] { return allowed(::acct(nullptr)); }},
    {"raw I/O ports", raw_ports},
    {"make a disk's node", make_block_node},
    {"read the disk (mknod)", raw_disk},
    {"read the disk (devtmpfs)", disk_by_devtmpfs},
    {"mount the disk", mount_disk},
    {"open /dev/mem", kernel_memory},
    {"read the kernel's log state", kernel_log},
    {"open_by_handle_at", open_by_handle},
    {"watch file systems (fanotify)", [] { return outcome(::fanotify_init(FAN_CLASS_CONTENT, O_RDONLY)); }},
    {"list BPF programs", list_bpf_programs},
    {"count events of a CPU (perf)", count_events_of_a_cpu},
    {"find a key of the outer root", outer_key},
    {"signal an outer process", signal_outer},
    {"trace an outer process", trace_outer},
    {"environment of an outer process", environment_of_outer},
    {"environment of PID 1", environment_of_init},
    {"signal PID 1", signal_init},
    {"enter outer namespaces", [] { return enter_outer("mnt", CLONE_NEWNS); }},
    {"enter the outer network namespace", [] { return enter_outer("net", CLONE_NEWNET); }},
    {"set the outer host name", set_outer_hostname},
    {"write to an outer cgroup", write_outer_cgroup},
    {"use the outer network's address", outer_network},
    {"connect to an outer socket", connect_outer_socket},
    {"read a file of the outer root", read_outer_secret},
    {"write a file of the outer root", write_outer_file},
};

}  // namespace

int main(int count, char** words) {
    if (count != 5) return 64;
    address = words[1];
    secret = words[2];
    outer_socket = words[3];
    marker = words[4];
    ::mkdir("/tmp", 01777);
    for (const auto& attempt : kAttempts) {
        std::fflush(stdout);
        // Each in a process of its own: one may be killed, or change its namespaces.
        const pid_t child = ::fork();
        if (child == 0) ::_exit(attempt.run());
        int status = 0;
        ::waitpid(child, &status, 0);
        const int error = WIFEXITED(status) ? WEXITSTATUS(status) : 255;
        std::printf("%s\t%s\n", attempt.name,
                    error == 0     ? "open"
                    : error == 255 ? "killed"
                                   : ::strerrorname_np(error));
    }
    return 0;
}
