// Which variables of the container reach the agent, and so every job: a job sees the whole environment of the
// agent's JVM. Pure functions over "NAME=VALUE" lists.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace supervisor::agent {

using Environment = std::vector<std::string>;

// The value of the last `name=…`, as execve(2) users see it; no value when the variable is not there.
std::optional<std::string> find_variable(const Environment& environment, std::string_view name);
// "" for a variable that is not there.
std::string variable_or_empty(const Environment& environment, std::string_view name);
// Replaces or adds.
void set_variable(Environment& environment, std::string_view name, std::string_view value);

// The account that the agent runs as.
struct Account {
    std::string name = "go";
    std::string home = "/home/go";
};

// For the agent's JVM and its jobs: without auto-register data, elastic data, options and arguments of
// supervisor, engine and agent, and without the variables of service managers. GO_SERVER_URL becomes the
// elastic one if that is set. HOME is the account's unless the user chose one (root's own does not count).
Environment agent_environment(const Environment& container, const Account& account);

// For the scripts in /docker-entrypoint.d: as above, but they may read the agent's and the supervisor's
// options; only the auto-register and elastic data is gone.
Environment hook_environment(const Environment& container, const Account& account);

}  // namespace supervisor::agent
