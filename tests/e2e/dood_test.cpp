// The image without an engine, on the host's engine: what agents see of each other and leave behind.
#include <gmock/gmock.h>
#include <unistd.h>

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

TEST_F(Dood, AReadOnlyRootNeedsAPlaceForTheSocketAndIsToldSo) {
    const Arguments command{"--", "docker", "version", "--format", "engine {{.Server.Os}}"};
    const Container without(dood(command, {"--read-only"}));
    EXPECT_EQ(without.exit_status(seconds(60)), 71) << without.logs();
    EXPECT_THAT(without.logs(), HasSubstr("--tmpfs /run/gocd-supervisor"));
    const Container with(
        dood(command, {"--read-only", "--tmpfs", "/run/gocd-supervisor", "--tmpfs", "/tmp"}));
    EXPECT_EQ(with.exit_status(seconds(60)), 0) << with.logs();
    EXPECT_THAT(with.logs(), HasSubstr("engine linux"));
}

TEST_F(Dood, WithoutRootsCapabilitiesItSaysWhatToLeaveOut) {
    const Container agent(dood({"--", "true"}, {"--cap-drop", "ALL"}));
    EXPECT_EQ(agent.exit_status(seconds(60)), 71) << agent.logs();
    EXPECT_THAT(agent.logs(), HasSubstr("leave --cap-drop out"));
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
// `mktemp -d` and the like: the broker's own user cannot look into them.
TEST_F(Dood, MountsDirectoriesThatAreTheJobsAlone) {
    const Container agent(dood({"--", "sleep", "600"}));
    ASSERT_TRUE(becomes_healthy(agent)) << agent.logs();
    const auto seen =
        job(agent,
            "cd /godata && umask 077 && mkdir -p private/in && echo inside >private/in/a && "
            "ln -s in private/link && "
            "docker run --rm -v /godata/private/link:/s inner-busybox:test cat /s/a && "
            "docker run --rm -v /godata/private/new:/n inner-busybox:test touch /n/b; ls private/new");
    EXPECT_THAT(seen.out, ::testing::StartsWith("inside\n")) << seen.text() << agent.logs();
    EXPECT_THAT(seen.out, HasSubstr("b\n")) << seen.text();
}

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

// A docker exec has only the image's environment; root could open the host's socket, which lies at its usual
// path.
TEST_F(Dood, DockerExecMeetsTheBroker) {
    const Container other(dood({"--", "sleep", "600"}));
    const Container agent(dood({"--", "sleep", "600"}));
    ASSERT_TRUE(becomes_healthy(other)) << other.logs();
    ASSERT_TRUE(becomes_healthy(agent)) << agent.logs();
    for (const char* user : {"root", "go"}) {
        const auto seen = agent.exec_as(
            user,
            {"sh", "-c", "docker run -d inner-busybox:test sleep 300 && docker ps --format '{{.Image}}'"},
            seconds(60));
        EXPECT_THAT(seen.out, HasSubstr("inner-busybox:test")) << seen.text() << agent.logs();
        EXPECT_THAT(seen.out, Not(HasSubstr("gocd-agent"))) << user;
    }
}

TEST_F(Dood, TheUsualPathIsTheBrokersWhereTheHostsSocketLiesElsewhere) {
    const Container agent({.options = {"-v", engine_socket() + ":/host/docker.sock", "-e",
                                       "GOCD_DOCKER_HOST_SOCKET=/host/docker.sock"},
                           .image = "gocd-agent-docker:test",
                           .command = {"--", "sleep", "600"},
                           .name_hint = "dood-elsewhere"});
    ASSERT_TRUE(becomes_healthy(agent)) << agent.logs();
    for (const char* socket : {"/var/run/docker.sock", "/run/gocd-supervisor/docker.sock"}) {
        const auto seen =
            agent.exec_as("go", {"docker", "-H", std::string("unix://") + socket, "ps", "-aq"}, seconds(30));
        EXPECT_TRUE(seen.ok()) << seen.text() << agent.logs();
        EXPECT_EQ(seen.out, "") << socket;
    }
}

TEST_F(Dood, TotalsAreKept) {
    const Container agent(dood({"--", "sleep", "600"},
                               {"-e", "GOCD_DOCKER_MAX_CONTAINERS=2", "-e", "GOCD_DOCKER_MAX_MEMORY=64m",
                                "-e", "GOCD_DOCKER_MAX_CPUS=0.5", "-e", "GOCD_DOCKER_MAX_PIDS=50"}));
    ASSERT_TRUE(becomes_healthy(agent)) << agent.logs();
    EXPECT_THAT(job(agent,
                    "docker run -d --name one inner-busybox:test sleep 300 && docker inspect -f "
                    "'{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}}' one")
                    .out,
                HasSubstr("67108864 500000000 50"));
    EXPECT_THAT(job(agent, "docker run -d -m 65m inner-busybox:test sleep 300").text(),
                HasSubstr("more than what is left"));
    EXPECT_TRUE(job(agent, "docker run -d -m 60m inner-busybox:test sleep 300").ok());
    EXPECT_THAT(job(agent, "docker run -d inner-busybox:test sleep 300").text(),
                HasSubstr("which is the limit"));
}

// PID 1 sees the job end, and tells the broker.
TEST_F(Dood, WhatAJobMadeGoesWithTheJob) {
    const StubServer server(
        {"--job",
         // What a real agent gives to the tasks of a job.
         "export GO_PIPELINE_NAME=p GO_PIPELINE_COUNTER=1 GO_STAGE_NAME=s GO_STAGE_COUNTER=1 GO_JOB_NAME=j; "
         "docker run -d --name left inner-busybox:test sleep 300 && docker network create left && "
         "docker volume create left && docker run -d -v /anonymous inner-busybox:test sleep 300 && "
         "printf 'FROM inner-busybox:test\\nLABEL x=y\\n' | docker build -t dood-left:1 -"});
    auto options = dood({}, {"-e", "GO_SERVER_URL=" + server.url()});
    const Container agent(options);
    ASSERT_TRUE(server.wait_for_record("job_completed", seconds(90))) << server.record() << agent.logs();
    EXPECT_TRUE(eventually(
        [&] {
            return job(agent,
                       "docker ps -aq; docker network ls -q --filter type=custom; docker volume ls -q; "
                       "docker images -q dood-left")
                .out.empty();
        },
        seconds(30)))
        << agent.logs();
    EXPECT_THAT(docker({"ps", "-a", "--format", "{{.Names}}"}).out, Not(HasSubstr("-left")));
    EXPECT_EQ(docker({"images", "-q", "dood-left"}).out, "");
}

// The image's own clients (docker, docker compose), once straight to the engine and once through the broker.
TEST_F(Dood, ClientsOfTheImageSayTheSameThroughTheBroker) {
    char pattern[] = "/tmp/dood-clients-XXXXXX";
    // Nobody's but the agent's user's: the broker, who is another one, has to have its paths followed for it.
    const std::string work = ::mkdtemp(pattern);
    ASSERT_EQ(::chown(work.c_str(), 1000, 1000), 0);
    const Container agent(dood({"--", "sleep", "600"}, {"-v", work + ":" + work}));
    ASSERT_TRUE(becomes_healthy(agent)) << agent.logs();
    ASSERT_TRUE(docker({"cp", SOURCE_ROOT "/tests/broker/clients", agent.name() + ":/clients"}).ok());
    std::vector<std::string> scripts{"compose.sh"};
    if (::getenv("E2E_FULL") != nullptr)
        // Not containers.sh: straight to the engine it sees the agent's own container too.
        scripts.insert(scripts.end(), {"images.sh", "networks.sh", "system.sh"});
    for (const auto& script : scripts) {
        const auto said = [&](const std::string& socket) {
            const auto ran = agent.exec_as(
                "root",
                {"env", "DOCKER_HOST=unix://" + socket, "IMAGE=inner-busybox:test", "COMPOSE=docker compose",
                 "WORK=" + work, "bash", "-c",
                 "rm -rf " + work + "/*; bash /clients/" + script + " | sed -E -f /clients/normalise.sed"},
                seconds(300));
            EXPECT_EQ(ran.err, "");
            return ran.out;
        };
        const auto direct = said("/var/run/docker.sock");
        EXPECT_GT(test_support::lines(direct).size(), 10U) << direct;
        EXPECT_EQ(said("/run/gocd-supervisor/docker.sock"), direct) << script;
    }
    (void)test_support::run_command({"rm", "-rf", work});
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
