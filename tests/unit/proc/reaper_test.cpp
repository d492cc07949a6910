#include "proc/reaper.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>

namespace supervisor::proc {
namespace {

pid_t child_that_exits(int status) {
    const pid_t pid = ::fork();
    if (pid == 0) ::_exit(status);
    siginfo_t info{};
    ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT);
    return pid;
}

TEST(Reaper, TellsEachOwnerOnceAndCountsOrphans) {
    Reaper reaper;
    std::map<pid_t, int> codes;
    for (const int status : {0, 3}) {
        const pid_t pid = child_that_exits(status);
        reaper.expect(pid, [&codes, pid](const ExitStatus& exit) { codes[pid] = exit.shell_code() + 100; });
    }
    child_that_exits(1);
    reaper.reap();
    reaper.reap();
    ASSERT_EQ(codes.size(), 2U);
    EXPECT_EQ(codes.begin()->second, 100);
    EXPECT_EQ(codes.rbegin()->second, 103);
    EXPECT_EQ(reaper.orphans_reaped(), 1U);
}

TEST(Reaper, AnOwnerMaySpawnAndExpectInsideItsCallback) {
    Reaper reaper;
    int deaths = 0;
    reaper.expect(child_that_exits(0), [&](const ExitStatus&) {
        ++deaths;
        reaper.expect(child_that_exits(0), [&](const ExitStatus&) { ++deaths; });
    });
    reaper.reap();
    EXPECT_EQ(deaths, 2);
}

TEST(ExitStatus, SpeaksLikeAShellAndLikeAPerson) {
    EXPECT_EQ((ExitStatus{ExitStatus::Kind::Signaled, SIGKILL, false}).shell_code(), 137);
    EXPECT_EQ((ExitStatus{ExitStatus::Kind::Signaled, SIGSEGV, true}).text(),
              "killed by SIGSEGV (core dumped)");
    EXPECT_EQ((ExitStatus{ExitStatus::Kind::Exited, 3, false}).text(), "exited with status 3");
}

}  // namespace
}  // namespace supervisor::proc
