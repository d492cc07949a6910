// Stopping: in time, with nothing left, and the data good for the next start.
#include <gmock/gmock.h>

#include "e2e/fixture.hpp"
#include "support/host_snapshot.hpp"

namespace e2e {
namespace {

using test_support::eventually;
using test_support::HostSnapshot;
using test_support::left_behind;
using test_support::Volume;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Stop : public EndToEnd {};

// Inner containers that TERM does not end.
test_support::CommandResult start_stubborn(const Container& container, int count) {
    return container.exec({"sh", "-c",
                           "for i in $(seq " + std::to_string(count) +
                               "); do docker run -d --name stubborn$i inner-busybox:test "
                               "sh -c 'trap \"\" TERM INT; while :; do sleep 1; done' >/dev/null & done; "
                               "wait; docker ps -q | wc -l"},
                          seconds(120));
}

std::vector<std::string> settled(const HostSnapshot& before) {
    std::vector<std::string> left;
    eventually([&] { return (left = left_behind(before, HostSnapshot::take())).empty(); }, seconds(5));
    return left;
}

TEST_F(Stop, TenStubbornContainersInTwoSecondsAndNothingIsLeft) {
    const HostSnapshot before = HostSnapshot::take();
    {
        const Volume data("data");
        {
            Container first(dind({"-v", data.name() + ":/var/lib/docker"}, {"--", "sleep", "600"}));
            ASSERT_TRUE(becomes_healthy(first)) << first.logs();
            ASSERT_TRUE(load_inner_image(first));
            ASSERT_EQ(test_support::trimmed(start_stubborn(first, 10).out), "10");
            const auto stopped = first.stop(2);
            EXPECT_TRUE(stopped.ok()) << stopped.text();
            // 137 would mean that docker had to kill it.
            EXPECT_EQ(first.exit_status(seconds(5)), 0) << first.logs();
        }
        Container second(dind({"-v", data.name() + ":/var/lib/docker"}, {"--", "sleep", "600"}));
        ASSERT_TRUE(becomes_healthy(second)) << second.logs();
        const auto listed = second.exec({"docker", "ps", "-aq", "--filter", "status=running"});
        EXPECT_EQ(listed.out, "") << listed.text();
        const auto run = second.exec({"docker", "run", "--rm", "inner-busybox:test", "echo", "again"});
        EXPECT_EQ(run.out, "again\n") << run.text();
        EXPECT_TRUE(second.stop(10).ok());
    }
    EXPECT_THAT(settled(before), IsEmpty());
}

TEST_F(Stop, LeavesNothingWhenItIsKilled) {
    const HostSnapshot before = HostSnapshot::take();
    {
        Container container(dind({}, {"--", "sleep", "600"}));
        ASSERT_TRUE(becomes_healthy(container)) << container.logs();
        ASSERT_TRUE(load_inner_image(container));
        ASSERT_EQ(test_support::trimmed(start_stubborn(container, 2).out), "2");
        container.signal("KILL");
        EXPECT_EQ(container.exit_status(seconds(20)), 137);
    }
    EXPECT_THAT(settled(before), IsEmpty());
}

TEST_F(Stop, EverySignalThatMeansStopEndsInOrder) {
    for (const char* signal : {"TERM", "INT", "QUIT"}) {
        Container container(dind({}, {"--", "sleep", "600"}));
        ASSERT_TRUE(becomes_healthy(container)) << container.logs();
        container.signal(signal);
        EXPECT_EQ(container.exit_status(seconds(20)), 0) << signal << "\n" << container.logs();
    }
}

TEST_F(Stop, DuringTheStartIsInOrderToo) {
    Container container(dind({}, {"--", "sleep", "600"}));
    const auto stopped = container.stop(10);
    EXPECT_TRUE(stopped.ok()) << stopped.text();
    EXPECT_EQ(container.exit_status(seconds(5)), 0) << container.logs();
}

TEST_F(Stop, SignalsThatDoNotMeanStopDoNotEndIt) {
    Container container(dind({}, {"--", "sleep", "600"}));
    ASSERT_TRUE(becomes_healthy(container)) << container.logs();
    for (const char* signal : {"HUP", "USR1", "USR2", "WINCH", "PIPE", "ALRM"}) container.signal(signal);
    test_support::pause_for(std::chrono::seconds(1));
    EXPECT_TRUE(container.running()) << container.logs();
    EXPECT_TRUE(container.exec({"docker", "ps"}).ok());
}

TEST_F(Stop, AndStartAgainWorksInTheSameContainer) {
    Container container(dind({}, {"--", "sleep", "600"}));
    ASSERT_TRUE(becomes_healthy(container)) << container.logs();
    ASSERT_TRUE(load_inner_image(container));
    ASSERT_TRUE(test_support::docker({"restart", "-t", "10", container.name()}, seconds(90)).ok());
    ASSERT_TRUE(becomes_healthy(container)) << container.logs();
    const auto run = container.exec({"docker", "run", "--rm", "inner-busybox:test", "echo", "again"});
    EXPECT_EQ(run.out, "again\n") << run.text();
}

TEST_F(Stop, AfterAKillTheSameContainerStartsAgain) {
    Container container(dind({}, {"--", "sleep", "600"}));
    ASSERT_TRUE(becomes_healthy(container)) << container.logs();
    ASSERT_TRUE(load_inner_image(container));
    container.signal("KILL");
    ASSERT_EQ(container.exit_status(seconds(20)), 137);
    ASSERT_TRUE(test_support::docker({"start", container.name()}).ok());
    ASSERT_TRUE(becomes_healthy(container)) << container.logs();
    const auto run = container.exec({"docker", "run", "--rm", "inner-busybox:test", "echo", "again"});
    EXPECT_EQ(run.out, "again\n") << run.text();
}

TEST_F(Stop, ASecondEngineOnALiveDataVolumeIsRefused) {
    const Volume data("shared");
    Container first(dind({"-v", data.name() + ":/var/lib/docker"}, {"--", "sleep", "600"}));
    ASSERT_TRUE(becomes_healthy(first)) << first.logs();
    Container second(dind({"-v", data.name() + ":/var/lib/docker"}, {"--", "sleep", "600"}));
    EXPECT_THAT(second.exit_status(seconds(30)), ::testing::AnyOf(69, 71)) << second.logs();
    EXPECT_THAT(second.logs(), HasSubstr("/var/lib/docker"));
    EXPECT_TRUE(first.exec({"docker", "ps"}).ok());
}

}  // namespace
}  // namespace e2e
