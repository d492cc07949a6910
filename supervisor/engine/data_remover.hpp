// Removes what take_pool_slot() discarded, in a helper process of the lowest priority: a slot may hold
// millions of files. What a helper that was killed leaves keeps its name, and the next start on the pool
// finds it again.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "service/processes.hpp"

namespace supervisor::engine {

class DataRemover {
  public:
    struct Setup {
        std::vector<std::string> directories;
        // Needs the right to remove what other users own: a contained engine's data belongs to many.
        std::function<proc::ChildPlan(const std::vector<std::string>& words)> helper;
        std::function<void(const std::string& line)> said;
    };

    DataRemover(service::Processes& processes, Setup setup)
        : processes_(processes), setup_(std::move(setup)) {}

    // Does nothing where nothing is to be removed, or when it was called before.
    void start();
    // Kills the helper.
    void stop();

  private:
    service::Processes& processes_;
    Setup setup_;
    pid_t helper_ = -1;
};

}  // namespace supervisor::engine
