// Orphans, leftovers, and kernels or hosts that refuse something.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/syscall.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "ns/box.hpp"
#include "proc/seccomp.hpp"
#include "support/command.hpp"

namespace ns_test {
namespace {

using supervisor::json::object;
using testing::HasSubstr;

std::uint64_t number(const object& status, const char* key) {
    const auto* value = status.if_contains(key);
    return value == nullptr ? 0 : value->to_number<std::uint64_t>();
}

int zombies_below(pid_t parent) {
    std::ifstream children("/proc/" + std::to_string(parent) + "/task/" + std::to_string(parent) +
                           "/children");
    int count = 0;
    for (pid_t child = 0; children >> child;) {
        std::ifstream stat("/proc/" + std::to_string(child) + "/stat");
        std::string text;
        std::getline(stat, text);
        if (text.find(") Z") != std::string::npos) ++count;
    }
    return count;
}

// Answers these system calls with an error from before gocd-supervisor runs.
std::function<void()> without_calls(const std::vector<std::string>& names, int error) {
    supervisor::proc::SeccompRules rules;
    (error == ENOSYS ? rules.hidden : rules.denied) = names;
    auto program = supervisor::proc::compile(rules);
    EXPECT_TRUE(program);
    // Denied means EPERM; a box may want another error.
    for (auto& instruction : *program) {
        if (instruction.k == (SECCOMP_RET_ERRNO | EPERM))
            instruction.k = SECCOMP_RET_ERRNO | static_cast<unsigned>(error);
    }
    return [program = *program] { (void)supervisor::proc::confine_self(program); };
}

void reap_orphans(const BoxOptions& options, int count) {
    Box box(options);
    ASSERT_TRUE(box.says("orphans made", 100s)) << box.text();
    const auto wanted = static_cast<std::uint64_t>(count);
    EXPECT_TRUE(box.status_holds([&](const object& status) {
        return number(status, "orphans_reaped") >= wanted;
    })) << number(box.status(), "orphans_reaped");
    EXPECT_EQ(number(box.status(), "orphans_reaped"), wanted) << "each is counted once";
    EXPECT_EQ(zombies_below(box.pid()), 0);
    box.signal(SIGTERM);
    EXPECT_EQ(box.wait(), 0) << box.text();
}

TEST(Orphans, TenThousandAreReaped) {
    reap_orphans({.arguments = plain({kProbe, "orphans", "10000"})}, 10'000);
}

TEST(Orphans, ComeToItAlsoWhenItIsNotPidOne) {
    reap_orphans({.arguments = plain({kProbe, "orphans", "300"}), .under_an_init = true}, 300);
}

TEST(Orphans, TheCountReachesTheStatusFileByItself) {
    Box box({.arguments = plain({kProbe, "orphans", "20"})});
    EXPECT_TRUE(test_support::eventually([&] { return number(box.status(), "orphans_reaped") == 20; }, 30s));
}

TEST(Leftovers, DaemonsThatAreDeafToEverythingAreKilledAndToldOf) {
    Box box({.arguments = plain({kProbe, "daemon"})});
    EXPECT_EQ(box.wait(), 0) << box.text();
    EXPECT_THAT(box.out(), HasSubstr("had to kill leftover processes"));
}

TEST(Leftovers, NothingOfOursLivesOnWhenItIsNotPidOne) {
    Box box({.arguments = plain({kProbe, "daemon"}), .under_an_init = true});
    EXPECT_EQ(box.wait(), 0) << box.text();
    EXPECT_EQ(box.processes_left(), 0);
}

TEST(Leftovers, AProgramThatEndsWithoutAnyIsNotAccused) {
    Box box({.arguments = plain({"sh", "-c", "(true &); (true &); sleep 0.1"})});
    EXPECT_EQ(box.wait(), 0);
    EXPECT_THAT(box.out(), HasSubstr("nothing had to be killed"));
}

TEST(Subreaper, StopsAndPassesTheStatusOn) {
    Box stopped({.arguments = plain({kProbe, "stubborn"}, {"--stop-timeout=1s"}), .under_an_init = true});
    ASSERT_TRUE(stopped.says("up")) << stopped.text();
    stopped.signal(SIGTERM);
    EXPECT_EQ(stopped.wait(30s), 0) << stopped.text();
    EXPECT_EQ(stopped.processes_left(), 0);
    Box ended({.arguments = plain({"sh", "-c", "exit 9"}), .under_an_init = true});
    EXPECT_EQ(ended.wait(), 9) << ended.text();
}

// --- what the agent's user gets ---

TEST(Program, RunsAsTheAgentWithNothingInItsHands) {
    Box box({.arguments = plain({"sh", "-c",
                                 "id -u; id -G; grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status; "
                                 "for n in 3 4 5 6 7 8 9; do [ -e /proc/$$/fd/$n ] && echo inherited $n; "
                                 "done; echo key=$AGENT_AUTO_REGISTER_KEY home=$HOME"}),
             .environment = {"AGENT_AUTO_REGISTER_KEY=secret", "HOME=/root"}});
    EXPECT_EQ(box.wait(), 0) << box.text();
    EXPECT_THAT(box.out(), HasSubstr("1000\n0 998\n"));
    for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"})
        EXPECT_THAT(box.out(), HasSubstr(std::string(set) + ":\t0000000000000000"));
    EXPECT_THAT(box.out(), HasSubstr("NoNewPrivs:\t1"));
    EXPECT_THAT(box.out(), HasSubstr("Seccomp:\t2"));
    EXPECT_THAT(box.out(), testing::Not(HasSubstr("inherited")));
    EXPECT_THAT(box.out(), HasSubstr("key= home=/home/go"));
    EXPECT_THAT(box.text(), testing::Not(HasSubstr("secret")));
}

// --- less than a good host ---

TEST(OldKernel, WithoutClone3PidfdsAndCloseRangeEverythingStillWorks) {
    const auto old_kernel =
        without_calls({"clone3", "pidfd_open", "pidfd_send_signal", "close_range"}, ENOSYS);
    {
        BoxOptions options{.arguments = plain({kProbe, "orphans", "50"})};
        options.before_exec = old_kernel;
        reap_orphans(options, 50);
    }
    BoxOptions options{.arguments = plain({kProbe, "stubborn"}, {"--stop-timeout=1s"})};
    options.before_exec = old_kernel;
    Box box(options);
    ASSERT_TRUE(box.says("up")) << box.text();
    box.signal(SIGTERM);
    EXPECT_EQ(box.wait(30s), 0) << box.text();
    EXPECT_THAT(box.out(), HasSubstr("had to kill"));
}

BoxOptions cannot_fork() {
    BoxOptions options{.arguments = plain({"true"})};
    options.environment = {"ASAN_OPTIONS=detect_leaks=0"};  // the leak check forks
    options.before_exec = without_calls({"clone3", "clone", "fork", "vfork"}, EAGAIN);
    return options;
}

TEST(NoProcesses, AForkThatKeepsFailingIsToldAndEndsWith126) {
    BoxOptions options = cannot_fork();
    Box box(options);
    EXPECT_EQ(box.wait(60s), 126) << box.text();
    EXPECT_THAT(box.err(), HasSubstr("fork: Resource temporarily unavailable"));
}

TEST(NoProcesses, AStopWhileItTriesAgainIsObeyedAtOnce) {
    BoxOptions options = cannot_fork();
    Box box(options);
    ASSERT_TRUE(box.complains("Resource temporarily unavailable")) << box.text();
    box.signal(SIGTERM);
    EXPECT_EQ(box.wait(30s), 0) << box.text();
}

TEST(FullRun, CostsTheStatusAndNothingElse) {
    Box box({.arguments = plain({"sh", "-c", "echo up; sleep 0.3; exit 4"}), .root = {.run_bytes = 4096}});
    EXPECT_EQ(box.wait(), 4) << box.text();
    EXPECT_THAT(box.err(), HasSubstr("status cannot be written"));
    std::istringstream lines(box.err());
    int complaints = 0;
    for (std::string line; std::getline(lines, line);)
        complaints += line.find("No space left") != std::string::npos ? 1 : 0;
    EXPECT_EQ(complaints, 1) << "once: " << box.err();
}

TEST(AfterTheEnd, TheRunDirectoryIsEmpty) {
    Box box({.arguments = plain({kProbe, "stubborn"}, {"--stop-timeout=1s"}), .under_an_init = true});
    ASSERT_TRUE(box.says("up"));
    ASSERT_FALSE(std::filesystem::is_empty(box.inside("/run/gocd-supervisor")));
    // Held open: the box's mounts go with its last process.
    const std::filesystem::path run = box.inside("/run");
    const supervisor::UniqueFd held(::open(run.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    box.signal(SIGTERM);
    EXPECT_EQ(box.wait(30s), 0);
    const std::filesystem::path after = "/proc/self/fd/" + std::to_string(held.get()) + "/gocd-supervisor";
    EXPECT_TRUE(!std::filesystem::exists(after) || std::filesystem::is_empty(after));
}

}  // namespace
}  // namespace ns_test
