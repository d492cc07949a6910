#include "agent/exit_rules.hpp"

#include <gmock/gmock.h>

#include <csignal>

namespace supervisor::agent {
namespace {

using testing::HasSubstr;
using Next = ExitDecision::Next;

TEST(DecideAfterExit, FollowsTheTable) {
    struct Case {
        const char* what;
        ExitFacts facts;
        RestartRule rule;
        Next next;
        int status;
    };
    const auto direct = LaunchMode::Direct;
    const auto bootstrapper = LaunchMode::Bootstrapper;
    for (const auto& c : std::vector<Case>{
             {"upgrade", {direct, 0, 0, false, false, 0}, RestartRule::Auto, Next::Refetch, 0},
             {"upgrade of an elastic agent",
              {direct, 0, 0, false, true, 0},
              RestartRule::Auto,
              Next::Refetch,
              0},
             {"upgrade though never restarted",
              {direct, 0, 0, false, false, 0},
              RestartRule::Never,
              Next::Refetch,
              0},
             {"upgrades without end", {direct, 0, 0, false, true, 3}, RestartRule::Auto, Next::Restart, 0},
             {"0 of a bootstrapper",
              {bootstrapper, 0, 0, false, false, 0},
              RestartRule::Auto,
              Next::Restart,
              0},
             {"crash, static", {direct, 1, 0, false, false, 0}, RestartRule::Auto, Next::Restart, 1},
             {"crash, elastic", {direct, 1, 0, false, true, 0}, RestartRule::Auto, Next::End, 1},
             {"crash, elastic, always restarted",
              {direct, 1, 0, false, true, 0},
              RestartRule::Always,
              Next::Restart,
              1},
             {"crash, static, never restarted",
              {direct, 3, 0, false, false, 0},
              RestartRule::Never,
              Next::End,
              3},
             {"killed, elastic", {direct, 0, SIGKILL, false, true, 0}, RestartRule::Auto, Next::End, 137},
             {"lock of another", {bootstrapper, 173, 0, false, true, 0}, RestartRule::Auto, Next::End, 173},
         }) {
        const auto decision = decide_after_exit(c.facts, c.rule);
        EXPECT_EQ(decision.next, c.next) << c.what;
        EXPECT_EQ(decision.status, c.status) << c.what;
    }
}

TEST(DecideAfterExit, TellsAMemoryKillFromOtherKills) {
    ExitFacts facts{.signal = SIGKILL};
    EXPECT_THAT(decide_after_exit(facts, RestartRule::Auto).reason, HasSubstr("killed by SIGKILL"));
    facts.memory_kill = true;
    EXPECT_THAT(decide_after_exit(facts, RestartRule::Auto).reason, HasSubstr("memory limit"));
    facts.signal = SIGSEGV;
    EXPECT_THAT(decide_after_exit(facts, RestartRule::Auto).reason, HasSubstr("SIGSEGV"));
}

TEST(DecideAfterExit, ExplainsTheLaunchersLock) {
    EXPECT_THAT(
        decide_after_exit({.launch = LaunchMode::Wrapper, .exit_code = 173}, RestartRule::Auto).reason,
        HasSubstr(".agent-bootstrapper.running"));
    EXPECT_THAT(decide_after_exit({.launch = LaunchMode::Direct, .exit_code = 173}, RestartRule::Auto).reason,
                HasSubstr("exit status 173"));
}

}  // namespace
}  // namespace supervisor::agent
