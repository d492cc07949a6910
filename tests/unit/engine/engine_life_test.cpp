// Engine: deaths, hangs, checks and reloads of one that was ready.
#include "engine_fixture.hpp"

namespace supervisor::engine {
namespace {

TEST_F(EngineTest, ChecksAgainAndAgainWithoutAskingForTheDriver) {
    bring_up();
    advance(5'999);
    EXPECT_EQ(pid_of("internal-engine-check"), -1);
    advance(1);
    EXPECT_EQ(plan_of("internal-engine-check").arguments.size(), 2U);
    answers(Health::Well, "Docker 26.1.5");
    EXPECT_EQ(engine->description(), "Docker 26.1.5, storage driver overlay2") << "the longer text stays";
    EXPECT_EQ(trace, "starting ready ");
}

TEST_F(EngineTest, ADockerdThatDiesComesBackBehindTheSameSocket) {
    bring_up();
    const int socket = processes.running.at(pid_of("dockerd")).plan.descriptors[0].from;
    const pid_t containerd = pid_of("containerd");
    dies("dockerd");
    EXPECT_EQ(engine->state(), EngineState::Unhealthy);
    EXPECT_TRUE(sys::connect_unix(directory + "/docker.sock")) << "clients wait, they are not refused";
    advance(0);
    ASSERT_GT(pid_of("dockerd"), 0) << "at once";
    EXPECT_EQ(plan_of("dockerd").descriptors[0].from, socket);
    EXPECT_EQ(pid_of("containerd"), containerd);
    says_ready("dockerd");
    EXPECT_EQ(plan_of("internal-engine-check").arguments.size(), 3U) << "a new dockerd is verified anew";
    answers(Health::Well, "Docker 26.1.5, storage driver overlay2");
    EXPECT_EQ(trace, "starting ready unhealthy ready ");
    EXPECT_EQ(engine->dockerd().snapshot().restarts, 1);
    EXPECT_EQ(engine->dockerd().snapshot().last_exit, "killed by SIGKILL");
}

TEST_F(EngineTest, AContainerdThatDiesComesBackAndDockerdStays) {
    bring_up();
    const pid_t dockerd = pid_of("dockerd");
    dies("containerd");
    EXPECT_EQ(engine->state(), EngineState::Unhealthy);
    advance(0);
    ASSERT_GT(pid_of("containerd"), 0);
    says_ready("containerd");
    advance(500);
    answers(Health::Well, "Docker 26.1.5");
    EXPECT_EQ(pid_of("dockerd"), dockerd);
    EXPECT_EQ(engine->state(), EngineState::Ready);
}

TEST_F(EngineTest, ADockerdThatWaitsForItsContainerdIsNotPunished) {
    bring_up();
    const pid_t dockerd = pid_of("dockerd");
    dies("containerd");
    advance(0);
    advance(10'000);  // containerd is slow to come back
    answers(Health::ContainerdSick, "dockerd has lost its containerd");
    advance(500);
    answers(Health::ContainerdSick, "dockerd has lost its containerd");
    advance(1'000);
    EXPECT_EQ(pid_of("dockerd"), dockerd);
    EXPECT_TRUE(processes.signals.empty());
    says_ready("containerd");
    advance(500);
    answers(Health::Well, "Docker 26.1.5");
    EXPECT_EQ(engine->state(), EngineState::Ready);
}

TEST_F(EngineTest, DeathsAgainAndAgainEndInAFailureWithTheCause) {
    bring_up();
    for (int i = 0; i < 6; ++i) {
        exits("dockerd", 2, "level=fatal msg=\"database is corrupt\"");
        advance(5'000);
    }
    ASSERT_EQ(failures.size(), 1U);
    EXPECT_THAT(failures[0], HasSubstr("database is corrupt"));
    EXPECT_EQ(engine->state(), EngineState::Failed);
}

TEST_F(EngineTest, AHungDockerdIsFoundWithin30SecondsDumpsItsStacksAndIsRestarted) {
    bring_up();
    const pid_t dockerd = pid_of("dockerd");
    // From here on checks get no answer: each is killed at its limit.
    int waited = 0;
    while (signals_to(dockerd).empty() && waited < 60'000) {
        advance(100);
        waited += 100;
    }
    EXPECT_LE(waited, 30'000);
    EXPECT_EQ(signals_to(dockerd), std::vector<int>{SIGUSR1});
    EXPECT_EQ(engine->state(), EngineState::Unhealthy);
    advance(1'000);
    EXPECT_EQ(signals_to(dockerd), (std::vector<int>{SIGUSR1, SIGKILL}));
    advance(0);
    EXPECT_THAT(engine->dockerd().snapshot().cause, HasSubstr("does not answer"));
    EXPECT_GT(pid_of("dockerd"), dockerd);
    says_ready("dockerd");
    answers(Health::Well, "Docker 26.1.5, storage driver overlay2");
    EXPECT_EQ(engine->state(), EngineState::Ready);
}

TEST_F(EngineTest, AHungContainerdIsTheOneThatIsRestartedAndDockerdFollows) {
    bring_up();
    const pid_t dockerd = pid_of("dockerd");
    const pid_t containerd = pid_of("containerd");
    advance(10'000);
    loses_its_containerd();
    EXPECT_EQ(signals_to(containerd), std::vector<int>{SIGKILL});
    EXPECT_TRUE(signals_to(dockerd).empty());
    advance(0);
    EXPECT_GT(pid_of("containerd"), containerd);
    says_ready("containerd");  // commands in flight would wait for the old one's answers
    EXPECT_EQ(signals_to(dockerd), std::vector<int>{SIGKILL});
    advance(0);
    says_ready("dockerd");
    answers(Health::Well, "Docker 26.1.5, storage driver overlay2");
    EXPECT_EQ(engine->state(), EngineState::Ready);
}

TEST_F(EngineTest, ADockerdThatHasNotFoundItsNewContainerdGetsTimeThenARestart) {
    bring_up();
    const pid_t dockerd = pid_of("dockerd");
    advance(6'000);
    answers(Health::Well, "Docker 26.1.5");
    dies("containerd");
    advance(0);
    const pid_t containerd = pid_of("containerd");
    says_ready("containerd");
    advance(500);
    loses_its_containerd();
    EXPECT_TRUE(processes.signals.empty());
    advance(5'000);
    loses_its_containerd();
    EXPECT_TRUE(signals_to(containerd).empty());
    EXPECT_EQ(signals_to(dockerd), std::vector<int>{SIGKILL});
    EXPECT_TRUE(failures.empty());
}

// How often an engine hangs, at which interval, and whether that is given up.
struct HangCase {
    const char* name;
    int hangs;
    int minutes_between;
    bool given_up;
};
class Hangs : public EngineTest, public testing::WithParamInterface<HangCase> {
  protected:
    void hang_once() {
        for (int i = 0; i < 2; ++i) {
            answers(Health::DaemonSick, "no answer in time");
            advance(500);
        }
        advance(1'000);  // the stack dump
        advance(0);
        if (engine->state() == EngineState::Failed) return;
        says_ready("dockerd");
        answers(Health::Well, "Docker 26.1.5, storage driver overlay2");
    }
    void be_well_for(int minutes) {
        for (int step = 0; step < minutes * 10; ++step) {
            advance(6'000);
            answers(Health::Well, "Docker 26.1.5");
        }
        advance(6'000);  // the check that will find it hung
    }
};

TEST_P(Hangs, AreCountedHoweverLongItRanWellInBetween) {
    bring_up();
    for (int i = 0; i < GetParam().hangs && failures.empty(); ++i) {
        be_well_for(GetParam().minutes_between);
        hang_once();
    }
    EXPECT_EQ(!failures.empty(), GetParam().given_up);
    EXPECT_EQ(engine->state(), GetParam().given_up ? EngineState::Failed : EngineState::Ready);
    if (!GetParam().given_up) return;
    EXPECT_THAT(failures[0], testing::AllOf(HasSubstr("does not answer: no answer in time"),
                                            HasSubstr("6th time within 60 min")));
}

INSTANTIATE_TEST_SUITE_P(Engine, Hangs,
                         testing::Values(HangCase{"FiveInAQuarterOfAnHour", 5, 3, false},
                                         HangCase{"SixInAQuarterOfAnHour", 6, 3, true},
                                         HangCase{"SixWithinTheHour", 6, 9, true},
                                         HangCase{"OneEveryTwentyMinutesForADay", 72, 20, false}),
                         [](const auto& the_case) { return std::string(the_case.param.name); });

TEST_F(EngineTest, OneMissedCheckIsLoadAndNotAHang) {
    bring_up();
    advance(10'000);
    answers(Health::DaemonSick, "no answer in time");
    advance(500);
    answers(Health::Well, "Docker 26.1.5");
    advance(10'000);
    answers(Health::DaemonSick, "no answer in time");
    advance(500);
    answers(Health::Well, "Docker 26.1.5");
    EXPECT_EQ(trace, "starting ready ");
    EXPECT_TRUE(processes.signals.empty());
}

TEST_F(EngineTest, ADockerdThatDiesOfItsStackDumpIsNotKilledAgainAfterItsRestart) {
    bring_up();
    advance(10'000);
    answers(Health::DaemonSick, "no answer in time");
    advance(500);
    answers(Health::DaemonSick, "no answer in time");
    dies("dockerd", SIGSEGV);
    advance(0);
    const pid_t fresh = pid_of("dockerd");
    ASSERT_GT(fresh, 0);
    says_ready("dockerd");
    advance(1'000);
    EXPECT_TRUE(signals_to(fresh).empty());
}

TEST_F(EngineTest, ACheckThatCannotBeForkedSaysNothingAboutTheEngine) {
    bring_up();
    processes.refusal = "start internal-engine-check: fork: Resource temporarily unavailable";
    advance(10'000);
    EXPECT_EQ(engine->state(), EngineState::Ready);
    processes.refusal.clear();
    advance(10'000);
    EXPECT_GT(pid_of("internal-engine-check"), 0);
}

TEST_F(EngineTest, E12_ReloadWaitsUntilDockerdIsFullyUp) {
    ASSERT_TRUE(engine->listen());
    engine->start();
    says_ready("containerd");
    engine->reload();
    EXPECT_TRUE(processes.signals.empty()) << "a HUP that comes too early kills dockerd";
    says_ready("dockerd");
    answers(Health::Well, "Docker 26.1.5, storage driver overlay2");
    EXPECT_EQ(signals_to(pid_of("dockerd")), std::vector<int>{SIGHUP});
    engine->reload();
    EXPECT_EQ(signals_to(pid_of("dockerd")), (std::vector<int>{SIGHUP, SIGHUP}));
}

}  // namespace
}  // namespace supervisor::engine
