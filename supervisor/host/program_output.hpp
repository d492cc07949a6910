// Runs a program to its end and takes what it prints. For questions before the event loop runs; everything
// that lives longer is a service.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace supervisor::host {

struct ProgramOutput {
    int status = 0;    // exit status, or 128 + signal
    std::string text;  // stdout and stderr together, at most 64 KiB
};

// `arguments[0]` is the full path. Killed after `patience`, which is then an error. `input` is what it can
// read; at most what fits into a pipe (64 KiB).
Result<ProgramOutput> program_output(const std::vector<std::string>& arguments,
                                     Milliseconds patience = Milliseconds(5000), std::string_view input = {});

}  // namespace supervisor::host
