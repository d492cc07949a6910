// The image without an engine, on the host's engine: what agents see of each other and leave behind.
#include <gmock/gmock.h>

#include "e2e/fixture.hpp"
#include "support/host_snapshot.hpp"

namespace e2e {
namespace {

using test_support::docker;
using test_support::eventually;
using test_support::HostSnapshot;
using test_support::trimmed;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

ContainerOptions dood(const Arguments& command, const Arguments& options = {}) {
    ContainerOptions result{.options = {"-v", engine_socket() + ":/var/run/docker.sock"},
                            .image = "gocd-agent-docker:test",
                            .command = command,
                            .name_hint = "dood"};
    result.options.insert(result.options.end(), options.begin(), options.end());
    return result;
}

class Dood : public EndToEnd {
  protected:
    void SetUp() override {
        EndToEnd::SetUp();
        if (!IsSkipped() && engine_socket().empty())
            GTEST_SKIP() << "the engine does not listen on a socket of this machine";
    }

    static test_support::CommandResult job(const Container& agent, const std::string& line) {
        // What the supervisor gives to jobs; a docker exec has only the image's environment.
        return agent.exec_as("go",
                             {"env", "DOCKER_HOST=unix:///run/gocd-supervisor/docker.sock",
                              "DOCKER_BUILDKIT=0", "sh", "-c", line},
                             seconds(90));
    }
};

TEST_F(Dood, JobsRunContainersOfTheHostsEngine) {
    const Container agent(dood({"--", "sleep", "600"}));
    ASSERT_TRUE(becomes_healthy(agent)) << agent.logs();
    const auto run = job(agent, "docker run --rm inner-busybox:test echo from the host");
    EXPECT_EQ(run.out, "from the host\n") << run.text() << agent.logs();
}

TEST_F(Dood, AgentsUseTheSameNameWithoutAConflict) {
    const Container one(dood({"--", "sleep", "600"}));
    const Container two(dood({"--", "sleep", "600"}));
    ASSERT_TRUE(becomes_healthy(one)) << one.logs();
    ASSERT_TRUE(becomes_healthy(two)) << two.logs();
    for (const Container* agent : {&one, &two}) {
        const auto run = job(
            *agent,
            "docker run -d --name database inner-busybox:test sleep 300 && docker exec database echo alive");
        EXPECT_THAT(run.out, HasSubstr("alive")) << run.text() << agent->logs();
        EXPECT_EQ(trimmed(job(*agent, "docker ps --format '{{.Names}}'").out), "database");
    }
}

TEST_F(Dood, JobsSeeNothingOfOthers) {
    const Container other(
        {.options = {}, .image = "inner-busybox:test", .command = {"sleep", "300"}, .name_hint = "other"});
    const Container agent(dood({"--", "sleep", "600"}));
    ASSERT_TRUE(becomes_healthy(agent)) << agent.logs();
    EXPECT_EQ(job(agent, "docker ps -aq").out, "");
    EXPECT_NE(job(agent, "docker kill " + other.name()).status, 0);
    EXPECT_NE(job(agent, "docker exec " + other.name() + " true").status, 0);
    EXPECT_TRUE(other.running());
}

TEST_F(Dood, MountsTheHostsRootForNobody) {
    const Container agent(dood({"--", "sleep", "600"}));
    ASSERT_TRUE(becomes_healthy(agent)) << agent.logs();
    EXPECT_NE(job(agent, "docker run --rm -v /:/host inner-busybox:test ls /host").status, 0);
    EXPECT_NE(job(agent, "docker run --rm --privileged inner-busybox:test true").status, 0);
}

TEST_F(Dood, MountsTheJobsOwnFiles) {
    const Container agent(dood({"--", "sleep", "600"}));
    ASSERT_TRUE(becomes_healthy(agent)) << agent.logs();
    const auto run = job(
        agent,
        "cd /go-working-dir && mkdir -p s && echo in >s/a && "
        "docker run --rm -v \"$PWD/s:/s\" inner-busybox:test sh -c 'cat /s/a; echo out >/s/b' && cat s/b");
    EXPECT_EQ(run.out, "in\nout\n") << run.text() << agent.logs();
}

// What Testcontainers' Ryuk and docker-in-docker-less nested builds do.
TEST_F(Dood, ContainersGetTheBrokersSocketAndNotTheHosts) {
    const test_support::Volume work("dood-work");
    const Container other(dood({"--", "sleep", "600"}));
    const Container agent(dood({"--", "sleep", "600"}, {"-v", work.name() + ":/godata"}));
    ASSERT_TRUE(becomes_healthy(other)) << other.logs();
    ASSERT_TRUE(becomes_healthy(agent)) << agent.logs();
    job(other, "docker run -d --name foreign inner-busybox:test sleep 300");
    const std::string nested =
        "docker run --rm -v /var/run/docker.sock:/var/run/docker.sock --entrypoint docker "
        "gocd-agent-docker:test ps --format '{{.Names}}'";
    const auto seen =
        job(agent, "docker run -d --name mine inner-busybox:test sleep 300 >/dev/null && " + nested);
    EXPECT_THAT(seen.out, HasSubstr("mine")) << seen.text() << agent.logs();
    EXPECT_THAT(seen.out, Not(HasSubstr("foreign")));
    EXPECT_THAT(seen.out, Not(HasSubstr(agent.name())));
    EXPECT_TRUE(agent.stop(10).ok());
    const auto left =
        docker({"run", "--rm", "-v", work.name() + ":/w", "inner-busybox:test", "ls", "-A", "/w"});
    EXPECT_THAT(left.out, Not(HasSubstr(".gocd-docker")));
}

TEST_F(Dood, LeavesNothingOnTheHostsEngine) {
    const HostSnapshot before = HostSnapshot::take();
    {
        Container agent(dood({"--", "sleep", "600"}));
        ASSERT_TRUE(becomes_healthy(agent)) << agent.logs();
        const auto made =
            job(agent,
                "docker network create n && docker volume create v && "
                "docker run -d --network n -v v:/v inner-busybox:test sh -c 'trap \"\" TERM; sleep 300'");
        ASSERT_TRUE(made.ok()) << made.text() << agent.logs();
        EXPECT_TRUE(agent.stop(10).ok());
        EXPECT_EQ(agent.exit_status(seconds(5)), 0) << agent.logs();
    }
    std::vector<std::string> left;
    eventually([&] { return (left = test_support::left_behind(before, HostSnapshot::take())).empty(); },
               seconds(5));
    EXPECT_THAT(left, IsEmpty());
}

}  // namespace
}  // namespace e2e
