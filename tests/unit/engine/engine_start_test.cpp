// Engine: from the held socket to the verified API.
#include "engine_fixture.hpp"

namespace supervisor::engine {
namespace {

TEST_F(EngineTest, G4_ListensBeforeAnyProcessExists) {
    ASSERT_TRUE(engine->listen());
    EXPECT_TRUE(sys::connect_unix(directory + "/docker.sock"));
    EXPECT_EQ(processes.starts, 0);
}

TEST_F(EngineTest, StartsContainerdThenDockerdThenAsksTheApi) {
    ASSERT_TRUE(engine->listen());
    engine->start();
    EXPECT_GT(pid_of("containerd"), 0);
    EXPECT_EQ(pid_of("dockerd"), -1);
    says_ready("containerd");
    EXPECT_GT(pid_of("dockerd"), 0);
    EXPECT_EQ(pid_of("internal-engine-check"), -1);
    says_ready("dockerd");
    EXPECT_EQ(engine->state(), EngineState::Starting) << "READY=1 alone is not ready";
    EXPECT_THAT(plan_of("internal-engine-check").arguments,
                testing::ElementsAre("internal-engine-check", directory + "/docker.sock", "overlay2"));
    answers(Health::Well, "Docker 26.1.5, storage driver overlay2");
    EXPECT_EQ(engine->state(), EngineState::Ready);
    EXPECT_EQ(engine->description(), "Docker 26.1.5, storage driver overlay2");
    EXPECT_EQ(trace, "starting ready ");
}

// dockerd gives a containerd of its own 15 s, which a loaded machine does not keep.
TEST_F(EngineTest, E3_ASlowContainerdHasAsLongAsTheWholeStart) {
    ASSERT_TRUE(engine->listen());
    engine->start();
    advance(25'000);
    EXPECT_GT(pid_of("containerd"), 0);
    EXPECT_TRUE(failures.empty());
    says_ready("containerd");
    EXPECT_GT(pid_of("dockerd"), 0);
}

TEST_F(EngineTest, DockerdGetsTheHeldSocketAsDescriptorThree) {
    ASSERT_TRUE(engine->listen());
    engine->start();
    says_ready("containerd");
    const auto& plan = plan_of("dockerd");
    EXPECT_THAT(plan.arguments, testing::ElementsAre("/usr/bin/dockerd", "-H", "fd://", "--debug"));
    EXPECT_EQ(plan.listen_descriptors, 1);
    ASSERT_EQ(plan.descriptors.size(), 1U);
    EXPECT_EQ(plan.descriptors[0].to, 3);
    EXPECT_THAT(plan.environment, testing::Contains("NOTIFY_SOCKET=" + directory + "/dockerd.notify"));
}

TEST_F(EngineTest, BothDaemonsArePlacedAndTheHelperIsNot) {
    ASSERT_TRUE(engine->listen());
    engine->start();
    says_ready("containerd");
    says_ready("dockerd");
    EXPECT_EQ(plan_of("containerd").oom_score_adjust, -500);
    EXPECT_EQ(plan_of("dockerd").oom_score_adjust, -500);
    EXPECT_EQ(plan_of("internal-engine-check").oom_score_adjust, std::nullopt);
}

TEST_F(EngineTest, AReadyOfTheOtherDaemonDoesNotCount) {
    ASSERT_TRUE(engine->listen());
    engine->start();
    says_ready("dockerd");
    EXPECT_EQ(pid_of("dockerd"), -1);
}

TEST_F(EngineTest, AnEarlyExitIsTriedOnceMoreAndThenGivenUpWithItsCause) {
    ASSERT_TRUE(engine->listen());
    engine->start();
    says_ready("containerd");
    const std::string line = "level=fatal msg=\"failed to start daemon: no space left on device\"";
    exits("dockerd", 1, line);
    EXPECT_TRUE(failures.empty());
    advance(100);
    ASSERT_GT(pid_of("dockerd"), 0) << "somebody may have killed it: once more";
    exits("dockerd", 1, line);
    ASSERT_EQ(failures.size(), 1U);
    EXPECT_THAT(failures[0], HasSubstr("dockerd exited with status 1"));
    EXPECT_THAT(failures[0], HasSubstr("no space left on device"));
    EXPECT_EQ(engine->state(), EngineState::Failed);
    EXPECT_EQ(engine->cause(), failures[0]);
    advance(60'000);
    EXPECT_EQ(pid_of("dockerd"), -1);
    EXPECT_EQ(failures.size(), 1U);
}

TEST_F(EngineTest, AContainerdThatEndsEarlyIsGivenUpTheSameWay) {
    ASSERT_TRUE(engine->listen());
    engine->start();
    exits("containerd", 1);
    advance(100);
    exits("containerd", 1, "containerd: failed to start: permission denied");
    ASSERT_EQ(failures.size(), 1U);
    EXPECT_THAT(failures[0], HasSubstr("permission denied"));
}

TEST_F(EngineTest, AMissingExecutableIsNamed) {
    processes.refusal = "start containerd: execute /usr/bin/containerd: No such file or directory";
    ASSERT_TRUE(engine->listen());
    engine->start();
    for (int i = 0; i < 10; ++i) advance(5'000);
    ASSERT_EQ(failures.size(), 1U);
    EXPECT_THAT(failures[0], HasSubstr("No such file or directory"));
}

TEST_F(EngineTest, NotReadyInTimeIsAFailureWithTheLastWords) {
    ASSERT_TRUE(engine->listen());
    engine->start();
    says_ready("containerd");
    processes.running.at(pid_of("dockerd")).output.observer("level=info msg=\"Loading containers: start.\"");
    advance(29'999);
    EXPECT_TRUE(failures.empty());
    advance(1);
    ASSERT_EQ(failures.size(), 1U);
    EXPECT_THAT(failures[0], HasSubstr("not ready after 30"));
    EXPECT_THAT(failures[0], HasSubstr("Loading containers"));
}

TEST_F(EngineTest, AWrongStorageDriverIsAFailure) {
    ASSERT_TRUE(engine->listen());
    engine->start();
    says_ready("containerd");
    says_ready("dockerd");
    answers(Health::WrongDriver, "storage driver is vfs, planned was overlay2");
    ASSERT_EQ(failures.size(), 1U);
    EXPECT_EQ(failures[0], "storage driver is vfs, planned was overlay2");
    EXPECT_EQ(engine->state(), EngineState::Failed);
}

TEST_F(EngineTest, OneFailedCheckAtTheStartIsToleratedAndAskedAgain) {
    ASSERT_TRUE(engine->listen());
    engine->start();
    says_ready("containerd");
    says_ready("dockerd");
    answers(Health::ContainerdSick, "dockerd has lost its containerd");
    advance(500);
    answers(Health::Well, "Docker 26.1.5, storage driver overlay2");
    EXPECT_EQ(engine->state(), EngineState::Ready);
    EXPECT_TRUE(processes.signals.empty());
}

TEST_F(EngineTest, AFailedEngineDoesNotBecomeReadyByALateAnswer) {
    ASSERT_TRUE(engine->listen());
    engine->start();
    says_ready("containerd");
    advance(29'900);
    says_ready("dockerd");
    advance(100);
    ASSERT_EQ(engine->state(), EngineState::Failed);
    answers(Health::Well, "Docker 26.1.5, storage driver overlay2");
    EXPECT_EQ(engine->state(), EngineState::Failed);
}

}  // namespace
}  // namespace supervisor::engine
