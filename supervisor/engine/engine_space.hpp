// Where the engine lives: the namespaces, mounts, cgroups, devices and network that a ContainmentPlan gives
// it. One interface for all modes, so that whoever starts the engine need not know which one it is.
//
// In userns mode a holder process (host/namespaces.hpp) keeps the namespaces; it is a child of the caller,
// and the caller's Reaper waits for it. When it ends, everything in the space has ended.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "engine/address_pools.hpp"
#include "engine/containment.hpp"
#include "engine/space_network.hpp"
#include "host/device_directory.hpp"
#include "proc/child_plan.hpp"
#include "proc/spawn.hpp"

namespace supervisor::engine {

// One cgroup directory that is handed to the engine. It exists already.
struct SpaceCgroup {
    std::string controllers;  // v1: "memory", "cpu,cpuacct", "name=systemd"; "" for the v2 tree
    std::string mount_point;  // where that hierarchy is mounted, outside and inside: /sys/fs/cgroup/memory
    std::string directory;    // the engine's part of it: becomes the root that the engine sees
};

struct SpaceInputs {
    std::string data_directory = "/var/lib/docker";
    // Sockets and generated files that the supervisor and the engine share, at the same path on both sides;
    // becomes the property of the engine's root.
    std::string run_directory = "/run/gocd-supervisor/engine";
    // The held socket, shared with the engine at the same path if it exists already: jobs bind it into their
    // containers.
    std::string socket = "/var/run/docker.sock";
    // Where directories of the agent go that cannot be id-mapped where they are (shared_directories.hpp): on
    // the file system of the data directory, but not in it. "": they stay, seen with foreign ids.
    std::string stores;
    // What the engine and its containers are in. v2: one entry, the tree. v1 and hybrid: one a hierarchy.
    std::vector<SpaceCgroup> cgroups;
    // Below that directory, and existing: where the engine's daemons are (a v2 group with children cannot
    // hold processes itself).
    std::string daemons_group = "daemons";

    std::vector<std::string> devices;  // --engine-devices, see host/device_directory.hpp
    // v2 directories of everything that the engine starts: nothing below may open other devices.
    std::vector<std::string> device_cgroups;
    // Where there are none, on version 1: groups of the version 2 tree beside it that caps mode makes for the
    // same purpose, below our own or below `device_parent`. The engine is in the first.
    std::vector<std::string> device_groups;
    std::string device_parent;

    std::vector<Ipv4Range> taken;  // what the outer namespace has routes to
    unsigned mtu = 1500;           // of the outer interface
    bool ipv6 = false;             // the outer interface has an address
    std::string resolv_conf;       // text of the outer /etc/resolv.conf
    FirewallPrograms firewall;
};

struct PreparedMount;

class EngineSpace {
  public:
    // Some milliseconds. What was made is undone when a later step fails. The agent may be started now: its
    // network is there, though nothing leads out of it before finish(). `spawner` must outlive the space.
    static Result<EngineSpace> create(const ContainmentPlan& plan, const SpaceInputs& inputs,
                                      const proc::Spawner& spawner);

    // The rest: waits for the mounts, which are being made meanwhile, and loads the firewall's rules. Tens of
    // milliseconds at most; after `patience` it is an error. Only then may place() be used.
    Result<> finish(Milliseconds patience = Milliseconds(5000));

    // For every process of the engine: namespaces, identity, bounding set, seccomp, cgroup (v2).
    void place(proc::ChildPlan& child) const;
    // For the agent, its jobs and interactive shells: the engine's network, nothing else.
    void place_agent(proc::ChildPlan& child) const;

    // Moves the calling process into the engine's network, after finish(): who attaches to the container
    // (docker exec, kubectl exec) lands in the network of its first process, and wants to be where jobs are.
    // remove() moves it back.
    Result<> enter_network();

    ContainmentMode mode() const noexcept { return mode_; }
    // The holder: reaped by the caller. 0 in other modes than userns.
    pid_t holder() const noexcept;
    // Ends everything inside at once. Does nothing in other modes.
    void kill_all() const noexcept;
    // Undoes link, rules and mounts. Call it when the holder is reaped; the destructor calls it otherwise.
    Result<> remove();

    // "PATH: reason" for each directory of the agent that the engine sees with foreign ids: its containers
    // can read there what everybody can, and write nothing.
    const std::vector<std::string>& unshared() const noexcept { return unshared_; }

    // Why inner containers may open any device, "" if they may not.
    const std::string& open_devices() const noexcept { return open_devices_; }

    // Null in other modes than userns.
    const LinkPlan* link() const noexcept;
    // Owner, outside, of what the engine's root creates: for sockets that it must be able to use.
    uid_t engine_root() const noexcept { return root_; }

    EngineSpace();
    EngineSpace(EngineSpace&&) noexcept;
    EngineSpace& operator=(EngineSpace&&) noexcept;
    ~EngineSpace();

  private:
    struct Contained;
    struct Restricted;
    Result<> restrict(const SpaceInputs& inputs);
    void limit_devices(const SpaceInputs& inputs, const std::vector<host::DeviceNode>& devices);
    ContainmentPlan move_directories(const ContainmentPlan& plan, const SpaceInputs& inputs);
    Result<> build(const ContainmentPlan& plan, const SpaceInputs& inputs);
    Result<std::vector<UniqueFd>> prepare_mounts(const SpaceInputs& inputs,
                                                 const std::vector<PreparedMount>& mounts) const;

    ContainmentMode mode_ = ContainmentMode::Off;
    uid_t root_ = 0;
    const proc::Spawner* spawner_ = nullptr;
    std::vector<std::string> unshared_;
    std::string open_devices_;
    std::unique_ptr<Contained> contained_;    // userns
    std::unique_ptr<Restricted> restricted_;  // caps
};

}  // namespace supervisor::engine
