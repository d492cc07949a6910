// `doctor`: looks at the host exactly as a start would, prints what would be done and why, and changes
// nothing.
#pragma once

#include <string>
#include <vector>

#include "cli/options.hpp"

namespace supervisor::cli {

// Exit code: 0 when a start would succeed, 71 when the host lacks something, 64 for wrong options.
int run_doctor(const Invocation& invocation, const std::vector<std::string>& environment);

// What is the same as in GoCD's own images, what differs and why; rows about variables that are set here come
// first.
std::string official_comparison(const std::vector<std::string>& environment);

}  // namespace supervisor::cli
