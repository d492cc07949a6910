#include "agent/status_port.hpp"

#include <gtest/gtest.h>

namespace supervisor::agent {
namespace {

TEST(StatusPort, IsReadOffTheFlagsOfTheJvm) {
    struct Case {
        const char* what;
        std::vector<std::string> flags;
        std::string expected;  // "" for none
    };
    const Case cases[] = {
        {"the default", {"-Xmx256m"}, "127.0.0.1:8152"},
        {"another port", {"-Dgo.agent.status.api.bind.port=9000"}, "127.0.0.1:9000"},
        {"the last one counts",
         {"-Dgo.agent.status.api.bind.port=9000", "-Dgo.agent.status.api.bind.port=9001"},
         "127.0.0.1:9001"},
        {"every address", {"-Dgo.agent.status.api.bind.host=0.0.0.0"}, "127.0.0.1:8152"},
        {"one address", {"-Dgo.agent.status.api.bind.host=10.1.2.3"}, "10.1.2.3:8152"},
        {"a name", {"-Dgo.agent.status.api.bind.host=agent.example"}, ""},
        {"switched off", {"-Dgo.agent.status.api.enabled=false"}, ""},
        {"chosen by the kernel", {"-Dgo.agent.status.api.bind.port=0"}, ""},
        {"no number", {"-Dgo.agent.status.api.bind.port=many"}, ""},
    };
    for (const auto& c : cases) {
        const auto port = status_port(c.flags);
        EXPECT_EQ(port ? port->address + ":" + std::to_string(port->port) : "", c.expected) << c.what;
    }
}

// Seconds since the start, what the port said, whether a job ran, and what follows.
struct Step {
    int second;
    StatusAnswer answer;
    bool job;
    HangRules::Verdict verdict;
};

void follow(const char* what, const std::vector<Step>& steps) {
    using A = StatusAnswer;
    HangRules rules;
    for (const auto& step : steps) {
        const TimePoint now = TimePoint() + std::chrono::seconds(step.second);
        EXPECT_EQ(rules.judge(step.answer, now, step.job), step.verdict)
            << what << ", second " << step.second;
        EXPECT_FALSE(step.answer != A::Silence && rules.hangs()) << what;
    }
}

TEST(HangRules, FollowTheTable) {
    using A = StatusAnswer;
    using V = HangRules::Verdict;
    follow("a well agent", {{10, A::NobodyThere, false, V::Nothing},
                            {20, A::NotConnected, false, V::Nothing},
                            {30, A::Connected, false, V::Nothing}});
    follow("a busy machine", {{10, A::Silence, false, V::Nothing},
                              {20, A::Silence, false, V::Nothing},
                              {30, A::Connected, false, V::Nothing},
                              {40, A::Silence, false, V::Nothing},
                              {60, A::Silence, false, V::Nothing}});
    follow("a minute of standstill", {{10, A::Silence, false, V::Nothing},
                                      {39, A::Silence, false, V::Nothing},
                                      {40, A::Silence, false, V::Hangs},
                                      {50, A::Silence, false, V::Nothing},
                                      {70, A::Connected, false, V::AnswersAgain},
                                      {80, A::Connected, false, V::Nothing}});
    follow("it hangs for good, without a job", {{10, A::Silence, false, V::Nothing},
                                                {40, A::Silence, false, V::Hangs},
                                                {309, A::Silence, false, V::Nothing},
                                                {310, A::Silence, false, V::Restart}});
    follow("it hangs for good, with a job", {{10, A::Silence, true, V::Nothing},
                                             {40, A::Silence, true, V::Hangs},
                                             {310, A::Silence, true, V::Nothing},
                                             {9'000, A::Silence, true, V::Nothing},
                                             {9'010, A::Silence, false, V::Restart}});
    follow("the port is gone with a job inside", {{10, A::Silence, true, V::Nothing},
                                                  {40, A::Silence, true, V::Hangs},
                                                  {50, A::NobodyThere, true, V::AnswersAgain}});
}

TEST(HangRules, CountEachHangOnceAndForgetTheOldJvms) {
    HangRules rules;
    int second = 0;
    const auto silence = [&](int seconds) {
        for (const int end = second + seconds; second <= end; second += 10)
            rules.judge(StatusAnswer::Silence, TimePoint() + std::chrono::seconds(second), true);
    };
    silence(100);
    EXPECT_TRUE(rules.hangs());
    EXPECT_EQ(rules.count(), 1U);
    rules.reset();
    EXPECT_FALSE(rules.hangs());
    silence(20);
    EXPECT_FALSE(rules.hangs());
    silence(20);
    EXPECT_TRUE(rules.hangs());
    EXPECT_EQ(rules.count(), 2U);
}

}  // namespace
}  // namespace supervisor::agent
