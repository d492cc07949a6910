#include "support/docker.hpp"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace test_support {

namespace {

// Unique on the engine: the process and a count.
std::string unique_name(const std::string& hint) {
    static int count = 0;
    return "gocd-e2e-" + std::to_string(getpid()) + "-" + std::to_string(++count) + "-" + hint;
}

std::string docker_program() {
    const char* chosen = std::getenv("E2E_DOCKER");
    return chosen != nullptr ? chosen : "docker";
}

}  // namespace

CommandResult docker(const Arguments& args, std::chrono::milliseconds timeout) {
    Arguments argv{docker_program()};
    argv.insert(argv.end(), args.begin(), args.end());
    return run_command(argv, {.timeout = timeout, .input = "", .environment = {}});
}

std::string engine_problem() {
    const CommandResult version =
        docker({"version", "--format", "{{.Server.Version}}"}, std::chrono::seconds(20));
    return version.ok() ? "" : "no Docker engine answers: " + trimmed(version.err);
}

void remove_cgroup_parent() {
    const std::string name = "gocd-e2e-" + std::to_string(getpid());
    std::error_code ignored;
    std::filesystem::remove("/sys/fs/cgroup/" + name, ignored);
    for (const auto& controller : std::filesystem::directory_iterator("/sys/fs/cgroup", ignored)) {
        std::filesystem::remove(controller.path() / name, ignored);
    }
}

std::string cgroup_parent() {
    static const std::string driver = trimmed(docker({"info", "--format", "{{.CgroupDriver}}"}).out);
    if (driver != "cgroupfs") return "";
    static const int at_exit = std::atexit(remove_cgroup_parent);
    return at_exit == 0 ? "/gocd-e2e-" + std::to_string(getpid()) : "";
}

Container::Container(const ContainerOptions& options) : name_(unique_name(options.name_hint)) {
    Arguments args{"run", "-d", "--name", name_};
    if (const std::string parent = cgroup_parent(); !parent.empty())
        args.push_back("--cgroup-parent=" + parent);
    args.insert(args.end(), options.options.begin(), options.options.end());
    args.push_back(options.image);
    args.insert(args.end(), options.command.begin(), options.command.end());
    const CommandResult started = docker(args, std::chrono::seconds(120));
    if (!started.ok()) failure_ = started.text();
}

Container::~Container() {
    remove();
    // Only empty directories go; another container of this test may still be in it.
    remove_cgroup_parent();
}

void Container::remove() {
    if (removed_) return;
    removed_ = true;
    docker({"rm", "-f", "-v", name_}, std::chrono::seconds(120));
}

CommandResult Container::exec(const Arguments& command, std::chrono::milliseconds timeout) const {
    Arguments args{"exec", name_};
    args.insert(args.end(), command.begin(), command.end());
    return docker(args, timeout);
}

CommandResult Container::exec_as(const std::string& user, const Arguments& command,
                                 std::chrono::milliseconds timeout) const {
    Arguments args{"exec", "--user", user, name_};
    args.insert(args.end(), command.begin(), command.end());
    return docker(args, timeout);
}

CommandResult Container::stop(int seconds) const {
    return docker({"stop", "-t", std::to_string(seconds), name_}, std::chrono::seconds(seconds + 60));
}

void Container::signal(const std::string& name) const {
    docker({"kill", "--signal", name, name_});
}

std::string Container::logs() const {
    // The CLI splits the two streams; a log driver keeps their order only within each.
    const CommandResult both = docker({"logs", name_});
    return both.out + both.err;
}

std::string Container::inspect(const std::string& format) const {
    return trimmed(docker({"inspect", "--format", format, name_}).out);
}

bool Container::running() const {
    return inspect("{{.State.Running}}") == "true";
}

int Container::exit_status(std::chrono::milliseconds within) const {
    if (!eventually([&] { return !running(); }, within)) return -1;
    return std::atoi(inspect("{{.State.ExitCode}}").c_str());
}

bool Container::wait_for_log(const std::string& text, std::chrono::milliseconds within) const {
    return eventually([&] { return logs().find(text) != std::string::npos; }, within);
}

Volume::Volume(const std::string& name_hint) : name_(unique_name(name_hint)) {
    docker({"volume", "create", name_});
}

Volume::~Volume() {
    docker({"volume", "rm", "-f", name_});
}

Network::Network(const std::string& name_hint, const Arguments& options) : name_(unique_name(name_hint)) {
    Arguments args{"network", "create"};
    args.insert(args.end(), options.begin(), options.end());
    args.push_back(name_);
    docker(args);
}

Network::~Network() {
    docker({"network", "rm", name_});
}

}  // namespace test_support
