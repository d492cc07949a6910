// Which of the three ways this container goes.
#pragma once

#include <string>
#include <vector>

#include "cli/config.hpp"

namespace supervisor::cli {

struct ModeChoice {
    Mode mode;
    std::string reason;
};

// What is asked for; else a mounted socket that answers, a dockerd in PATH, or nothing.
ModeChoice choose_mode(const Config& config, const std::vector<std::string>& environment);

}  // namespace supervisor::cli
