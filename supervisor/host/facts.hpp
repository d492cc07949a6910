// What the host is like, as plain data. Everything that a later decision depends on is read here, once, and
// nothing is decided here: tests of decisions write these structs down literally.
//
// probe() changes nothing that outlives it. Some facts need an experiment (does overlay mount here, does the
// kernel take a NAT chain, does it make bridges); see overlay_probe.hpp, netfilter_probe.hpp and
// bridge_probe.hpp for how they leave no trace.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "host/bridge_probe.hpp"
#include "host/cgroup_facts.hpp"
#include "host/netfilter_probe.hpp"
#include "host/overlay_probe.hpp"
#include "host/resolv_conf.hpp"
#include "sys/procfs.hpp"

namespace supervisor::host {

struct ProcessFacts {
    uid_t user = 0;
    bool first_process = true;             // PID 1 of its namespace
    bool initial_user_namespace = true;    // uid_map is the identity over all ids
    std::uint64_t capabilities = 0;        // effective set
    std::uint64_t bounding = 0;            // what exec can still give
    std::uint64_t known_capabilities = 0;  // all that this kernel has
    bool no_new_privileges = false;
    unsigned seccomp_mode = 0;
    // errno of keyctl(KEYCTL_JOIN_SESSION_KEYRING), which every container start needs and which seccomp
    // filters of container runtimes refuse; 0: it works, ENOSYS: runtimes do without.
    int keyring_error = 0;

    bool can(unsigned capability) const { return (capabilities >> capability & 1U) != 0; }
    // As `docker run --privileged` starts it: every capability of the kernel and no filter.
    bool privileged() const { return capabilities == known_capabilities && seccomp_mode == 0; }
};

struct StorageFacts {
    std::string path;         // the data directory asked about
    std::string probed_path;  // it, or its nearest parent that exists
    bool exists = false;
    bool own_mount = false;   // a volume or bind mount, not part of the root file system
    std::uint64_t magic = 0;  // statfs f_type
    std::string type;         // "ext4", "overlay" …; from mountinfo where that is more exact
    std::uint64_t size = 0;   // bytes
    std::uint64_t available = 0;
    bool read_only = false;
    OverlayProbe overlay;
};

struct DeviceFacts {
    bool exists = false;
    // errno of open(O_RDWR) on it, or on a node that was made to try where it does not exist; 0: it opens.
    int open_error = 0;
    bool usable() const { return exists && open_error == 0; }
    bool can_be_made() const { return !exists && open_error == 0; }
};

struct SecurityFacts {
    bool apparmor = false;         // the kernel enforces it
    std::string apparmor_profile;  // ours: "docker-default (enforce)", "unconfined", ""
    bool selinux = false;
    bool selinux_enforcing = false;
    std::string label;  // SELinux label of this process
    bool securityfs_directory = false;
    bool securityfs_mounted = false;
};

struct NetworkFacts {
    std::vector<sys::Route4> routes;
    std::string default_interface;
    unsigned default_mtu = 0;  // 0: no default route
    bool ipv6 = false;         // some interface other than lo has an IPv6 address
    ResolvConf resolver;
    std::string service_address;  // of the cluster's API (KUBERNETES_SERVICE_HOST), "" outside one
    bool ip_forward_on = false;
    bool proc_sys_read_only = false;
    bool bridge_filter = false;  // br_netfilter is there, so that iptables sees what bridges forward
    NetfilterProbe netfilter;
    BridgeProbe bridge;
};

struct MachineFacts {
    std::string kernel;  // release
    std::uint64_t memory_total = 0;
    std::vector<std::string> filesystems;
    bool has_filesystem(const std::string& name) const;
    // False only for a release that can be read and is older.
    bool kernel_at_least(unsigned major, unsigned minor) const;
};

struct HostFacts {
    ProcessFacts process;
    MachineFacts machine;
    std::vector<sys::MountEntry> mounts;
    bool root_shared = false;  // mount propagation of /
    bool root_read_only = false;
    bool run_is_tmpfs = false;
    std::uint64_t run_size = 0;       // bytes, where /run is a file system of its own
    bool docker_marker = false;       // /.dockerenv, by which engines know that they are in a container
    bool container_variable = false;  // environment variable `container` is set: engines then ignore AppArmor
    CgroupFacts cgroup;
    StorageFacts storage;
    DeviceFacts fuse;
    DeviceFacts kmsg;
    SecurityFacts security;
    NetworkFacts network;
    std::map<std::string, std::string> programs;  // name → path, only those that were found
    bool has_program(const std::string& name) const { return programs.contains(name); }
};

struct ProbeRequest {
    std::string data_directory;         // where layers will be stored
    std::vector<std::string> programs;  // looked up in `path`
    std::string path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    std::map<std::string, std::string> environment;  // reads KUBERNETES_SERVICE_HOST and container
    // Experiments in a short-lived child; without them (tests, unprivileged use) their facts say "not tried".
    bool experiments = true;
};

// Never fails: what cannot be read stays at its default, and the decision that needs it says so.
HostFacts probe(const ProbeRequest& request);

// Name of a file system by its statfs magic, "0x…" for one we have no name for.
std::string filesystem_name(std::uint64_t magic);

// Full path of `program` in `path` (colon separated), "" if it is not there.
std::string find_program(const std::string& program, const std::string& path);

}  // namespace supervisor::host
