// The fault matrix: every service is hit with every fault in every phase of a container's life. Each cell
// starts from a container of its own and says what has to be true afterwards. E2E_FULL=1 runs all 75 cells;
// otherwise 15 of them, in which each service meets each fault and each fault each phase.
#include <gmock/gmock.h>

#include <iostream>

#include "e2e/fixture.hpp"
#include "e2e/soak.hpp"
#include "support/host_snapshot.hpp"

namespace e2e {
namespace {

using test_support::CommandResult;
using test_support::eventually;
using test_support::HostSnapshot;
using test_support::left_behind;
using test_support::lines;
using test_support::trimmed;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

enum class Target { Dockerd, Containerd, Agent, Bootstrapper, Broker };
enum class Fault { Kill, Stop, Segv };
enum class Phase { DuringStart, Idle, ContainersRunning, BuildRunning, Stopping };

struct Cell {
    Target target;
    Fault fault;
    Phase phase;
};

struct TargetRow {
    const char* name;
    const char* pattern;  // for pgrep -f; does not match the shell that holds it
    bool engine;          // watched: one that stands still is replaced
};
constexpr TargetRow kTargets[] = {{"Dockerd", "[d]ockerd -H fd://", true},
                                  {"Containerd", "[c]ontainerd --config", true},
                                  {"Agent", "[a]gent.jar", false},
                                  {"Bootstrapper", "[a]gent-bootstrapper.jar", false},
                                  {"Broker", "[i]nternal-broker", false}};
constexpr const char* kFaults[] = {"KILL", "STOP", "SEGV"};
constexpr const char* kPhases[] = {"DuringStart", "Idle", "ContainersRunning", "BuildRunning", "Stopping"};

constexpr const char* kSleepers = "docker ps -q --no-trunc --filter name=sleeper";
// Generous: what is asserted is that it recovers, not how fast this machine is.
constexpr seconds kRecovery{90};

const TargetRow& row(Target target) {
    return kTargets[static_cast<int>(target)];
}

// An agent's standstill is told after half a minute; for the others, which nothing watches, a short one shows
// as much.
seconds standstill(Target target) {
    if (full_run()) return seconds(60);
    return target == Target::Agent ? seconds(55) : seconds(10);
}

std::vector<Cell> cells() {
    std::vector<Cell> chosen;
    for (int target = 0; target < 5; ++target) {
        for (int fault = 0; fault < 3; ++fault) {
            for (int phase = 0; phase < 5; ++phase) {
                if (!full_run() && (target + fault + phase) % 5 != 1) continue;
                chosen.push_back(
                    {static_cast<Target>(target), static_cast<Fault>(fault), static_cast<Phase>(phase)});
            }
        }
    }
    return chosen;
}

std::string cell_name(const ::testing::TestParamInfo<Cell>& info) {
    const Cell& cell = info.param;
    return std::string(row(cell.target).name) + "_" + kFaults[static_cast<int>(cell.fault)] + "_" +
           kPhases[static_cast<int>(cell.phase)];
}

class FaultMatrix : public EndToEnd, public ::testing::WithParamInterface<Cell> {
  protected:
    void start() {
        // The job waits for its word, so that a build runs exactly when a cell wants one.
        server_ = std::make_unique<StubServer>(
            Arguments{"--job",
                      "until [ -e /tmp/build ]; do sleep 0.1; done; "
                      "printf 'FROM inner-busybox:test\\nRUN echo building; sleep 25\\n' | docker build -"});
        ASSERT_NE(server_->url(), "");
        Arguments options{"-e", "GO_SERVER_URL=" + server_->url(), "-e", "DOCKER_BUILDKIT=0"};
        Arguments command{"--engine-start-timeout=15s"};
        if (GetParam().target == Target::Bootstrapper) command.emplace_back("--agent-launch=bootstrapper");
        if (GetParam().target == Target::Broker) command.emplace_back("--policy=trusted");
        container_ = std::make_unique<Container>(dind(options, command));
        ASSERT_EQ(container_->start_failure(), "");
    }

    CommandResult shell(const std::string& script, std::chrono::milliseconds timeout = seconds(90)) const {
        return container_->exec({"sh", "-c", script}, timeout);
    }

    std::string pid() const {
        return trimmed(shell(std::string("pgrep -o -f '") + row(GetParam().target).pattern + "'").out);
    }

    // Puts the container into the phase, hits the target and returns the pid that was hit.
    std::string hit() {
        const std::string find = std::string("until p=$(pgrep -o -f '") + row(GetParam().target).pattern +
                                 "'); do sleep 0.01; done; ";
        const std::string kill = std::string("kill -") + kFaults[static_cast<int>(GetParam().fault)] + " $p";
        if (GetParam().phase != Phase::DuringStart) {
            EXPECT_TRUE(becomes_healthy(*container_)) << container_->logs();
            // The agent's JVM of a bootstrapper is there later.
            EXPECT_TRUE(server_->wait_for_record("get_work", kRecovery)) << container_->logs();
            EXPECT_TRUE(load_inner_image(*container_));
        }
        if (GetParam().phase == Phase::ContainersRunning) start_sleepers();
        if (GetParam().phase == Phase::BuildRunning) start_build();
        const char* stop = GetParam().phase == Phase::Stopping ? "kill -TERM 1; " : "";
        const auto done = shell(find + stop + kill + "; echo $p");
        // In the last phase the exec may be ended by the stop that it asked for.
        EXPECT_TRUE(done.ok() || GetParam().phase == Phase::Stopping) << done.text();
        return trimmed(done.out);
    }

    void start_sleepers() {
        const auto started = shell(
            "for i in 1 2 3; do docker run -d --name sleeper$i inner-busybox:test sleep 900 || exit; done");
        ASSERT_TRUE(started.ok()) << started.text();
        sleepers_ = shell(kSleepers).out;
        ASSERT_EQ(lines(sleepers_).size(), 3U);
    }

    void start_build() {
        ASSERT_TRUE(shell("touch /tmp/build").ok());
        ASSERT_TRUE(server_->wait_for_record("building", kRecovery)) << server_->record();
    }

    // Outcomes, one for each kind of cell.
    void ends_in_order() {
        const int status = container_->exit_status(seconds(30));
        EXPECT_EQ(status, 0) << container_->logs();
        EXPECT_THAT(container_->logs(), HasSubstr("ended (SIGTERM) after"));
    }

    // It stood still before it was ever ready: nothing but the start's time limit can tell.
    void start_is_given_up_or_made_good() {
        eventually([&] { return !container_->running(); }, seconds(40));
        if (container_->running()) return is_well();
        EXPECT_EQ(container_->exit_status(seconds(1)), 69) << container_->logs();
        EXPECT_THAT(container_->logs(), HasSubstr("not ready after 15"));
    }

    // Nothing replaces it; once it goes on, everything is as it was.
    void goes_on_when_it_continues(const std::string& hit) {
        test_support::pause_for(standstill(GetParam().target));
        EXPECT_TRUE(shell("kill -CONT " + hit).ok()) << "it was replaced: " << container_->logs();
        EXPECT_TRUE(becomes_healthy(*container_, kRecovery)) << container_->logs();
        EXPECT_EQ(pid(), hit);
        if (GetParam().target == Target::Agent && GetParam().phase != Phase::DuringStart) {
            EXPECT_TRUE(container_->wait_for_log("agent answers again", seconds(30))) << container_->logs();
            EXPECT_THAT(container_->logs(), HasSubstr("agent does not answer"));
        }
        is_well();
    }

    void is_replaced(const std::string& hit) {
        std::string now;
        EXPECT_TRUE(eventually([&] { return !(now = pid()).empty() && now != hit; }, kRecovery))
            << container_->logs();
        is_well();
    }

    void is_well() {
        EXPECT_TRUE(becomes_healthy(*container_, kRecovery)) << container_->logs();
        EXPECT_TRUE(server_->wait_for_record("get_work", kRecovery));
        EXPECT_EQ(shell(kSleepers).out, sleepers_) << "inner containers died";
        const bool loaded = GetParam().phase != Phase::DuringStart;
        EXPECT_TRUE(loaded || load_inner_image(*container_));
        EXPECT_EQ(shell("docker run --rm inner-busybox:test echo works").out, "works\n")
            << container_->logs();
        EXPECT_TRUE(eventually([&] { return one_agent_runs(); }, kRecovery)) << shell("ps -ef").out;
    }

    // Exactly one, and a child of whom it belongs to: none lives on beside the next.
    bool one_agent_runs() const {
        const std::string parent = GetParam().target == Target::Bootstrapper ? pid() : "1";
        return shell("[ $(pgrep -c -f '[a]gent.jar') = 1 ] && pgrep -P " + parent + " -f '[a]gent.jar'").ok();
    }

    // A command that was under way ends, with whatever result: it never hangs.
    void the_build_has_ended() {
        EXPECT_TRUE(eventually(
            [&] { return trimmed(shell("pgrep -f '[d]ocker build' || true").out).empty(); }, seconds(60)))
            << shell("ps -ef").out;
    }

    void judge(const std::string& hit) {
        const bool stands_still = GetParam().fault == Fault::Stop;
        if (GetParam().phase == Phase::Stopping) return ends_in_order();
        const bool engine = row(GetParam().target).engine;
        // A broker that answers PID 1 nothing for half a minute is replaced; a short standstill passes.
        const bool wedged_broker = GetParam().target == Target::Broker && full_run();
        if (stands_still && !engine && !wedged_broker) {
            goes_on_when_it_continues(hit);
        } else if (stands_still && engine && GetParam().phase == Phase::DuringStart) {
            return start_is_given_up_or_made_good();
        } else {
            is_replaced(hit);
        }
        if (GetParam().phase == Phase::BuildRunning) the_build_has_ended();
        const auto stopped = container_->stop(10);
        EXPECT_TRUE(stopped.ok()) << stopped.text();
        ends_in_order();
    }

    std::unique_ptr<StubServer> server_;
    std::unique_ptr<Container> container_;
    std::string sleepers_;
};

TEST_P(FaultMatrix, Cell) {
    const HostSnapshot before = HostSnapshot::take();
    start();
    if (HasFatalFailure()) return;
    const std::string victim = hit();
    const auto since = std::chrono::steady_clock::now();
    judge(victim);
    const auto took =
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - since);
    std::cout << "settled in " << took.count() << " ms\n";
    container_.reset();
    server_.reset();
    std::vector<std::string> left;
    eventually([&] { return (left = left_behind(before, HostSnapshot::take())).empty(); }, seconds(5));
    EXPECT_THAT(left, IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Faults, FaultMatrix, ::testing::ValuesIn(cells()), cell_name);

}  // namespace
}  // namespace e2e
