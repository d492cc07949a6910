#include "cli/options.hpp"

#include <new>

#include <fmt/core.h>

#include <algorithm>
// std::regex costs PID 1 start-up time and memory that these few patterns are not worth.
#define CXXOPTS_NO_REGEX true
#include <cxxopts.hpp>
#include <sstream>

#include "base/strings.hpp"
#include "cli/option_table.hpp"

namespace supervisor::cli {
namespace {

struct CommandName {
    const char* name;
    Command command;
    const char* help;  // nullptr: not for people
};

constexpr CommandName kCommands[] = {
    {"run", Command::Run, "prepare the host, start engine and agent, stay until told to stop (the default)"},
    {"doctor", Command::Doctor,
     "look at this host, say what would be done and what is missing; changes nothing [--json] "
     "[--from-official]"},
    {"status", Command::Status, "what runs now [--json] [--timeline]"},
    {"events", Command::Events, "what happened so far [--follow] [--json]"},
    {"health", Command::Health, "exit 0 when all is well, else one line with the reason [--ready] [--live]"},
    {"sweep", Command::Sweep, "remove what agents that no longer exist left on the host's engine"},
    {"help", Command::Help, "this text"},
    {"version", Command::Version, "versions"},
    {"reference", Command::Reference, "the option table as Markdown"},
    {"completion", Command::Completion, "a completion script for bash"},
};

// Words that belong to the command itself rather than to the configuration.
constexpr std::string_view kCommandFlags[] = {"--json", "--follow",   "--ready",
                                              "--live", "--timeline", "--from-official"};

const CommandName* find_command(std::string_view word) {
    for (const auto& candidate : kCommands) {
        if (candidate.name == word) return &candidate;
    }
    return nullptr;
}

// argv cut into what is ours and the program that shall run instead of the agent.
struct Cut {
    std::vector<std::string> ours;
    std::vector<std::string> program;
};

bool takes_value(std::string_view flag) {
    for (const auto& option : option_table()) {
        if (flag == std::string("--") + option.flag) return std::string_view(option.flag) != "shell";
    }
    return false;
}

// Options come first; the program begins behind "--" or at the first word that is neither an option nor an
// option's value.
Cut cut_program(const std::vector<std::string>& arguments, std::size_t begin) {
    Cut cut;
    for (std::size_t i = begin; i < arguments.size(); ++i) {
        const auto& word = arguments[i];
        if (word == "--" || !word.starts_with('-')) {
            cut.program.assign(arguments.begin() + static_cast<std::ptrdiff_t>(i) + (word == "--" ? 1 : 0),
                               arguments.end());
            return cut;
        }
        cut.ours.push_back(word);
        if (takes_value(word) && i + 1 < arguments.size()) cut.ours.push_back(arguments[++i]);
    }
    return cut;
}

void apply(Config& config, const Option& option, std::string_view value, const std::string& source,
           std::vector<std::string>& problems) {
    auto stored = option.store(config, value);
    if (stored) {
        config.provenance[option.flag] = source;
    } else {
        problems.push_back(source + ": " + stored.error().message());
    }
}

void apply_environment(Config& config, const std::vector<std::string>& environment,
                       std::vector<std::string>& problems) {
    for (const auto& option : option_table()) {
        const std::string prefix = std::string(option.variable) + "=";
        for (const auto& variable : environment) {
            // An empty variable is what a profile writes for "not set".
            if (variable.starts_with(prefix) && variable.size() > prefix.size()) {
                apply(config, option, std::string_view(variable).substr(prefix.size()), option.variable,
                      problems);
            }
        }
    }
}

cxxopts::Options declare() {
    cxxopts::Options declared("gocd-supervisor");
    for (const auto& option : option_table()) {
        auto value = cxxopts::value<std::string>();
        if (std::string_view(option.flag) == "shell")
            value = cxxopts::value<std::string>()->implicit_value("go");
        declared.add_options()(option.flag, option.help, value);
    }
    declared.add_options()("help", "")("version", "");
    return declared;
}

Result<> apply_flags(Invocation& invocation, const std::vector<std::string>& words,
                     std::vector<std::string>& problems) {
    std::vector<const char*> argv{"gocd-supervisor"};
    for (const auto& word : words) {
        if (std::find(std::begin(kCommandFlags), std::end(kCommandFlags), word) != std::end(kCommandFlags)) {
            invocation.command_flags.push_back(word);
        } else {
            argv.push_back(word.c_str());
        }
    }
    try {
        auto declared = declare();
        const auto parsed = declared.parse(static_cast<int>(argv.size()), argv.data());
        if (parsed.count("help") > 0) invocation.command = Command::Help;
        if (parsed.count("version") > 0) invocation.command = Command::Version;
        for (const auto& option : option_table()) {
            if (parsed.count(option.flag) == 0) continue;
            apply(invocation.config, option, parsed[option.flag].as<std::string>(),
                  std::string("--") + option.flag, problems);
        }
        return {};
    } catch (const std::bad_alloc&) {
        throw;  // says nothing about the options
    } catch (const std::exception& exception) {
        // cxxopts quotes with typographic quotes; logs are for terminals and grep.
        const std::string message = replace_all(replace_all(exception.what(), "\u2018", "'"), "\u2019", "'");
        return fail(printable(message) + "; see gocd-supervisor --help");
    }
}

std::string wrapped(std::string_view text, std::size_t indent, std::size_t width) {
    std::string out;
    std::size_t column = indent;
    for (const auto& word : split_words(text)) {
        if (column + word.size() + 1 > width && column > indent) {
            out.append("\n").append(indent, ' ');
            column = indent;
        } else if (column > indent) {
            out += ' ';
            ++column;
        }
        out.append(word);
        column += word.size();
    }
    return out;
}

constexpr std::string_view kExitCodes =
    "Exit codes\n"
    "  0    an ordered stop that somebody asked for, or the command's own success\n"
    "  64   a wrong option or value\n"
    "  69   the engine could not be started or kept running\n"
    "  70   an internal error\n"
    "  71   this host or container lacks something that is needed; the message names it\n"
    "  126, 127  the given command cannot be executed, or was not found\n"
    "  otherwise the agent's or the given command's own status, 128 + n when signal n ended it\n";

}  // namespace

bool Invocation::has_flag(std::string_view flag) const {
    return std::find(command_flags.begin(), command_flags.end(), flag) != command_flags.end();
}

Result<Invocation> parse(const std::vector<std::string>& arguments,
                         const std::vector<std::string>& environment) {
    Invocation invocation;
    std::size_t begin = 0;
    if (!arguments.empty() && arguments[0].starts_with("internal-")) {
        invocation.command = Command::Internal;
        invocation.command_flags = arguments;
        return invocation;
    }
    if (const auto* command = arguments.empty() ? nullptr : find_command(arguments[0])) {
        invocation.command = command->command;
        begin = 1;
    }
    std::vector<std::string> problems;
    apply_environment(invocation.config, environment, problems);
    Cut cut = cut_program(arguments, begin);
    SUPERVISOR_TRY(apply_flags(invocation, cut.ours, problems));
    invocation.program = std::move(cut.program);
    if (invocation.command != Command::Run && !invocation.program.empty()) {
        problems.push_back(
            fmt::format("'{}': {} takes no such word", printable(invocation.program[0]), arguments[0]));
    }
    if (!problems.empty()) return fail(join(problems, "; "));
    return invocation;
}

std::string help_text() {
    std::ostringstream out;
    out << "gocd-supervisor: PID 1 of GoCD agent containers that can use Docker\n\n"
           "Usage: gocd-supervisor [COMMAND] [OPTION...] [-- PROGRAM [ARGUMENT...]]\n\n"
           "A PROGRAM runs as the agent's user instead of the agent, with the engine up; its status is the "
           "container's.\n\nCommands\n";
    for (const auto& command : kCommands)
        out << fmt::format("  {:<11} {}\n", command.name, wrapped(command.help, 14, 100));
    std::string_view group;
    for (const auto& option : option_table()) {
        if (group != option.group) out << "\n" << (group = option.group) << "\n";
        const auto text = fmt::format("{} [{}; default: {}]", option.help, option.variable, option.fallback);
        out << fmt::format("  --{} {}\n      {}\n", option.flag, option.value, wrapped(text, 6, 100));
    }
    out << "\nThe agent, as in GoCD's own images (environment only)\n";
    for (const auto& variable : agent_variables())
        out << fmt::format("  {}\n      {}\n", variable.name, wrapped(variable.help, 6, 100));
    out << "\n" << kExitCodes;
    return out.str();
}

std::string reference_markdown() {
    std::ostringstream out;
    std::string_view group;
    for (const auto& option : option_table()) {
        if (group != option.group) {
            out << "\n## " << (group = option.group)
                << "\n\n| flag | variable | value | default | meaning |\n|---|---|---|---|---|\n";
        }
        out << fmt::format("| `--{}` | `{}` | {} | {} | {} |\n", option.flag, option.variable,
                           replace_all(option.value, "|", "\\|"), option.fallback,
                           replace_all(option.help, "|", "\\|"));
    }
    out << "\n## Agent variables\n\n| variable | meaning |\n|---|---|\n";
    for (const auto& variable : agent_variables())
        out << fmt::format("| `{}` | {} |\n", variable.name, variable.help);
    return out.str();
}

std::string completion_script() {
    std::string commands;
    std::string flags;
    for (const auto& command : kCommands) commands.append(command.name).append(" ");
    for (const auto& option : option_table()) flags.append("--").append(option.flag).append(" ");
    return fmt::format(
        "# bash completion for gocd-supervisor: source <(gocd-supervisor completion)\n"
        "_gocd_supervisor() {{\n"
        "    local word=${{COMP_WORDS[COMP_CWORD]}}\n"
        "    if [[ $word == -* ]]; then\n"
        "        mapfile -t COMPREPLY < <(compgen -W '{}--help --version' -- \"$word\")\n"
        "    elif [[ $COMP_CWORD -eq 1 ]]; then\n"
        "        mapfile -t COMPREPLY < <(compgen -W '{}' -- \"$word\")\n"
        "    fi\n"
        "}}\n"
        "complete -o default -F _gocd_supervisor gocd-supervisor\n",
        flags, commands);
}

}  // namespace supervisor::cli
