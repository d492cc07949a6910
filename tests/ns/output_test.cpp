// The lines of supervised processes: none lost when somebody reads, nobody held up when nobody does.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdint>
#include <sstream>

#include "ns/box.hpp"
#include "support/command.hpp"
#include "sys/unix_socket.hpp"

namespace ns_test {
namespace {

using supervisor::json::object;
using testing::HasSubstr;

// The stand-in for GoCD's wrapper: its output goes through PID 1, unlike a program's.
BoxOptions agent(const std::string& script, const std::vector<std::string>& options = {}) {
    BoxOptions box;
    box.arguments = {"--mode=plain", "--agent-launch=wrapper"};
    box.arguments.insert(box.arguments.end(), options.begin(), options.end());
    box.environment = {"GO_SERVER_URL=http://127.0.0.1:8153/go"};
    box.agent_script = "#!/bin/sh\n" + script + "\n";
    return box;
}

std::uint64_t dropped(const object& status) {
    const auto* value = status.if_contains("dropped_log_lines");
    return value == nullptr ? 0 : value->to_number<std::uint64_t>();
}

TEST(Output, AHundredThousandLinesArriveAllAndInOrder) {
    constexpr int kLines = 100'000;
    Box box(agent("/opt/ns_probe lines " + std::to_string(kLines) + "; echo all said; exec sleep 1000"));
    ASSERT_TRUE(box.says("all said", 90s)) << box.err();
    std::istringstream lines(box.out());
    int next = 0;
    for (std::string line; std::getline(lines, line);) {
        if (line.find("] line ") == std::string::npos) continue;
        ASSERT_THAT(line, HasSubstr("[agent] line " + std::to_string(next) +
                                    " of a log that somebody wants to read"));
        ++next;
    }
    EXPECT_EQ(next, kLines);
    EXPECT_EQ(dropped(box.status()), 0U);
    box.signal(SIGTERM);
    EXPECT_EQ(box.wait(), 0);
}

#ifndef SANITIZED
TEST(Output, MemoryDoesNotGrowWithWhatIsSaid) {
    Box box(
        agent("echo first; sleep 0.5; i=0; while [ $i -lt 10 ]; do /opt/ns_probe lines 20000; "
              "i=$((i+1)); done; echo all said; exec sleep 1000"));
    ASSERT_TRUE(box.says("first")) << box.text();
    const long before = box.resident();
    ASSERT_TRUE(box.says("all said", 90s));
    EXPECT_LT(box.resident(), before + 1'500) << "kilobytes; before: " << before;
    box.signal(SIGTERM);
    EXPECT_EQ(box.wait(), 0);
}
#endif

TEST(Output, AReaderThatStopsReadingHoldsUpNobodyAndLosesWholeLinesThatAreCounted) {
    auto pipe = std::move(supervisor::sys::make_pipe().value());
    BoxOptions options = agent("/opt/ns_probe lines 60000; touch /tmp/said; exec sleep 1000");
    options.standard_output = pipe.write.get();
    Box box(options);
    pipe.write.reset();
    ASSERT_TRUE(
        test_support::eventually([&] { return ::access(box.inside("/tmp/said").c_str(), F_OK) == 0; }, 90s))
        << "the agent is held up by a reader of its container's log\n"
        << box.err();
    EXPECT_TRUE(box.status_holds([](const object& status) { return dropped(status) > 0; }))
        << "PID 1 answers";
    const auto lost = dropped(box.status());
    box.signal(SIGTERM);
    EXPECT_EQ(box.wait(30s), 0);
    // What did get through is whole lines.
    std::string text;
    char chunk[65536];
    for (ssize_t got; (got = ::read(pipe.read.get(), chunk, sizeof chunk)) > 0;)
        text.append(chunk, static_cast<std::size_t>(got));
    std::istringstream lines(text.substr(0, text.rfind('\n') + 1));
    int whole = 0;
    for (std::string line; std::getline(lines, line);) {
        if (line.find("] line ") == std::string::npos) continue;
        EXPECT_THAT(line, testing::EndsWith("of a log that somebody wants to read"));
        ++whole;
    }
    EXPECT_GT(whole, 100);
    EXPECT_LT(static_cast<std::uint64_t>(whole), 60'000U - lost + 1);
}

TEST(Output, AReaderOfItsOwnLogThatStopsReadingHoldsUpNobodyEither) {
    auto pipe = std::move(supervisor::sys::make_pipe().value());
    BoxOptions options = agent("echo up; exec sleep 1000");
    options.standard_error = pipe.write.get();
    Box box(options);
    pipe.write.reset();
    ASSERT_TRUE(box.says("up"));
    // Each status is a line of its log.
    EXPECT_TRUE(box.status_holds([&](const object& status) {
        for (int i = 0; i < 100; ++i) {
            box.signal(SIGUSR1);
            test_support::pause_for(2ms);
        }
        return dropped(status) > 0;
    }));
    EXPECT_FALSE(box.ended());
    box.signal(SIGTERM);
    EXPECT_EQ(box.wait(30s), 0);
    EXPECT_THAT(box.out(), HasSubstr("ended (SIGTERM)"));
}

TEST(Output, AClosedPipeDoesNotKillIt) {
    auto pipe = std::move(supervisor::sys::make_pipe().value());
    BoxOptions options = agent("/opt/ns_probe lines 1000; touch /tmp/said; exec sleep 1000");
    options.standard_output = pipe.write.get();
    Box box(options);
    pipe.write.reset();
    pipe.read.reset();
    ASSERT_TRUE(
        test_support::eventually([&] { return ::access(box.inside("/tmp/said").c_str(), F_OK) == 0; }, 60s))
        << box.err();
    EXPECT_FALSE(box.ended());
    box.signal(SIGTERM);
    EXPECT_EQ(box.wait(30s), 0);
}

TEST(Output, JsonLinesAreJson) {
    Box box(agent("echo 'with \"quotes\"'; exec sleep 1000", {"--log-format=json"}));
    ASSERT_TRUE(box.says("quotes")) << box.text();
    std::istringstream lines(box.out() + box.err());
    int count = 0;
    for (std::string line; std::getline(lines, line); ++count)
        EXPECT_TRUE(supervisor::parse_json(line)) << line;
    EXPECT_GT(count, 2);
}

// --- an agent that ends by itself ---

// As a bootstrapper that is killed while its JVM lives on.
TEST(CrashLoop, WhatADeadLauncherLeftIsGoneBeforeItsNextLife) {
    Box box(
        agent("[ ! -e /tmp/child ] || ! kill -0 $(cat /tmp/child) 2>/dev/null || echo two of them\n"
              "/opt/ns_probe stubborn & echo $! >/tmp/child; sleep 0.2; echo life; kill -9 $$"));
    ASSERT_TRUE(test_support::eventually([&] { return box.count_out("[agent] life") >= 3; }, 60s))
        << box.text();
    EXPECT_EQ(box.count_out("two of them"), 0) << box.out();
    box.signal(SIGTERM);
    EXPECT_EQ(box.wait(30s), 0);
}

TEST(CrashLoop, AStaticAgentIsStartedAgainWithGrowingPauses) {
    Box box(agent("echo started; exit 1"));
    EXPECT_TRUE(box.status_holds([](const object& status) {
        for (const auto& service : status.at("services").as_array()) {
            if (service.at("name") == "agent") return service.at("restarts").to_number<int>() >= 2;
        }
        return false;
    })) << box.text();
    EXPECT_LT(box.count_out("[agent] started"), 20) << "not a busy loop";
    EXPECT_THAT(supervisor::to_text(box.status()), HasSubstr("exited with status 1"));
    box.signal(SIGTERM);
    EXPECT_EQ(box.wait(30s), 0) << "also between two tries";
}

TEST(CrashLoop, WithRestartNeverItsStatusIsTheContainers) {
    Box box(agent("exit 7", {"--agent-restart=never"}));
    EXPECT_EQ(box.wait(), 7) << box.text();
    Box killed(agent("kill -9 $$", {"--agent-restart=never"}));
    EXPECT_EQ(killed.wait(), 128 + SIGKILL) << killed.text();
}

TEST(CrashLoop, AnElasticAgentEndsTheContainer) {
    BoxOptions options = agent("exit 7");
    options.environment = {"GO_EA_SERVER_URL=http://127.0.0.1:8153/go",
                           "GO_EA_AUTO_REGISTER_ELASTIC_PLUGIN_ID=cd.go.contrib.elastic-agent.docker",
                           "GO_EA_AUTO_REGISTER_ELASTIC_AGENT_ID=4711"};
    Box box(options);
    EXPECT_EQ(box.wait(), 7) << box.text();
}

TEST(Agent, ASecondTermIsNotPassedOnToIt) {
    BoxOptions options = agent("exec /opt/ns_probe stubborn", {"--stop-timeout=100s"});
    Box box(options);
    ASSERT_TRUE(box.says("[agent] up")) << box.text();
    box.signal(SIGTERM);
    ASSERT_TRUE(box.says("got TERM"));
    box.signal(SIGTERM);
    EXPECT_EQ(box.wait(30s), 0);
    EXPECT_EQ(box.count_out("got TERM"), 1);
}

TEST(Agent, WithoutAServerTheVariableIsNamed) {
    BoxOptions options = agent("exit 0");
    options.environment.clear();
    Box box(options);
    EXPECT_EQ(box.wait(), 64) << box.text();
    EXPECT_THAT(box.err(), HasSubstr("GO_SERVER_URL"));
}

}  // namespace
}  // namespace ns_test
