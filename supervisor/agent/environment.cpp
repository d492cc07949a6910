#include "agent/environment.hpp"

#include <algorithm>
#include <array>

namespace supervisor::agent {
namespace {

// Auto-register data: the key, and what belongs to it.
constexpr std::array<std::string_view, 2> kRegistrationPrefixes = {"GO_EA_", "AGENT_AUTO_REGISTER_"};

// Options of ours and of the engine: a proxy's password may be among them.
constexpr std::array<std::string_view, 2> kOptionPrefixes = {"GOCD_", "DOCKERD_"};
// Options of the agent's launcher, and what service managers tell their direct child alone.
constexpr std::array<std::string_view, 10> kOptionNames = {"AGENT_STARTUP_ARGS",
                                                           "AGENT_BOOTSTRAPPER_ARGS",
                                                           "AGENT_BOOTSTRAPPER_JVM_ARGS",
                                                           "NOTIFY_SOCKET",
                                                           "LISTEN_FDS",
                                                           "LISTEN_PID",
                                                           "LISTEN_PIDFDID",
                                                           "LISTEN_FDNAMES",
                                                           "WATCHDOG_PID",
                                                           "WATCHDOG_USEC"};

std::string_view name_of(std::string_view entry) {
    return entry.substr(0, entry.find('='));
}

template <class List>
bool starts_with_any(std::string_view name, const List& prefixes) {
    return std::any_of(prefixes.begin(), prefixes.end(),
                       [&](std::string_view prefix) { return name.starts_with(prefix); });
}

bool is_registration(std::string_view name) {
    return starts_with_any(name, kRegistrationPrefixes);
}

bool is_option(std::string_view name) {
    return starts_with_any(name, kOptionPrefixes) ||
           std::find(kOptionNames.begin(), kOptionNames.end(), name) != kOptionNames.end();
}

// Of the image, so that a `docker exec` finds the broker. Whether there is one, and where jobs find it, its
// own side says.
constexpr std::string_view kImageDefault = "DOCKER_HOST=unix:///run/gocd-supervisor/docker.sock";

template <class Unwanted>
Environment filtered(const Environment& container, const Account& account, Unwanted unwanted) {
    Environment kept;
    for (const auto& entry : container) {
        if (entry.find('=') == std::string::npos || entry == kImageDefault) continue;
        if (!unwanted(name_of(entry))) kept.push_back(entry);
    }
    if (const auto elastic = variable_or_empty(container, "GO_EA_SERVER_URL"); !elastic.empty()) {
        set_variable(kept, "GO_SERVER_URL", elastic);
    }
    const auto home = variable_or_empty(kept, "HOME");
    if (home.empty() || home == "/root" || home == "/") set_variable(kept, "HOME", account.home);
    set_variable(kept, "USER", account.name);
    set_variable(kept, "LOGNAME", account.name);
    return kept;
}

}  // namespace

std::optional<std::string> find_variable(const Environment& environment, std::string_view name) {
    for (auto entry = environment.rbegin(); entry != environment.rend(); ++entry) {
        if (name_of(*entry) == name && entry->size() > name.size()) return entry->substr(name.size() + 1);
    }
    return std::nullopt;
}

std::string variable_or_empty(const Environment& environment, std::string_view name) {
    return find_variable(environment, name).value_or(std::string());
}

void set_variable(Environment& environment, std::string_view name, std::string_view value) {
    std::erase_if(environment, [&](const std::string& entry) { return name_of(entry) == name; });
    environment.push_back(std::string(name) + '=' + std::string(value));
}

Environment agent_environment(const Environment& container, const Account& account) {
    return filtered(container, account,
                    [](std::string_view name) { return is_registration(name) || is_option(name); });
}

Environment hook_environment(const Environment& container, const Account& account) {
    return filtered(container, account, is_registration);
}

}  // namespace supervisor::agent
