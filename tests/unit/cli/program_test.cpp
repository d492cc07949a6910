#include "cli/program.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "support/fake_processes.hpp"

namespace supervisor::cli {
namespace {

using ms = Milliseconds;
using testing::HasSubstr;

class ProgramTest : public testing::Test {
  protected:
    void make(bool terminal = false) {
        proc::ChildPlan plan;
        plan.name = "build.sh";
        plan.foreground_on_terminal = terminal;
        PayloadEvents events;
        events.ended = [this](int code, const std::string& text) {
            ++ends;
            status = code;
            reason = text;
        };
        program = std::make_unique<Program>(*loop, processes, plan, std::move(events));
    }
    void advance(int milliseconds) {
        clock->advance(ms(milliseconds));
        ASSERT_TRUE(loop->turn(ms(0)));
    }
    void stop(int budget) {
        program->stop(Deadline::after(*clock, ms(budget)), [this] { ++stops; });
    }

    std::shared_ptr<ManualClock> clock = std::make_shared<ManualClock>();
    std::unique_ptr<loop::EventLoop> loop = std::move(loop::EventLoop::create(clock).value());
    support::FakeProcesses processes;
    std::unique_ptr<Program> program;
    int status = -1;
    std::string reason;
    int ends = 0;
    int stops = 0;
};

TEST_F(ProgramTest, InheritsStdioAndNothingElse) {
    make();
    program->start();
    std::vector<int> inherited;
    for (const auto& mapping : processes.running.begin()->second.plan.descriptors) {
        EXPECT_EQ(mapping.from, mapping.to);
        inherited.push_back(mapping.to);
    }
    EXPECT_THAT(inherited, testing::ElementsAre(0, 1, 2));
}

TEST_F(ProgramTest, ItsStatusIsToldOnce) {
    make();
    program->start();
    processes.exits(processes.last_pid, 3);
    EXPECT_EQ(ends, 1);
    EXPECT_EQ(status, 3);
    EXPECT_EQ(reason, "build.sh exited with status 3");
    advance(60'000);
    EXPECT_EQ(processes.starts, 1) << "a program is not restarted";
}

TEST_F(ProgramTest, ASignalIsToldAsAShellWould) {
    make();
    program->start();
    processes.end(processes.last_pid, {proc::ExitStatus::Kind::Signaled, SIGSEGV, true});
    EXPECT_EQ(status, 128 + SIGSEGV);
}

TEST_F(ProgramTest, OneThatDoesNotExistIs127AndOneThatCannotRunIs126) {
    make();
    processes.refusal = "start build.sh: execute build.sh: No such file or directory";
    program->start();
    EXPECT_EQ(status, 127);
    EXPECT_THAT(reason, HasSubstr("No such file"));
    make();
    processes.refusal = "start build.sh: execute build.sh: Permission denied";
    program->start();
    EXPECT_EQ(status, 126);
    EXPECT_EQ(ends, 2);
}

TEST_F(ProgramTest, AForkThatFailsIsTriedAgain) {
    make();
    processes.refusal = "start build.sh: fork: Resource temporarily unavailable";
    program->start();
    EXPECT_EQ(ends, 0);
    processes.refusal.clear();
    advance(100);
    EXPECT_EQ(processes.starts, 1);
    EXPECT_EQ(ends, 0);
}

TEST_F(ProgramTest, AForkThatKeepsFailingEndsIt) {
    make();
    processes.refusal = "start build.sh: fork: Resource temporarily unavailable";
    program->start();
    for (int i = 0; i < 30 && ends == 0; ++i) advance(1'000);
    EXPECT_EQ(ends, 1);
    EXPECT_EQ(status, 126);
    EXPECT_THAT(reason, HasSubstr("Resource temporarily unavailable"));
}

TEST_F(ProgramTest, AStopWhileItWaitsForAnotherTryStartsNothing) {
    make();
    processes.refusal = "start build.sh: fork: Resource temporarily unavailable";
    program->start();
    stop(1'000);
    EXPECT_EQ(stops, 1);
    processes.refusal.clear();
    advance(60'000);
    EXPECT_EQ(processes.starts, 0);
}

TEST_F(ProgramTest, StopsWithTermAndAtTheDeadlineWithKill) {
    make();
    program->start();
    stop(700);
    EXPECT_EQ(processes.signals.size(), 1U);
    EXPECT_EQ(processes.signals[0].second, SIGTERM);
    advance(699);
    EXPECT_EQ(stops, 0);
    advance(1);
    EXPECT_EQ(processes.signals.back().second, SIGKILL);
    EXPECT_EQ(stops, 1);
    EXPECT_EQ(ends, 0) << "an end that was asked for is no event";
}

TEST_F(ProgramTest, AnInteractiveShellIsToldWithHangUp) {
    make(true);
    program->start();
    stop(5'000);
    advance(50);
    EXPECT_EQ(processes.signals.back().second, SIGHUP);
}

TEST_F(ProgramTest, StoppingWhatHasEndedIsDoneAtOnce) {
    make();
    program->start();
    processes.exits(processes.last_pid, 0);
    stop(1'000);
    EXPECT_EQ(stops, 1);
}

}  // namespace
}  // namespace supervisor::cli
