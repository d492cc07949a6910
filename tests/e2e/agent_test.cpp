// The stand-in agent in the image, with a server to talk to.
#include <gmock/gmock.h>

#include "e2e/fixture.hpp"

namespace e2e {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kKey = "a-key-that-no-job-may-see";

class Agent : public EndToEnd {
  protected:
    static Arguments variables(const StubServer& server) {
        return {"-e", "GO_SERVER_URL=" + server.url(),
                "-e", std::string("AGENT_AUTO_REGISTER_KEY=") + kKey,
                "-e", "AGENT_AUTO_REGISTER_RESOURCES=docker,linux"};
    }
};

TEST_F(Agent, RegistersAndRunsAJobThatUsesDocker) {
    const StubServer server(
        {"--key", kKey, "--job",
         "docker load -qi /inner/busybox.tar && docker run --rm inner-busybox:test echo said inside"});
    ASSERT_NE(server.url(), "");
    Container container(dind(variables(server)));
    ASSERT_TRUE(server.wait_for_record("job_completed", seconds(60))) << server.record() << container.logs();
    EXPECT_THAT(server.record(), HasSubstr("\"result\":\"Passed\"")) << container.logs();
    EXPECT_THAT(server.record(), HasSubstr("said inside"));
    EXPECT_TRUE(container.stop(10).ok());
    EXPECT_EQ(container.exit_status(seconds(5)), 0) << container.logs();
}

TEST_F(Agent, TakesTheOfficialImagesCommandForItself) {
    const StubServer server({"--job", "true"});
    Container container(dind(variables(server), {"/go-working-dir/bin/go-agent", "console"}));
    EXPECT_TRUE(server.wait_for_record("job_completed", seconds(60))) << server.record() << container.logs();
}

TEST_F(Agent, KeepsItsKeyFromJobsAndLogs) {
    const StubServer server({"--job",
                             "env; cat /go-working-dir/config/autoregister.properties; cat /proc/*/environ | "
                             "tr '\\0' '\\n'; true"});
    Container container(dind(variables(server)));
    ASSERT_TRUE(server.wait_for_record("job_completed", seconds(60))) << server.record() << container.logs();
    std::string consoles;
    for (const std::string& line : test_support::lines(server.record())) {
        if (line.find("\"console\"") != std::string::npos) consoles += line + "\n";
    }
    EXPECT_THAT(consoles, HasSubstr("GO_SERVER_URL"));
    EXPECT_THAT(consoles, Not(HasSubstr(kKey)));
    EXPECT_THAT(container.logs(), Not(HasSubstr(kKey)));
}

TEST_F(Agent, GivesJobsNoPrivileges) {
    const StubServer server({"--job", "grep -E '^(Cap|NoNewPrivs)' /proc/self/status"});
    Container container(dind(variables(server)));
    ASSERT_TRUE(server.wait_for_record("job_completed", seconds(60))) << server.record() << container.logs();
    EXPECT_THAT(server.record(), HasSubstr("CapBnd:\\t0000000000000000"));
    EXPECT_THAT(server.record(), HasSubstr("NoNewPrivs:\\t1"));
}

TEST_F(Agent, ComesBackAfterItDied) {
    const StubServer server({"--job", "true", "--repeat", "2"});
    Container container(dind(variables(server)));
    ASSERT_TRUE(becomes_healthy(container)) << container.logs();
    container.exec({"sh", "-c", "pkill -9 java"});
    EXPECT_TRUE(becomes_healthy(container, seconds(60))) << container.logs();
}

TEST_F(Agent, WithoutAServerSaysWhatIsMissing) {
    Container container(dind());
    EXPECT_THAT(container.exit_status(seconds(30)), ::testing::AnyOf(64, 71)) << container.logs();
    EXPECT_THAT(container.logs(), HasSubstr("GO_SERVER_URL"));
}

TEST_F(Agent, IsStoppedByThePluginInTwoSecondsWithAJobRunning) {
    const StubServer server(
        {"--job", "docker load -qi /inner/busybox.tar && docker run --rm inner-busybox:test sleep 300"});
    Arguments options = variables(server);
    for (const char* variable :
         {"GO_EA_AUTO_REGISTER_ELASTIC_PLUGIN_ID=cd.go.contrib.elastic-agent.docker",
          "GO_EA_AUTO_REGISTER_ELASTIC_AGENT_ID=one", "GO_EA_AUTO_REGISTER_KEY=elastic-key"}) {
        options.insert(options.end(), {"-e", variable});
    }
    options.insert(options.end(), {"-e", "GO_EA_SERVER_URL=" + server.url()});
    Container container(dind(options));
    ASSERT_TRUE(container.wait_for_log("Executing received job", seconds(60))) << container.logs();
    test_support::pause_for(std::chrono::seconds(2));
    EXPECT_TRUE(container.stop(2).ok());
    EXPECT_EQ(container.exit_status(seconds(5)), 0) << container.logs();
}

}  // namespace
}  // namespace e2e
