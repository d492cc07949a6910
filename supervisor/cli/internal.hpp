// Commands that the supervisor gives to copies of itself: helper processes for what PID 1 must not do.
#pragma once

#include <string>
#include <vector>

namespace supervisor::cli {

// words[0] is "internal-…". Prints one line for its caller to stdout; the exit code is part of the answer.
int run_internal(const std::vector<std::string>& words);

}  // namespace supervisor::cli
