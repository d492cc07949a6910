// The rows behind options.hpp.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "cli/config.hpp"

namespace supervisor::cli {

struct Option {
    const char* flag;      // without the dashes
    const char* variable;  // environment variable
    const char* value;     // what --help shows for the value; "" for none
    const char* fallback;  // the default as text
    const char* group;
    const char* help;
    // Stores the text in the configuration, or says what is accepted.
    std::function<Result<>(Config&, std::string_view)> store;
};

const std::vector<Option>& option_table();

// Variables that configure the agent as in GoCD's own images; they have no flag, some hold secrets.
struct AgentVariable {
    const char* name;
    const char* help;
};
const std::vector<AgentVariable>& agent_variables();

}  // namespace supervisor::cli
