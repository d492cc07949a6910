#include "contained_engine.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "base/strings.hpp"
#include "engine/data_mode.hpp"
#include "sys/files.hpp"
#include "sys/procfs.hpp"
#include "sys/unix_socket.hpp"

namespace supervisor::contain {
namespace {

const std::vector<std::string> kEnvironment{"PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
                                            "HOME=/root"};

double now() {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

std::string contents(int file) {
    std::string text;
    char chunk[4096];
    off_t at = 0;
    for (ssize_t got; (got = ::pread(file, chunk, sizeof chunk, at)) > 0; at += got)
        text.append(chunk, static_cast<std::size_t>(got));
    return text;
}

bool is_version2() {
    return sys::exists("/sys/fs/cgroup/cgroup.controllers");
}

Result<> wait_ready(int socket) {
    const double end = now() + 60'000;
    while (now() < end) {
        pollfd waiting{socket, POLLIN, 0};
        if (::poll(&waiting, 1, 1000) <= 0) continue;
        char text[4096];
        const auto got = ::recv(socket, text, sizeof text, 0);
        if (got > 0 &&
            std::string_view(text, static_cast<std::size_t>(got)).find("READY=1") != std::string_view::npos)
            return {};
    }
    return fail("no READY=1 within a minute");
}

}  // namespace

std::string missing() {
    if (::geteuid() != 0) return "not root";
    for (const char* program : {"dockerd", "containerd", "docker", "busybox", "iptables-restore"}) {
        if (!proc::find_executable(program, kEnvironment)) return std::string(program) + " is not installed";
    }
    return {};
}

ContainedEngine::ContainedEngine(const EngineOptions& options) : options_(options) {
    sigset_t none;
    ::sigemptyset(&none);
    spawner_ = std::move(proc::Spawner::create(none).value());
    char pattern[] = "/var/tmp/contain-XXXXXX";
    keep_base_ = !options_.base.empty();
    base_ = keep_base_ ? options_.base : ::mkdtemp(pattern);
    ::chmod(base_.c_str(), 0755);
    cgroup_name_ = fmt::format("contain-test-{}-{}", ::getpid(), options_.number);
    for (const char* name : {"/data", "/work"}) (void)sys::make_directories(base_ + name);
    inputs_.data_directory = data_directory();
    inputs_.run_directory = fmt::format("/run/contain-test-{}-{}", ::getpid(), options_.number);
    inputs_.socket = inputs_.run_directory + ".sock";
    inputs_.stores = base_ + "/stores";
    inputs_.devices = options_.devices;
    inputs_.resolv_conf =
        options_.resolv_conf.empty() ? sys::read_file_or("/etc/resolv.conf") : options_.resolv_conf;
    for (const auto& route : sys::parse_routes(sys::read_file_or("/proc/net/route")))
        inputs_.taken.push_back({route.destination, static_cast<unsigned>(__builtin_popcount(route.mask))});
    inputs_.ipv6 = options_.ipv6;
    inputs_.mtu = options_.mtu;
    inputs_.firewall.iptables_restore = proc::find_executable("iptables-restore", kEnvironment).value_or("");
    inputs_.firewall.ip6tables_restore =
        proc::find_executable("ip6tables-restore", kEnvironment).value_or("");
}

ContainedEngine::~ContainedEngine() {
    stop();
    if (!keep_base_) (void)sys::remove_tree(base_);
}

void ContainedEngine::mark(const std::string& what) {
    times_.emplace_back(what, now() - last_);
    last_ = now();
}

void ContainedEngine::make_cgroups() {
    const std::string root = "/sys/fs/cgroup";
    std::vector<std::string> hierarchies;
    if (is_version2()) {
        hierarchies = {root};
    } else {
        const auto names = sys::list_directory(root).value();
        for (const auto& name : names)
            if (sys::exists(root + "/" + name + "/cgroup.procs")) hierarchies.push_back(root + "/" + name);
    }
    for (const auto& mount : hierarchies) {
        const std::string base = mount + "/" + cgroup_name_;
        engine::SpaceCgroup group{mount.substr(mount.rfind('/') + 1), mount, base + "/engine"};
        if (group.controllers == "systemd") group.controllers = "name=systemd";
        if (group.controllers == "unified" || is_version2()) group.controllers.clear();
        (void)sys::make_directories(base);
        for (const char* controller : {"+cpu", "+cpuset", "+io", "+memory", "+pids"})
            if (is_version2()) (void)sys::write_existing(base + "/cgroup.subtree_control", controller);
        for (const char* file : {"/cpuset.cpus", "/cpuset.mems"})
            if (sys::exists(base + file))
                (void)sys::write_existing(base + file, trim(sys::read_file_or(mount + file)));
        for (const char* name : {"/engine", "/engine/daemons", "/engine/containers"}) {
            (void)sys::make_directories(base + name);
            for (const char* file : {"/cpuset.cpus", "/cpuset.mems"})
                if (sys::exists(base + file))
                    (void)sys::write_existing(base + name + file, trim(sys::read_file_or(mount + file)));
        }
        if (is_version2()) inputs_.device_cgroups = {group.directory};
        if (group.controllers.empty() && !is_version2()) {
            inputs_.device_groups = {"engine"};
            inputs_.device_parent = "/" + cgroup_name_;
        }
        inputs_.cgroups.push_back(std::move(group));
    }
}

// What the end of a holder does in a space.
void ContainedEngine::kill_cgroups() {
    for (const auto& group : inputs_.cgroups)
        (void)outside("for f in $(find " + group.directory +
                      " -name cgroup.procs); do for p in $(cat $f); do kill -9 $p; done; done");
}

void ContainedEngine::remove_cgroups() {
    for (const auto& group : inputs_.cgroups) {
        const std::string base = group.directory.substr(0, group.directory.rfind('/'));
        (void)outside("for try in 1 2 3 4 5 6 7 8 9 10; do find " + base +
                      " -depth -type d -exec rmdir {} + 2>/dev/null; [ -d " + base +
                      " ] || break; sleep 0.1; done");
    }
    inputs_.cgroups.clear();
}

Result<> ContainedEngine::start_space() {
    make_cgroups();
    SUPERVISOR_TRY(sys::make_directories(inputs_.run_directory));
    last_ = now();
    auto directories = options_.directories;
    directories.push_back(work_directory());
    const auto facts = host::probe_containment({data_directory(), directories, is_version2()});
    mark("probe");
    SUPERVISOR_TRY_ASSIGN(plan, engine::plan_containment(options_.request, facts));
    plan_ = plan;
    inputs_.data_directory = engine::find_data_place(data_directory(), plan_.mode).directory;
    SUPERVISOR_TRY(sys::make_directories(inputs_.data_directory));
    const auto root = plan_.engine_root();
    SUPERVISOR_TRY_ASSIGN(listener, sys::listen_unix(inputs_.socket, {root, 0, 0660}));
    listener_ = std::move(listener);
    last_ = now();
    auto space = engine::EngineSpace::create(plan_, inputs_, spawner_);
    mark("space");
    if (!space) return fail(space.error());
    space_ = std::move(*space);
    auto finished = space_.finish();
    mark("rules");
    return finished;
}

Result<> ContainedEngine::start() {
    SUPERVISOR_TRY(start_space());
    SUPERVISOR_TRY(start_containerd());
    SUPERVISOR_TRY(start_dockerd());
    return load_image();
}

Result<> ContainedEngine::daemon(proc::ChildPlan plan) {
    const auto log = sys::open_file(base_ + "/" + plan.name + ".log", O_CREAT | O_WRONLY | O_APPEND, 0644);
    if (!log) return fail(log.error());
    plan.environment = kEnvironment;
    plan.environment.push_back("NOTIFY_SOCKET=" + inputs_.run_directory + "/" + plan.name + ".notify");
    plan.environment.push_back("container=docker");
    plan.descriptors.push_back({log->get(), 1});
    plan.descriptors.push_back({log->get(), 2});
    std::vector<UniqueFd> procs;
    for (const auto& group : inputs_.cgroups) {
        procs.push_back(
            std::move(sys::open_file(group.directory + "/daemons/cgroup.procs", O_WRONLY).value()));
        plan.cgroup_procs.push_back(procs.back().get());
    }
    const std::string notify_path = inputs_.run_directory + "/" + plan.name + ".notify";
    (void)sys::remove_file(notify_path);
    SUPERVISOR_TRY_ASSIGN(
        notify, sys::bind_datagram(notify_path, {space_.engine_root(), space_.engine_root(), 0600}));
    space_.place(plan);
    SUPERVISOR_TRY_ASSIGN(child, spawner_.spawn(plan));
    daemons_.push_back(std::move(child));
    auto ready = wait_ready(notify.get());
    mark(plan.name);
    if (!ready) return fail(ready.error(), sys::read_file_or(base_ + "/" + plan.name + ".log"));
    return {};
}

Result<> ContainedEngine::start_containerd() {
    const std::string config = inputs_.run_directory + "/containerd.toml";
    SUPERVISOR_TRY(sys::replace_file(
        config,
        fmt::format("version = 2\nroot = \"{0}/containerd/daemon\"\nstate = \"{1}/containerd\"\n"
                    "disabled_plugins = [\"io.containerd.grpc.v1.cri\", \"io.containerd.internal.v1.opt\"]\n"
                    "[grpc]\naddress = \"{1}/containerd/containerd.sock\"\n",
                    inputs_.data_directory, state_directory()),
        0644));
    proc::ChildPlan plan;
    plan.name = "containerd";
    plan.executable = proc::find_executable("containerd", kEnvironment).value();
    plan.arguments = {"containerd", "-c", config, "--log-level", "warn"};
    return daemon(std::move(plan));
}

Result<> ContainedEngine::start_dockerd() {
    const std::string config = inputs_.run_directory + "/daemon.json";
    // Engine 20.10 insists on writing a key beside its configuration; later ones have none.
    SUPERVISOR_TRY(sys::replace_file(
        config, "{\"deprecated-key-path\": \"" + inputs_.data_directory + "/key.json\"}", 0644));
    proc::ChildPlan plan;
    plan.name = "dockerd";
    plan.executable = proc::find_executable("dockerd", kEnvironment).value();
    plan.arguments = {"dockerd",
                      "-H",
                      "fd://",
                      "--config-file",
                      config,
                      "--containerd",
                      state_directory() + "/containerd/containerd.sock",
                      "--data-root",
                      inputs_.data_directory,
                      "--live-restore",
                      "--cgroup-parent",
                      contained() ? "/containers" : "/" + cgroup_name_ + "/engine/containers",
                      "--log-level",
                      "warn",
                      "--bip",
                      "10.219.0.1/24",
                      "--default-address-pool",
                      "base=10.219.64.0/18,size=26",
                      "--mtu",
                      std::to_string(options_.mtu)};
    if (!contained()) {
        for (const std::string& argument :
             {"--exec-root=" + state_directory() + "/docker",
              "--pidfile=" + state_directory() + "/docker.pid",
              std::string("--add-runtime=adapted=") + OCI_RUNTIME, std::string("--default-runtime=adapted")})
            plan.arguments.push_back(argument);
    }
    for (const auto& argument : options_.dockerd_arguments) plan.arguments.push_back(argument);
    plan.descriptors.push_back({listener_.get(), 3});
    plan.listen_descriptors = 1;
    return daemon(std::move(plan));
}

Result<> ContainedEngine::load_image() {
    const auto made = outside(
        "set -e; d=$(mktemp -d /var/tmp/box-XXXXXX); trap 'rm -rf $d' EXIT; chmod 755 $d\n"
        "mkdir -p $d/bin $d/tmp $d/etc $d/root; cp $(command -v busybox) $d/bin/\n"
        "for a in $(busybox --list); do [ $a = busybox ] || ln -s busybox $d/bin/$a; done\n"
        "echo root:x:0:0::/root:/bin/sh > $d/etc/passwd\n"
        "tar -C $d -c . | docker import - box");
    mark("image");
    return made.ok() ? Result<>() : Result<>(fail("make image: " + made.text));
}

Output ContainedEngine::run(proc::ChildPlan plan) {
    UniqueFd text(::memfd_create("output", MFD_CLOEXEC));
    plan.descriptors.push_back({text.get(), 1});
    plan.descriptors.push_back({text.get(), 2});
    if (plan.environment.empty()) plan.environment = kEnvironment;
    plan.environment.push_back("DOCKER_HOST=unix://" + inputs_.socket);
    auto child = spawner_.spawn(plan);
    if (!child) return {127, child.error().message()};
    int status = 0;
    ::waitpid(child->pid, &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), contents(text.get())};
}

Output ContainedEngine::docker(const std::vector<std::string>& arguments) {
    proc::ChildPlan plan;
    plan.name = "docker";
    plan.executable = proc::find_executable("docker", kEnvironment).value();
    plan.arguments = {"docker"};
    plan.arguments.insert(plan.arguments.end(), arguments.begin(), arguments.end());
    space_.place_agent(plan);
    return run(std::move(plan));
}

Output ContainedEngine::as_job(const std::string& script, uid_t user) {
    proc::ChildPlan plan;
    plan.name = "job";
    plan.executable = "/bin/sh";
    plan.arguments = {"sh", "-c", script};
    plan.working_directory = work_directory();
    plan.identity = proc::Identity{user, 0, {}};
    if (user != 0) plan.capabilities = proc::Capabilities::None;
    space_.place_agent(plan);
    return run(std::move(plan));
}

Output ContainedEngine::outside(const std::string& script) {
    proc::ChildPlan plan;
    plan.name = "script";
    plan.executable = "/bin/sh";
    plan.arguments = {"sh", "-c", script};
    return run(std::move(plan));
}

Output ContainedEngine::in_network(const std::string& script, int network_namespace) {
    proc::ChildPlan plan;
    plan.name = "script";
    plan.executable = "/bin/sh";
    plan.arguments = {"sh", "-c", script};
    plan.namespaces = {{network_namespace, CLONE_NEWNET}};
    return run(std::move(plan));
}

std::string ContainedEngine::serve(const std::string& text) {
    const std::string directory = base_ + "/" + text;
    (void)sys::make_directories(directory);
    (void)sys::replace_file(directory + "/index.html", text + "\n", 0644);
    return directory;
}

Result<> ContainedEngine::restart_dockerd() {
    (void)proc::send_signal(daemons_.back(), SIGKILL);
    (void)::waitpid(daemons_.back().pid, nullptr, 0);
    daemons_.pop_back();
    return start_dockerd();
}

Output ContainedEngine::inside(const std::string& script) {
    proc::ChildPlan plan;
    plan.name = "script";
    plan.executable = "/bin/sh";
    plan.arguments = {"sh", "-c", script};
    space_.place(plan);
    return run(std::move(plan));
}

void ContainedEngine::stop() {
    last_ = now();
    space_.kill_all();
    if (!contained()) kill_cgroups();
    for (const auto& daemon : daemons_) {
        (void)proc::send_signal(daemon, SIGKILL);
        (void)::waitpid(daemon.pid, nullptr, 0);
    }
    daemons_.clear();
    if (space_.holder() > 0) (void)::waitpid(space_.holder(), nullptr, 0);
    mark("all killed");
    if (!contained()) {
        (void)outside("grep -o ' " + base_ + "[^ ]*\\| " + inputs_.run_directory +
                      "[^ ]*' /proc/self/mountinfo | sort -ru | xargs -r umount -l");
    }
    (void)space_.remove();
    mark("space removed");
    listener_.reset();
    (void)sys::remove_file(inputs_.socket);
    remove_cgroups();
    (void)sys::remove_tree(inputs_.run_directory);
}

}  // namespace supervisor::contain
