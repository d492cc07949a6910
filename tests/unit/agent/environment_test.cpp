#include "agent/environment.hpp"

#include <gmock/gmock.h>

namespace supervisor::agent {
namespace {

using testing::Contains;
using testing::Not;
using testing::UnorderedElementsAre;

TEST(AgentEnvironment, DropsWhatJobsMustNotSee) {
    for (const auto* entry :
         {"GO_EA_AUTO_REGISTER_KEY=k", "GO_EA_SERVER_URL=https://s/go",
          "GO_EA_AUTO_REGISTER_ELASTIC_AGENT_ID=i", "AGENT_AUTO_REGISTER_KEY=k",
          "AGENT_AUTO_REGISTER_RESOURCES=r", "AGENT_AUTO_REGISTER_HOSTNAME=h", "AGENT_STARTUP_ARGS=-Xmx1g",
          "AGENT_BOOTSTRAPPER_ARGS=-x", "AGENT_BOOTSTRAPPER_JVM_ARGS=-x", "GOCD_AGENT_JVM_OPTS=-x",
          "GOCD_DOCKER_MODE=dind", "DOCKERD_ADDITIONAL_ARGS=--debug", "NOTIFY_SOCKET=/n", "LISTEN_FDS=1",
          "LISTEN_PID=1", "WATCHDOG_USEC=1", "DOCKER_HOST=unix:///run/gocd-supervisor/docker.sock",
          "without an equals sign"}) {
        EXPECT_THAT(agent_environment({entry}, {}), Not(Contains(entry))) << entry;
    }
}

TEST(AgentEnvironment, KeepsWhatJobsNeed) {
    for (const auto* entry : {"GO_SERVER_URL=https://s/go", "LANG=en_US.UTF-8", "PATH=/bin",
                              "VOLUME_DIR=/godata", "DOCKER_HOST=unix:///x", "LISTEN_PORT=80",
                              "NOTIFY_USERS=1", "HTTPS_PROXY=http://p:1", "GO_JAVA_HOME=/j", "EMPTY="}) {
        EXPECT_THAT(agent_environment({entry}, {}), Contains(entry)) << entry;
    }
}

TEST(AgentEnvironment, TakesTheElasticServerUrl) {
    EXPECT_EQ(variable_or_empty(
                  agent_environment({"GO_SERVER_URL=https://a/go", "GO_EA_SERVER_URL=https://b/go"}, {}),
                  "GO_SERVER_URL"),
              "https://b/go");
}

TEST(AgentEnvironment, GivesTheAccountAHome) {
    const Account account{"go", "/home/go"};
    for (const auto& [given, expected] :
         std::vector<std::pair<Environment, std::string>>{{{}, "/home/go"},
                                                          {{"HOME=/root"}, "/home/go"},
                                                          {{"HOME=/"}, "/home/go"},
                                                          {{"HOME=/cache"}, "/cache"}}) {
        EXPECT_EQ(variable_or_empty(agent_environment(given, account), "HOME"), expected);
    }
    EXPECT_THAT(agent_environment({"USER=root"}, account),
                UnorderedElementsAre("HOME=/home/go", "USER=go", "LOGNAME=go"));
}

TEST(HookEnvironment, HidesOnlyTheRegistration) {
    const auto hooks = hook_environment({"GO_EA_AUTO_REGISTER_KEY=k", "AGENT_AUTO_REGISTER_KEY=k",
                                         "AGENT_BOOTSTRAPPER_ARGS=-x", "GOCD_AGENT_JVM_OPTS=-y"},
                                        {});
    EXPECT_THAT(hooks, UnorderedElementsAre("AGENT_BOOTSTRAPPER_ARGS=-x", "GOCD_AGENT_JVM_OPTS=-y",
                                            "HOME=/home/go", "USER=go", "LOGNAME=go"));
}

TEST(FindVariable, TakesTheLastAndDoesNotMatchPrefixes) {
    EXPECT_EQ(find_variable({"A=1", "AB=2", "A=3"}, "A"), "3");
    EXPECT_EQ(find_variable({"AB=2"}, "A"), std::nullopt);
    EXPECT_EQ(find_variable({"A="}, "A"), "");
}

}  // namespace
}  // namespace supervisor::agent
