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
        OnExit wanted;
        Next next;
        int status;
    };
    const auto direct = LaunchMode::Direct;
    const auto bootstrapper = LaunchMode::Bootstrapper;
    for (const auto& c : std::vector<Case>{
             {"upgrade", {direct, 0, 0, false, false, 0}, OnExit::Auto, Next::Refetch, 0},
             {"upgrade of an elastic agent", {direct, 0, 0, false, true, 0}, OnExit::Auto, Next::Refetch, 0},
             {"upgrade though end is wanted", {direct, 0, 0, false, false, 0}, OnExit::End, Next::Refetch, 0},
             {"upgrades without end", {direct, 0, 0, false, true, 3}, OnExit::Auto, Next::Restart, 0},
             {"0 of a bootstrapper", {bootstrapper, 0, 0, false, false, 0}, OnExit::Auto, Next::Restart, 0},
             {"crash, static", {direct, 1, 0, false, false, 0}, OnExit::Auto, Next::Restart, 1},
             {"crash, elastic", {direct, 1, 0, false, true, 0}, OnExit::Auto, Next::End, 1},
             {"crash, elastic, restart wanted",
              {direct, 1, 0, false, true, 0},
              OnExit::Restart,
              Next::Restart,
              1},
             {"crash, static, end wanted", {direct, 3, 0, false, false, 0}, OnExit::End, Next::End, 3},
             {"killed, elastic", {direct, 0, SIGKILL, false, true, 0}, OnExit::Auto, Next::End, 137},
             {"lock of another", {bootstrapper, 173, 0, false, true, 0}, OnExit::Auto, Next::End, 173},
         }) {
        const auto decision = decide_after_exit(c.facts, c.wanted);
        EXPECT_EQ(decision.next, c.next) << c.what;
        EXPECT_EQ(decision.status, c.status) << c.what;
    }
}

TEST(DecideAfterExit, TellsAMemoryKillFromOtherKills) {
    ExitFacts facts{.signal = SIGKILL};
    EXPECT_THAT(decide_after_exit(facts, OnExit::Auto).reason, HasSubstr("killed by SIGKILL"));
    facts.memory_kill = true;
    EXPECT_THAT(decide_after_exit(facts, OnExit::Auto).reason, HasSubstr("memory limit"));
    facts.signal = SIGSEGV;
    EXPECT_THAT(decide_after_exit(facts, OnExit::Auto).reason, HasSubstr("SIGSEGV"));
}

TEST(DecideAfterExit, ExplainsTheLaunchersLock) {
    EXPECT_THAT(decide_after_exit({.launch = LaunchMode::Wrapper, .exit_code = 173}, OnExit::Auto).reason,
                HasSubstr(".agent-bootstrapper.running"));
    EXPECT_THAT(decide_after_exit({.launch = LaunchMode::Direct, .exit_code = 173}, OnExit::Auto).reason,
                HasSubstr("exit status 173"));
}

TEST(ParseOnExit, NamesWhatIsAccepted) {
    EXPECT_EQ(*parse_on_exit("end"), OnExit::End);
    EXPECT_THAT(parse_on_exit("never").error().message(), HasSubstr("auto, restart, end"));
}

}  // namespace
}  // namespace supervisor::agent
