// What each signal does, how a stop ends, and with which status.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>

#include "ns/box.hpp"
#include "support/command.hpp"

namespace ns_test {
namespace {

using testing::HasSubstr;
using testing::Not;

BoxOptions shell_script(const std::string& script, const std::vector<std::string>& options = {}) {
    return {.arguments = plain({"sh", "-c", script}, options)};
}

const std::string kWaiter = "echo up; while :; do sleep 0.1; done";

class StopSignal : public testing::TestWithParam<int> {};

TEST_P(StopSignal, IsAnOrderedStopThatExitsWithZero) {
    Box box(shell_script("trap 'echo got TERM; exit 5' TERM; " + kWaiter));
    ASSERT_TRUE(box.says("up")) << box.text();
    box.signal(GetParam());
    EXPECT_EQ(box.wait(), 0) << box.text();
    EXPECT_EQ(box.count_out("got TERM"), 1) << "whatever came, the program gets TERM";
    EXPECT_THAT(box.out(), HasSubstr("ended (SIG" + std::string(::sigabbrev_np(GetParam())) + ")"));
    EXPECT_THAT(box.out(), HasSubstr("nothing had to be killed"));
}

INSTANTIATE_TEST_SUITE_P(Table, StopSignal, testing::Values(SIGTERM, SIGINT, SIGQUIT),
                         [](const auto& row) { return std::string(::sigabbrev_np(row.param)); });

TEST(OtherSignals, NeverEndIt) {
    Box box(shell_script(kWaiter));
    ASSERT_TRUE(box.says("up")) << box.text();
    for (int number = 1; number <= SIGRTMAX; ++number) {
        const bool stops = number == SIGTERM || number == SIGINT || number == SIGQUIT;
        const bool fault = number == SIGSEGV || number == SIGBUS || number == SIGFPE || number == SIGILL ||
                           number == SIGTRAP || number == SIGABRT || number == SIGSYS;
        if (stops || fault || number == SIGKILL || number == SIGSTOP || number == 32 || number == 33)
            continue;
        box.signal(number);
    }
    EXPECT_TRUE(box.complains("status: {"));
    EXPECT_FALSE(box.ended());
    EXPECT_EQ(box.count_out("up"), 1) << "nothing was restarted";
    box.signal(SIGTERM);
    EXPECT_EQ(box.wait(), 0) << box.text();
}

TEST(OtherSignals, Usr1WritesTheStatusToTheLog) {
    Box box(shell_script(kWaiter));
    ASSERT_TRUE(box.says("up")) << box.text();
    box.signal(SIGUSR1);
    EXPECT_TRUE(box.complains("\"phase\":\"running\"")) << box.text();
    EXPECT_TRUE(box.complains("\"mode\":{\"name\":\"plain\""));
}

TEST(SecondTerm, ShortensTheStopAndIsNotPassedOn) {
    Box box({.arguments = plain({kProbe, "stubborn"}, {"--stop-timeout=100s"})});
    ASSERT_TRUE(box.says("up")) << box.text();
    box.signal(SIGTERM);
    ASSERT_TRUE(box.says("got TERM")) << box.text();
    EXPECT_FALSE(box.ended());
    box.signal(SIGTERM);
    EXPECT_EQ(box.wait(30s), 0) << box.text();
    EXPECT_EQ(box.count_out("got TERM"), 1);
    EXPECT_THAT(box.out(), HasSubstr("had to kill"));
}

TEST(StopDeadline, EndsAProgramThatIgnoresTerm) {
    Box box({.arguments = plain({kProbe, "stubborn"}, {"--stop-timeout=1s"})});
    ASSERT_TRUE(box.says("up")) << box.text();
    box.signal(SIGTERM);
    EXPECT_EQ(box.wait(30s), 0) << box.text();
    EXPECT_EQ(box.count_out("got TERM"), 1);
    EXPECT_THAT(box.out(), HasSubstr("had to kill /opt/ns_probe"));
}

TEST(StopDeadline, AProgramAloneGetsNearlyAllOfIt) {
    Box box(shell_script("trap 'sleep 1.2; echo cleaned; exit 0' TERM; " + kWaiter, {"--stop-timeout=20s"}));
    ASSERT_TRUE(box.says("up")) << box.text();
    box.signal(SIGTERM);
    EXPECT_EQ(box.wait(), 0) << box.text();
    EXPECT_THAT(box.out(), HasSubstr("cleaned"));
    EXPECT_THAT(box.out(), HasSubstr("nothing had to be killed"));
}

// The kernel drops what a PID 1 neither handles nor blocks: this is when nothing can be lost any more.
bool blocks_term(const Box& box) {
    std::ifstream status("/proc/" + std::to_string(box.pid()) + "/status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with("SigBlk:"))
            return (std::stoull(line.substr(7), nullptr, 16) >> (SIGTERM - 1) & 1) != 0;
    }
    return false;
}

TEST(StopDeadline, ATermInTheFirstMomentsStopsToo) {
    for (int i = 0; i < 20; ++i) {
        Box box(shell_script(kWaiter));
        while (!blocks_term(box) && !box.ended()) {
        }
        ::usleep(static_cast<useconds_t>(i) * 2'000);
        box.signal(SIGTERM);
        EXPECT_EQ(box.wait(), 0) << box.text();
        EXPECT_THAT(box.out(), HasSubstr("ended (SIGTERM)"));
    }
}

TEST(ExitStatus, IsTheProgramsOwn) {
    const std::pair<std::string, int> cases[] = {
        {"exit 0", 0},
        {"exit 3", 3},
        {"exit 255", 255},
        {"kill -9 $$", 128 + SIGKILL},
        {"kill -SEGV $$", 128 + SIGSEGV},
        {"kill -TERM $$", 128 + SIGTERM},
    };
    for (const auto& [script, status] : cases) {
        Box box(shell_script(script));
        EXPECT_EQ(box.wait(), status) << script << box.text();
        EXPECT_THAT(box.out(), HasSubstr("status " + std::to_string(status))) << "the last line says it too";
    }
}

TEST(ExitStatus, Is127ForAProgramThatDoesNotExistAnd126ForOneThatCannotRun) {
    const std::pair<std::string, int> cases[] = {
        {"no-such-program", 127}, {"/no/such/program", 127}, {"/etc/passwd", 126}, {"/etc", 126}};
    for (const auto& [program, status] : cases) {
        Box box({.arguments = plain({program})});
        EXPECT_EQ(box.wait(), status) << program << box.text();
        EXPECT_THAT(box.err(), HasSubstr(program)) << "the message names it";
    }
}

TEST(ExitStatus, Is64ForWrongOptionsWithTheirNames) {
    const std::pair<std::vector<std::string>, std::string> cases[] = {
        {{"--mode=magic"}, "'magic' is not one of: auto, dind, dood, plain"},
        {{"--no-such-option"}, "no-such-option"},
        {{"--stop-timeout=soon"}, "--stop-timeout"},
        {{"status", "now"}, "'now'"}};
    for (const auto& [arguments, message] : cases) {
        Box box({.arguments = arguments});
        EXPECT_EQ(box.wait(), 64) << box.text();
        EXPECT_THAT(box.err(), HasSubstr(message));
    }
    Box box({.arguments = {"--mode=plain"}, .environment = {"GOCD_LOG_LEVEL=loud"}});
    EXPECT_EQ(box.wait(), 64);
    EXPECT_THAT(box.err(), HasSubstr("GOCD_LOG_LEVEL"));
}

TEST(ExitStatus, Is71WithoutRootAndSaysWhatToDo) {
    BoxOptions options = shell_script("exit 0");
    options.before_exec = [] { (void)!::setuid(1000); };
    Box box(options);
    EXPECT_EQ(box.wait(), 71) << box.text();
    EXPECT_THAT(box.err(), HasSubstr("runAsUser: 0"));
}

}  // namespace
}  // namespace ns_test
