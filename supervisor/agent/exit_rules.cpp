#include "agent/exit_rules.hpp"

#include <csignal>
#include <cstring>

namespace supervisor::agent {
namespace {

// A server whose status and files disagree for good would otherwise keep us busy for ever.
constexpr int kQuickUpgradesAllowed = 3;
// 0xBADBAD, cut to a byte by exit(2): the official launcher found somebody else's lock file.
constexpr int kLauncherLockExit = 0xAD;

std::string signal_name(int signal) {
    const char* name = sigabbrev_np(signal);
    return name == nullptr ? std::to_string(signal) : std::string("SIG") + name;
}

std::string how_it_ended(const ExitFacts& facts) {
    if (facts.memory_kill && facts.signal == SIGKILL) {
        return "the kernel killed the agent because the container's memory limit was reached";
    }
    if (facts.signal != 0) return "the agent was killed by " + signal_name(facts.signal);
    if (facts.launch != LaunchMode::Direct && facts.exit_code == kLauncherLockExit) {
        return "the agent's launcher found .agent-bootstrapper.running of another one (exit status 173)";
    }
    return "the agent ended with exit status " + std::to_string(facts.exit_code);
}

bool ends_the_container(const ExitFacts& facts, RestartRule rule) {
    return rule == RestartRule::Never || (rule == RestartRule::Auto && facts.elastic);
}

}  // namespace

ExitDecision decide_after_exit(const ExitFacts& facts, RestartRule rule) {
    using Next = ExitDecision::Next;
    const int status = facts.signal != 0 ? 128 + facts.signal : facts.exit_code;
    const bool upgrade = facts.launch == LaunchMode::Direct && facts.signal == 0 && facts.exit_code == 0;
    if (upgrade && facts.quick_upgrades < kQuickUpgradesAllowed) {
        return {Next::Refetch, status, "the server has newer agent files; fetching them"};
    }
    if (upgrade) {
        return {Next::Restart, status,
                "the agent found newer files on the server " + std::to_string(facts.quick_upgrades + 1) +
                    " times in a row; starting again after a pause"};
    }
    if (ends_the_container(facts, rule)) return {Next::End, status, how_it_ended(facts)};
    return {Next::Restart, status, how_it_ended(facts) + "; starting it again"};
}

}  // namespace supervisor::agent
