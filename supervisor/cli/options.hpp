// The option table: one row an option, each with a flag and an environment variable. --help, the reference
// page, the shell completion and the parser are all made from it. A flag wins over its variable, a variable
// over the default.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "cli/config.hpp"

namespace supervisor::cli {

enum class Command {
    Run,
    Doctor,
    Status,
    Events,
    Health,
    Sweep,
    Help,
    Version,
    Reference,
    Completion,
    Internal
};

struct Invocation {
    Command command = Command::Run;
    Config config;
    // Run: the program to run instead of the agent (behind "--", or the first word that is no command of
    // ours).
    std::vector<std::string> program;
    // Flags of one command: --json, --follow, --ready, --live, --timeline, --from-official, and an internal
    // command's own words.
    std::vector<std::string> command_flags;

    bool has_flag(std::string_view flag) const;
};

// `arguments` without argv[0]; `environment` as "NAME=value". All that is wrong with the values is in one
// error, each with the option or variable, its value and what is accepted.
Result<Invocation> parse(const std::vector<std::string>& arguments,
                         const std::vector<std::string>& environment);

std::string help_text();
// The same table as Markdown, for the documentation.
std::string reference_markdown();
// A completion script for bash.
std::string completion_script();

}  // namespace supervisor::cli
