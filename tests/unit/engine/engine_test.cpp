#include "engine/engine.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "support/fake_processes.hpp"
#include "sys/files.hpp"

namespace supervisor::engine {
namespace {

using ms = Milliseconds;
using testing::HasSubstr;

class EngineTest : public testing::Test {
  protected:
    EngineTest() {
        char name[] = "/tmp/engine_test.XXXXXX";
        directory = ::mkdtemp(name);
        EngineSetup setup;
        setup.socket_path = directory + "/docker.sock";
        setup.socket_access = {::getuid(), ::getgid(), 0660};
        setup.notify_access = {::getuid(), ::getgid(), 0600};
        setup.run_directory = directory;
        setup.containerd_command = {"/usr/bin/containerd", "--config", "containerd.toml"};
        setup.dockerd_command = {"/usr/bin/dockerd", "--debug"};
        setup.environment = {"PATH=/usr/bin"};
        setup.expected_driver = "overlay2";
        setup.start_timeout = ms(30'000);
        setup.check_interval = ms(6'000);
        setup.place = [](proc::ChildPlan& plan) { plan.oom_score_adjust = -500; };
        setup.helper = [](const std::vector<std::string>& words) {
            proc::ChildPlan plan;
            plan.name = words.at(0);
            plan.arguments = words;
            return plan;
        };
        EngineEvents events;
        events.changed = [this](EngineState state) { trace += std::string(to_text(state)) + " "; };
        events.failed = [this](const std::string& text) { failures.push_back(text); };
        engine = std::make_unique<Engine>(*loop, processes, std::move(setup), std::move(events));
    }
    ~EngineTest() override {
        engine.reset();
        std::filesystem::remove_all(directory);
    }

    void turn() { ASSERT_TRUE(loop->turn(ms(0))); }
    void advance(int milliseconds) {
        clock->advance(ms(milliseconds));
        turn();
        turn();  // what the first turn deferred
    }
    // The process of that name, -1 when there is none.
    pid_t pid_of(const std::string& name) const {
        for (const auto& [pid, process] : processes.running) {
            if (process.plan.name == name) return pid;
        }
        return -1;
    }
    const proc::ChildPlan& plan_of(const std::string& name) const {
        return processes.running.at(pid_of(name)).plan;
    }
    // READY=1 through the real socket.
    void says_ready(const std::string& name) {
        const std::string path = directory + "/" + name + ".notify";
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, path.data(), path.size());
        const UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        ASSERT_EQ(::sendto(socket.get(), "READY=1\n", 8, 0, reinterpret_cast<const sockaddr*>(&address),
                           sizeof address),
                  8);
        turn();
    }
    void answers(Health health, const std::string& line) {
        const pid_t helper = pid_of("internal-engine-check");
        ASSERT_GT(helper, 0) << "no check is under way";
        processes.running.at(helper).output.result(line);
        processes.exits(helper, static_cast<int>(health));
        turn();
    }
    void dies(const std::string& name, int signal_number = SIGKILL) {
        processes.end(pid_of(name), {proc::ExitStatus::Kind::Signaled, signal_number, false});
        turn();
    }
    void exits(const std::string& name, int code, const std::string& last_line = {}) {
        const pid_t pid = pid_of(name);
        if (!last_line.empty()) processes.running.at(pid).output.observer(last_line);
        processes.exits(pid, code);
        turn();
        turn();
    }
    void bring_up() {
        ASSERT_TRUE(engine->listen());
        engine->start();
        says_ready("containerd");
        says_ready("dockerd");
        answers(Health::Well, "Docker 26.1.5, storage driver overlay2");
        ASSERT_EQ(engine->state(), EngineState::Ready);
    }
    void stop(int budget) {
        engine->stop(Deadline::after(*clock, ms(budget)), [this] { ++stops; });
    }
    std::vector<int> signals_to(pid_t pid) const {
        std::vector<int> numbers;
        for (const auto& [to, number] : processes.signals) {
            if (to == pid) numbers.push_back(number);
        }
        return numbers;
    }

    std::string directory;
    std::shared_ptr<ManualClock> clock = std::make_shared<ManualClock>();
    std::unique_ptr<loop::EventLoop> loop = std::move(loop::EventLoop::create(clock).value());
    support::FakeProcesses processes;
    std::unique_ptr<Engine> engine;
    std::string trace;
    std::vector<std::string> failures;
    int stops = 0;
};

// --- start ---

TEST_F(EngineTest, ListensBeforeAnyProcessExists) {
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

// --- life ---

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

TEST_F(EngineTest, AHungContainerdIsTheOneThatIsRestarted) {
    bring_up();
    const pid_t dockerd = pid_of("dockerd");
    const pid_t containerd = pid_of("containerd");
    advance(10'000);
    answers(Health::ContainerdSick, "dockerd has lost its containerd");
    advance(500);
    answers(Health::ContainerdSick, "dockerd has lost its containerd");
    EXPECT_EQ(signals_to(containerd), std::vector<int>{SIGKILL});
    EXPECT_TRUE(signals_to(dockerd).empty());
    advance(0);
    EXPECT_GT(pid_of("containerd"), containerd);
}

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

TEST_F(EngineTest, ReloadWaitsUntilDockerdIsFullyUp) {
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

// --- stop ---

TEST_F(EngineTest, StopsContainersThenDockerdThenContainerd) {
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
