#pragma once
// Running a command from a test: no shell, a time limit, everything it printed.

#include <chrono>
#include <string>
#include <vector>

namespace test_support {

struct CommandOptions {
    std::chrono::milliseconds timeout = std::chrono::seconds(60);
    std::string input;                     // what the command reads on stdin; then end of file
    std::vector<std::string> environment;  // NAME=value, on top of the test's own
};

struct CommandResult {
    int status = -1;  // exit status, 128+N when ended by signal N, 124 when the time limit ended it
    std::string out;
    std::string err;
    std::chrono::milliseconds took{0};

    [[nodiscard]] bool ok() const { return status == 0; }
    // For assertion messages: status and both outputs.
    [[nodiscard]] std::string text() const;
};

// argv[0] is looked up in PATH. A command that runs into its limit is killed with its process group.
CommandResult run_command(const std::vector<std::string>& argv, const CommandOptions& options = {});

// Without trailing line ends.
std::string trimmed(std::string text);
std::vector<std::string> lines(const std::string& text);

// Asks again every 50 ms until `holds()` or the time is up. Returns whether it held.
template <typename Predicate>
bool eventually(Predicate holds, std::chrono::milliseconds within);

void pause_for(std::chrono::milliseconds time);

template <typename Predicate>
bool eventually(Predicate holds, std::chrono::milliseconds within) {
    const auto end = std::chrono::steady_clock::now() + within;
    while (!holds()) {
        if (std::chrono::steady_clock::now() >= end) return false;
        pause_for(std::chrono::milliseconds(50));
    }
    return true;
}

}  // namespace test_support
