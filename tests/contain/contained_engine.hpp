// A real engine in an EngineSpace on this machine, with directories, cgroups and network of its own; the test
// process plays PID 1. Everything is gone when it is destroyed.
#pragma once

#include <sys/types.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "engine/engine_space.hpp"
#include "proc/reaper.hpp"
#include "proc/spawn.hpp"

namespace supervisor::contain {

// Skips the test where a contained engine cannot be tried, and fails it in CI.
#define SUPERVISOR_CONTAIN_OR_SKIP()                        \
    if (const auto reason = missing(); !reason.empty()) {   \
        if (std::getenv("CI") != nullptr) FAIL() << reason; \
        GTEST_SKIP() << reason;                             \
    }

// Why a contained engine cannot be tried on this machine, "" if it can.
std::string missing();

struct Output {
    int status = -1;
    std::string text;  // stdout and stderr
    bool ok() const { return status == 0; }
};

struct EngineOptions {
    engine::ContainmentRequest request = engine::ContainmentRequest::Userns;
    std::vector<std::string> devices;
    std::vector<std::string> dockerd_arguments;
    std::string base;                      // kept directory to use; "" for a new one
    std::string resolv_conf;               // of the outer container; "" for the machine's
    std::vector<std::string> directories;  // the agent's, besides work_directory()
    bool ipv6 = false;
    unsigned mtu = 1500;
    int number = 0;  // tells engines of one process apart
};

class ContainedEngine {
  public:
    explicit ContainedEngine(const EngineOptions& options = {});
    ~ContainedEngine();
    ContainedEngine(const ContainedEngine&) = delete;
    ContainedEngine& operator=(const ContainedEngine&) = delete;

    Result<> start_space();
    Result<> start();  // the space, containerd, dockerd, and an image "box" with busybox

    // The docker CLI as a job has it: outside the space, but in its network.
    Output docker(const std::vector<std::string>& arguments);
    // A shell script as a job runs it.
    Output as_job(const std::string& script, uid_t user = 0);
    // A shell script where the test is: outside.
    Output outside(const std::string& script);
    // The same in another network.
    Output in_network(const std::string& script, int network_namespace);
    // A shell script inside, as the engine's own daemons run.
    Output inside(const std::string& script);

    // A directory for a web server whose only page is `text`.
    std::string serve(const std::string& text);
    Result<> restart_dockerd();  // with SIGKILL, as a crash

    void stop();

    engine::EngineSpace& space() { return space_; }
    const std::string& base() const { return base_; }
    std::string data_directory() const { return base_ + "/data"; }
    std::string work_directory() const { return base_ + "/work"; }
    const std::vector<std::pair<std::string, double>>& times() const { return times_; }
    engine::SpaceInputs& inputs() { return inputs_; }

  private:
    bool contained() const { return plan_.mode == engine::ContainmentMode::Userns; }
    // Where the engine has its own run-time files: outside a space they must not meet another engine's.
    std::string state_directory() const { return contained() ? "/run" : inputs_.run_directory + "/state"; }
    void kill_cgroups();
    void make_cgroups();
    void remove_cgroups();
    Result<> start_containerd();
    Result<> start_dockerd();
    Result<> load_image();
    Result<> daemon(proc::ChildPlan plan);
    Output run(proc::ChildPlan plan);
    void mark(const std::string& what);

    EngineOptions options_;
    std::string base_;
    bool keep_base_ = false;
    std::string cgroup_name_;
    proc::Spawner spawner_;
    engine::ContainmentPlan plan_;
    engine::SpaceInputs inputs_;
    engine::EngineSpace space_;
    UniqueFd listener_;
    std::vector<proc::Child> daemons_;
    std::vector<std::pair<std::string, double>> times_;
    double last_ = 0;
};

}  // namespace supervisor::contain
