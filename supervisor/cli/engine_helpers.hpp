// The helper commands of the inner engine: most talk to its API. Each prints one line for PID 1 (or nothing)
// and returns an exit code.
#pragma once

#include <string>
#include <vector>

namespace supervisor::cli {

// internal-engine-check SOCKET [DRIVER]: the exit code is an engine::Health
int engine_check(const std::vector<std::string>& words);
// internal-engine-kill SOCKET MILLISECONDS
int engine_kill(const std::vector<std::string>& words);
// internal-engine-prune SOCKET DATA_ROOT PERCENT: build cache, then unused images, until the disk is below
// PERCENT
int engine_prune(const std::vector<std::string>& words);
// internal-job-baseline SOCKET: writes what exists to descriptor 3
int job_baseline(const std::vector<std::string>& words);
// internal-job-cleanup SOCKET containers|all: removes what is not in descriptor 3
int job_cleanup(const std::vector<std::string>& words);

// internal-remove-data DIRECTORY…: slots that a data pool discarded
int remove_data(const std::vector<std::string>& words);

}  // namespace supervisor::cli
