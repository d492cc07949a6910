// Engine: the stop, from every state.
#include "engine_fixture.hpp"

namespace supervisor::engine {
namespace {

TEST_F(EngineTest, E8_E9_StopsContainersThenDockerdThenContainerd) {
    bring_up();
    const pid_t dockerd = pid_of("dockerd");
    const pid_t containerd = pid_of("containerd");
    stop(9'000);
    EXPECT_EQ(plan_of("internal-engine-kill").arguments[1], directory + "/docker.sock");
    EXPECT_TRUE(processes.signals.empty());
    processes.exits(pid_of("internal-engine-kill"), 0);
    EXPECT_EQ(signals_to(dockerd), std::vector<int>{SIGTERM});
    EXPECT_TRUE(signals_to(containerd).empty());
    exits("dockerd", 0);
    EXPECT_EQ(signals_to(containerd), std::vector<int>{SIGTERM});
    EXPECT_EQ(stops, 0);
    exits("containerd", 0);
    EXPECT_EQ(stops, 1);
    EXPECT_EQ(engine->state(), EngineState::Stopped);
    EXPECT_FALSE(sys::exists(directory + "/docker.sock"));
    advance(60'000);
    EXPECT_TRUE(processes.running.empty());
}

TEST_F(EngineTest, StopWithoutAnEngineIsDoneAtOnce) {
    ASSERT_TRUE(engine->listen());
    stop(9'000);
    EXPECT_EQ(stops, 1);
}

TEST_F(EngineTest, StopWhileContainerdStarts) {
    ASSERT_TRUE(engine->listen());
    engine->start();
    stop(9'000);
    EXPECT_EQ(signals_to(pid_of("containerd")), std::vector<int>{SIGTERM});
    exits("containerd", 0);
    EXPECT_EQ(stops, 1);
    EXPECT_EQ(pid_of("dockerd"), -1);
}

TEST_F(EngineTest, StopWhileDockerdStartsSkipsTheContainers) {
    ASSERT_TRUE(engine->listen());
    engine->start();
    says_ready("containerd");
    stop(9'000);
    EXPECT_EQ(pid_of("internal-engine-kill"), -1) << "a dockerd that restores would answer too late";
    EXPECT_EQ(signals_to(pid_of("dockerd")), std::vector<int>{SIGTERM});
    exits("dockerd", 0);
    exits("containerd", 0);
    EXPECT_EQ(stops, 1);
}

TEST_F(EngineTest, StopWhileACheckIsUnderWayDropsTheCheck) {
    ASSERT_TRUE(engine->listen());
    engine->start();
    says_ready("containerd");
    says_ready("dockerd");
    const pid_t check = pid_of("internal-engine-check");
    stop(9'000);
    EXPECT_EQ(signals_to(check), std::vector<int>{SIGKILL});
    EXPECT_GT(pid_of("internal-engine-kill"), 0);
    EXPECT_TRUE(failures.empty());
}

TEST_F(EngineTest, StopWhileDockerdWaitsForItsRestart) {
    bring_up();
    dies("dockerd");
    advance(0);
    dies("dockerd");  // the second wait is longer than nothing
    ASSERT_EQ(pid_of("dockerd"), -1);
    stop(9'000);
    exits("containerd", 0);
    EXPECT_EQ(stops, 1);
    advance(60'000);
    EXPECT_EQ(pid_of("dockerd"), -1);
}

TEST_F(EngineTest, StopWhileBothWait) {
    bring_up();
    for (int i = 0; i < 2; ++i) {
        dies("dockerd");
        dies("containerd");
        if (i == 0) advance(0);
    }
    ASSERT_EQ(pid_of("containerd"), -1);
    stop(9'000);
    EXPECT_EQ(stops, 1);
    EXPECT_EQ(engine->state(), EngineState::Stopped);
    advance(60'000);
    EXPECT_TRUE(processes.running.empty());
}

TEST_F(EngineTest, StopWhileAHungDockerdDumpsItsStacks) {
    bring_up();
    advance(10'000);
    answers(Health::DaemonSick, "no answer in time");
    advance(500);
    answers(Health::DaemonSick, "no answer in time");
    ASSERT_EQ(signals_to(pid_of("dockerd")), std::vector<int>{SIGUSR1});
    stop(9'000);
    processes.exits(pid_of("internal-engine-kill"), 1);
    EXPECT_EQ(signals_to(pid_of("dockerd")), (std::vector<int>{SIGUSR1, SIGTERM}));
    advance(1'000);
    EXPECT_EQ(signals_to(pid_of("dockerd")), (std::vector<int>{SIGUSR1, SIGTERM}));
}

TEST_F(EngineTest, StopAfterAFailure) {
    ASSERT_TRUE(engine->listen());
    engine->start();
    says_ready("containerd");
    exits("dockerd", 1);
    advance(100);
    exits("dockerd", 1);
    ASSERT_EQ(engine->state(), EngineState::Failed);
    stop(9'000);
    exits("containerd", 0);
    EXPECT_EQ(stops, 1);
}

TEST_F(EngineTest, ADockerdThatDiesWhileStoppingDoesNotCountAsAFailure) {
    bring_up();
    stop(9'000);
    processes.exits(pid_of("internal-engine-kill"), 0);
    dies("dockerd");
    exits("containerd", 0);
    EXPECT_EQ(stops, 1);
    EXPECT_TRUE(failures.empty());
}

TEST_F(EngineTest, TheDeadlineIsKeptWhenNobodyListens) {
    bring_up();
    stop(1'800);
    EXPECT_GT(pid_of("internal-engine-kill"), 0);
    int waited = 0;
    while (stops == 0 && waited < 10'000) {
        advance(10);
        waited += 10;
    }
    EXPECT_LE(waited, 1'900) << "every step is cut to what is left";
    EXPECT_EQ(stops, 1);
    EXPECT_TRUE(processes.running.empty());
}

TEST_F(EngineTest, WithNoTimeLeftContainersAreLeftToTheCgroupKill) {
    bring_up();
    stop(550);
    EXPECT_EQ(pid_of("internal-engine-kill"), -1);
    EXPECT_EQ(signals_to(pid_of("dockerd")), std::vector<int>{SIGTERM});
}

TEST_F(EngineTest, AKillHelperThatCannotBeForkedDoesNotHoldUpTheStop) {
    bring_up();
    processes.refusal = "start internal-engine-kill: fork: Resource temporarily unavailable";
    stop(9'000);
    EXPECT_EQ(signals_to(pid_of("dockerd")), std::vector<int>{SIGTERM});
}

}  // namespace
}  // namespace supervisor::engine
