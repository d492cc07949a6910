// Keeps a long-lived engine clean between jobs: removes what a job left, and prunes when the disk gets full.
// The work is done by short-lived helpers, one at a time; what they find never passes through PID 1.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"
#include "service/processes.hpp"

namespace supervisor::engine {

struct HousekeepingSetup {
    std::string socket_path;
    std::string data_root;
    int high_water_percent = 85;
    bool remove_containers = false;  // after each job, those that did not exist before it
    bool remove_everything = false;  // … and networks, volumes, dangling images
    std::function<proc::ChildPlan(const std::vector<std::string>& words)> helper;
    // One line of what was done, for the log.
    std::function<void(const std::string& line)> said;
};

class Housekeeping {
  public:
    Housekeeping(loop::EventLoop& loop, service::Processes& processes, HousekeepingSetup setup)
        : loop_(loop), processes_(processes), setup_(std::move(setup)) {}

    // The engine answers and no job runs: what exists now stays, and there is time to prune.
    void engine_ready();
    void job_finished();
    // No more work; a helper that runs is killed.
    void stop();

  private:
    void enqueue(std::vector<std::string> words);
    void run_next();

    loop::EventLoop& loop_;
    service::Processes& processes_;
    HousekeepingSetup setup_;
    UniqueFd baseline_;  // a memory file that the helpers share
    std::vector<std::vector<std::string>> queue_;
    pid_t helper_ = -1;
    loop::Timer limit_;
};

}  // namespace supervisor::engine
