#include "service/service.hpp"

#include <gtest/gtest.h>
#include <signal.h>

#include "support/fake_processes.hpp"

namespace supervisor::service {
namespace {

using ms = Milliseconds;

class ServiceTest : public testing::Test {
  protected:
    void make(Spec spec) {
        spec.name = "daemon";
        Hooks hooks;
        hooks.plan = [] { return proc::ChildPlan{}; };
        hooks.after_exit = [this](const proc::ExitStatus&) { return verdict; };
        hooks.changed = [this](State state) { trace += std::string(to_text(state)) + " "; };
        service = std::make_unique<Service>(*loop, processes, std::move(spec), std::move(hooks));
    }
    void advance(int milliseconds) {
        clock->advance(ms(milliseconds));
        ASSERT_TRUE(loop->turn(ms(0)));
    }
    pid_t pid() const { return service->snapshot().pid; }

    std::shared_ptr<ManualClock> clock = std::make_shared<ManualClock>();
    std::unique_ptr<loop::EventLoop> loop = std::move(loop::EventLoop::create(clock).value());
    support::FakeProcesses processes;
    std::unique_ptr<Service> service;
    AfterExit verdict = AfterExit::Restart;
    std::string trace;
};

TEST_F(ServiceTest, IsReadyOnlyWhenItSaysSo) {
    make({.ready_when = ReadyWhen::Notified});
    service->start();
    EXPECT_EQ(service->state(), State::Starting);
    service->notify_ready();
    EXPECT_EQ(trace, "starting ready ");
}

TEST_F(ServiceTest, ADeathIsFollowedByARestartAtOnceAndThenByWaiting) {
    make({.restart = {
              .minimum = ms(0), .cap = ms(1000), .limit = 5, .window = ms(60'000), .stable = ms(30'000)}});
    service->start();
    processes.exits(pid(), 1);
    advance(0);
    EXPECT_EQ(service->state(), State::Ready);
    processes.exits(pid(), 1);
    advance(99);
    EXPECT_EQ(service->state(), State::Waiting);
    advance(1);
    EXPECT_EQ(service->state(), State::Ready);
    EXPECT_EQ(service->snapshot().restarts, 2);
    EXPECT_EQ(service->snapshot().last_exit, "exited with status 1");
}

TEST_F(ServiceTest, TooManyDeathsEndInFailedWithTheCause) {
    make({.restart = {
              .minimum = ms(0), .cap = ms(0), .limit = 2, .window = ms(60'000), .stable = ms(30'000)}});
    service->start();
    for (int i = 0; i < 3; ++i) {
        processes.running.at(pid()).output.observer("time=x level=fatal msg=\"no space\"");
        processes.exits(pid(), 1);
        advance(0);
    }
    EXPECT_EQ(service->state(), State::Failed);
    EXPECT_NE(service->snapshot().cause.find("no space"), std::string::npos);
}

TEST_F(ServiceTest, AStartThatFailsCountsAsADeath) {
    make({.restart = {
              .minimum = ms(0), .cap = ms(0), .limit = 2, .window = ms(60'000), .stable = ms(30'000)}});
    processes.refusal = "fork: Resource temporarily unavailable";
    service->start();
    EXPECT_EQ(service->state(), State::Waiting);
    processes.refusal.clear();
    advance(0);
    EXPECT_EQ(service->state(), State::Ready);
}

TEST_F(ServiceTest, OneThatIsNotReadyInTimeIsKilledAndComesBack) {
    make({.ready_when = ReadyWhen::Notified, .start_timeout = ms(5000)});
    service->start();
    advance(5000);
    EXPECT_EQ(processes.signals.back().second, SIGKILL);
    advance(0);
    EXPECT_EQ(processes.starts, 2);
}

TEST_F(ServiceTest, TheOwnerDecidesWhatADeathMeans) {
    make({});
    service->start();
    verdict = AfterExit::StayStopped;
    processes.exits(pid(), 7);
    EXPECT_EQ(service->state(), State::Stopped);
    EXPECT_EQ(processes.starts, 1);
}

TEST_F(ServiceTest, StoppingClimbsTheLadderAndEndsWithKill) {
    make({.stop_ladder = {{SIGTERM, ms(1000)}, {SIGINT, ms(500)}}});
    service->start();
    const pid_t process = pid();
    service->stop(Deadline::after(*clock, ms(10'000)));
    advance(1000);
    advance(500);
    EXPECT_EQ(processes.signals, (std::vector<std::pair<pid_t, int>>{
                                     {process, SIGTERM}, {process, SIGINT}, {process, SIGKILL}}));
    EXPECT_EQ(service->state(), State::Stopped);
}

TEST_F(ServiceTest, TheDeadlineCutsTheLadderShort) {
    make({.stop_ladder = {{SIGTERM, ms(60'000)}}});
    service->start();
    service->stop(Deadline::after(*clock, ms(300)));
    advance(299);
    EXPECT_EQ(service->state(), State::Stopping);
    advance(1);
    EXPECT_EQ(processes.signals.back().second, SIGKILL);
}

TEST_F(ServiceTest, ASecondStopWithAnEarlierDeadlineIsObeyed) {
    make({.stop_ladder = {{SIGTERM, ms(60'000)}}});
    service->start();
    service->stop(Deadline::after(*clock, ms(30'000)));
    service->stop(Deadline::after(*clock, ms(100)));
    advance(100);
    EXPECT_EQ(service->state(), State::Stopped);
}

TEST_F(ServiceTest, ASecondStopSendsNothingAgainAndNeverGivesMoreTime) {
    make({.stop_ladder = {{SIGTERM, ms(60'000)}}});
    service->start();
    const pid_t process = pid();
    service->stop(Deadline::after(*clock, ms(1'000)));
    service->stop(Deadline::after(*clock, ms(30'000)));
    service->stop(Deadline::after(*clock, ms(500)));
    EXPECT_EQ(processes.signals, (std::vector<std::pair<pid_t, int>>{{process, SIGTERM}}));
    advance(499);
    EXPECT_EQ(service->state(), State::Stopping);
    advance(1);
    EXPECT_EQ(processes.signals.back().second, SIGKILL);
    EXPECT_EQ(service->state(), State::Stopped);
}

TEST_F(ServiceTest, OneThatSurvivesKillForAWhileIsStillWaitedFor) {
    make({.stop_ladder = {{SIGTERM, ms(100)}}});
    processes.dies_of_kill = false;
    service->start();
    const pid_t process = pid();
    service->stop(Deadline::after(*clock, ms(1'000)));
    advance(5'000);
    EXPECT_EQ(service->state(), State::Stopping);
    processes.end(process, {proc::ExitStatus::Kind::Signaled, SIGKILL, false});
    EXPECT_EQ(service->state(), State::Stopped);
}

TEST_F(ServiceTest, TheLadderCanGoToTheWholeProcessGroup) {
    make({.stop_ladder = {{SIGTERM, ms(1000)}}, .signal_group = true});
    service->start();
    const pid_t process = pid();
    service->stop(Deadline::after(*clock, ms(5'000)));
    EXPECT_EQ(processes.signals, (std::vector<std::pair<pid_t, int>>{{-process, SIGTERM}}));
}

TEST_F(ServiceTest, ADeathTakesTheRestOfItsGroupAlongWhereThatIsAsked) {
    make({.stop_ladder = {{SIGTERM, ms(1000)}}, .kill_group_after_death = true});
    service->start();
    const pid_t first = pid();
    processes.exits(first, 1);
    EXPECT_EQ(processes.signals, (std::vector<std::pair<pid_t, int>>{{-first, SIGKILL}}));
    advance(60'000);
    processes.signals.clear();
    const pid_t second = pid();
    service->stop(Deadline::after(*clock, ms(5'000)));
    processes.exits(second, 0);
    EXPECT_EQ(processes.signals, (std::vector<std::pair<pid_t, int>>{{second, SIGTERM}}))
        << "what was asked to end may leave children that are about to end, too";
}

TEST_F(ServiceTest, ADeathLeavesItsGroupAloneOtherwise) {
    make({});
    service->start();
    processes.exits(pid(), 1);
    EXPECT_TRUE(processes.signals.empty());
}

TEST_F(ServiceTest, AStopBeforeTheFirstStartChangesNothing) {
    make({});
    service->stop(Deadline::after(*clock, ms(100)));
    EXPECT_EQ(service->state(), State::Stopped);
    EXPECT_TRUE(trace.empty());
}

TEST_F(ServiceTest, AFailedOneCanBeStartedAgainByHand) {
    make({.restart = {
              .minimum = ms(0), .cap = ms(0), .limit = 1, .window = ms(60'000), .stable = ms(30'000)}});
    service->start();
    processes.exits(pid(), 1);
    advance(0);
    processes.exits(pid(), 1);
    ASSERT_EQ(service->state(), State::Failed);
    service->start();
    EXPECT_EQ(service->state(), State::Ready);
}

TEST_F(ServiceTest, ReadyFromAProcessThatIsBeingStoppedIsIgnored) {
    make({.ready_when = ReadyWhen::Notified, .stop_ladder = {{SIGTERM, ms(1000)}}});
    service->start();
    service->stop(Deadline::after(*clock, ms(5'000)));
    service->notify_ready();
    EXPECT_EQ(service->state(), State::Stopping);
}

TEST_F(ServiceTest, TheCauseOfTheLastRestartStaysVisibleWhenItRunsAgain) {
    make({});
    service->start();
    processes.running.at(pid()).output.observer("level=fatal msg=\"address in use\"");
    processes.exits(pid(), 3);
    advance(0);
    ASSERT_EQ(service->state(), State::Ready);
    EXPECT_EQ(service->snapshot().cause, "exited with status 3: level=fatal msg=\"address in use\"");
}

TEST_F(ServiceTest, ALastLineOutsideOfTheLogIsACauseWhereThatIsKnown) {
    const std::string line = "failed to load listeners: address in use";
    for (const bool known : {true, false}) {
        make({.plain_lines_are_causes = known});
        service->start();
        processes.running.at(pid()).output.observer("time=x level=info msg=\"Starting up\"");
        processes.running.at(pid()).output.observer(line);
        processes.exits(pid(), 1);
        EXPECT_EQ(service->snapshot().cause, "exited with status 1" + (known ? ": " + line : ""));
    }
}

TEST_F(ServiceTest, APlainLineIsNoCauseOfWhatCameLongAfterIt) {
    make({.plain_lines_are_causes = true});
    service->start();
    processes.running.at(pid()).output.observer("Flag --graph has been deprecated");
    processes.running.at(pid()).output.observer("time=x level=info msg=\"Starting up\"");
    processes.exits(pid(), 1);
    EXPECT_EQ(service->snapshot().cause, "exited with status 1");
}

TEST_F(ServiceTest, ACrashIsToldByItsFirstLineNotByItsStacks) {
    make({.plain_lines_are_causes = true});
    service->start();
    for (const char* line : {"time=x level=error msg=\"no such container\"",
                             "runtime: failed to create new OS thread (have 12 already; errno=11)",
                             "fatal error: newosproc", "goroutine 1 [running]:", "main.main()"}) {
        processes.running.at(pid()).output.observer(line);
    }
    processes.exits(pid(), 2);
    EXPECT_EQ(service->snapshot().cause,
              "exited with status 2: runtime: failed to create new OS thread (have 12 already; errno=11)");
}

TEST_F(ServiceTest, OneThatWasTooSlowSaysSo) {
    make({.ready_when = ReadyWhen::Notified, .start_timeout = ms(5000)});
    service->start();
    advance(5000);
    EXPECT_EQ(service->snapshot().cause, "not ready after 5.0 s");
}

TEST_F(ServiceTest, StoppingWhileWaitingNeedsNoSignal) {
    make({.restart = {.minimum = ms(5000)}});
    service->start();
    processes.exits(pid(), 1);
    service->stop(Deadline::after(*clock, ms(100)));
    EXPECT_EQ(service->state(), State::Stopped);
    EXPECT_TRUE(processes.signals.empty());
    advance(6000);
    EXPECT_EQ(processes.starts, 1);
}

TEST_F(ServiceTest, AHungProcessIsKilledAndItsCauseKept) {
    make({});
    service->start();
    service->restart("no answer for 20 s");
    EXPECT_EQ(service->snapshot().cause, "no answer for 20 s");
    advance(0);
    EXPECT_EQ(service->state(), State::Ready);
}

}  // namespace
}  // namespace supervisor::service
