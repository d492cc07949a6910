// The elastic plugins' part, with the calls that they make: create, stop with their patience, remove.
#include <gmock/gmock.h>

#include "e2e/fixture.hpp"
#include "support/host_snapshot.hpp"

namespace e2e {
namespace {

using test_support::docker;
using test_support::eventually;
using test_support::HostSnapshot;
using test_support::trimmed;
using ::testing::IsEmpty;

struct Plugin {
    const char* name;
    const char* id;
    int seconds_to_live;  // between TERM and KILL
};

void PrintTo(const Plugin& plugin, std::ostream* out) {
    *out << plugin.name;
}

class ElasticPlugin : public EndToEnd, public ::testing::WithParamInterface<Plugin> {
  protected:
    // Variables as the plugins give them: elastic only, in no order.
    static Arguments variables(const StubServer& server) {
        return {"-e", "GO_EA_AUTO_REGISTER_ELASTIC_AGENT_ID=0b7f5d0e-agent",
                "-e", "GO_EA_SERVER_URL=" + server.url(),
                "-e", "GO_EA_AUTO_REGISTER_ENVIRONMENT=production",
                "-e", std::string("GO_EA_AUTO_REGISTER_ELASTIC_PLUGIN_ID=") + GetParam().id,
                "-e", "GO_EA_AUTO_REGISTER_KEY=single-use"};
    }
};

TEST_P(ElasticPlugin, AgentComesWorksAndGoesAndNothingIsLeft) {
    const StubServer server(
        {"--key", "single-use", "--job",
         "docker load -qi /inner/busybox.tar && docker run --rm inner-busybox:test true"});
    const HostSnapshot before = HostSnapshot::take();
    {
        Arguments options = variables(server);
        options.insert(options.end(), {"--label", "Elastic-Agent-Created-By=" + std::string(GetParam().id)});
        const Container agent(dind(options));
        ASSERT_EQ(agent.start_failure(), "");
        ASSERT_TRUE(server.wait_for_record("job_completed", seconds(90))) << server.record() << agent.logs();
        EXPECT_NE(server.record().find("\"result\":\"Passed\""), std::string::npos) << agent.logs();
        EXPECT_TRUE(agent.stop(GetParam().seconds_to_live).ok());
        EXPECT_EQ(agent.exit_status(seconds(5)), 0) << agent.logs();
    }
    std::vector<std::string> left;
    eventually([&] { return (left = test_support::left_behind(before, HostSnapshot::take())).empty(); },
               seconds(5));
    EXPECT_THAT(left, IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(All, ElasticPlugin,
                         ::testing::Values(Plugin{"docker", "cd.go.contrib.elastic-agent.docker", 2},
                                           Plugin{"swarm", "cd.go.contrib.elastic-agent.docker-swarm", 10},
                                           Plugin{"kubernetes", "cd.go.contrib.elasticagent.kubernetes", 30},
                                           Plugin{"ecs", "com.thoughtworks.gocd.elastic-agent.ecs", 30}),
                         [](const auto& instance) { return std::string(instance.param.name); });

// The container of an elastic agent ends when the agent does: plugins remove what ended, and never start it
// again.
TEST_F(EndToEnd, AnElasticAgentThatDiedEndsItsContainer) {
    const StubServer server({});
    const Container agent(
        dind({"-e", "GO_EA_SERVER_URL=" + server.url(), "-e", "GO_EA_AUTO_REGISTER_ELASTIC_AGENT_ID=one",
              "-e", "GO_EA_AUTO_REGISTER_ELASTIC_PLUGIN_ID=cd.go.contrib.elastic-agent.docker"}));
    ASSERT_TRUE(becomes_healthy(agent)) << agent.logs();
    agent.exec({"sh", "-c", "pkill -9 java"});
    EXPECT_EQ(agent.exit_status(seconds(30)), 128 + 9) << agent.logs();
}

}  // namespace
}  // namespace e2e
