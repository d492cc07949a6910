#include "agent/settings.hpp"

#include <gmock/gmock.h>

namespace supervisor::agent {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(ReadSettings, TakesAStaticAgentsVariables) {
    const auto settings =
        read_settings({"GO_SERVER_URL=https://ci.example.com:8154/go/", "AGENT_AUTO_REGISTER_KEY=k",
                       "AGENT_AUTO_REGISTER_RESOURCES=linux,docker", "AGENT_AUTO_REGISTER_HOSTNAME=h",
                       "AGENT_AUTO_REGISTER_ENVIRONMENTS=prod", "VOLUME_DIR=/data", "GO_JAVA_HOME=/jre"});
    ASSERT_TRUE(settings) << settings.error().message();
    EXPECT_EQ(settings->server_url, "https://ci.example.com:8154/go");
    EXPECT_EQ(settings->registration.key.reveal(), "k");
    EXPECT_EQ(settings->registration.resources, "linux,docker");
    EXPECT_EQ(settings->registration.environments, "prod");
    EXPECT_EQ(settings->registration.hostname, "h");
    EXPECT_FALSE(settings->registration.elastic());
    EXPECT_EQ(settings->volume_directory, "/data");
    EXPECT_EQ(settings->java_home, "/jre");
    EXPECT_FALSE(settings->startup_args);
}

TEST(ReadSettings, TakesAnElasticAgentsVariablesAlone) {
    const auto settings = read_settings(
        {"GO_SERVER_URL=https://static/go", "AGENT_AUTO_REGISTER_KEY=static",
         "AGENT_AUTO_REGISTER_RESOURCES=r", "GO_EA_SERVER_URL=https://elastic/go",
         "GO_EA_AUTO_REGISTER_KEY=once", "GO_EA_AUTO_REGISTER_ENVIRONMENT=e",
         "GO_EA_AUTO_REGISTER_ELASTIC_AGENT_ID=id", "GO_EA_AUTO_REGISTER_ELASTIC_PLUGIN_ID=plugin"});
    ASSERT_TRUE(settings) << settings.error().message();
    EXPECT_EQ(settings->server_url, "https://elastic/go");
    EXPECT_EQ(settings->registration.key.reveal(), "once");
    EXPECT_EQ(settings->registration.resources, "");
    EXPECT_EQ(settings->registration.environments, "e");
    EXPECT_EQ(settings->registration.elastic_agent_id, "id");
    EXPECT_TRUE(settings->registration.elastic());
}

TEST(ReadSettings, RefusesAnUnfitServerUrlAndNamesTheVariable) {
    EXPECT_THAT(read_settings({}).error().message(), HasSubstr("GO_SERVER_URL is not set"));
    for (const auto* url : {"ftp://x/go", "https://x", "https://x/gone", "x/go", "https://x y/go"}) {
        const auto settings = read_settings({std::string("GO_EA_SERVER_URL=") + url});
        ASSERT_FALSE(settings) << url;
        EXPECT_THAT(settings.error().message(), HasSubstr("GO_EA_SERVER_URL '" + std::string(url) + "'"));
    }
}

TEST(ReadSettings, SplitsArgumentsWithQuotesAndEvaluatesNothing) {
    const auto settings = read_settings(
        {"GO_SERVER_URL=http://s/go", "AGENT_BOOTSTRAPPER_ARGS=-rootCertFile '/my certs/ca.pem'",
         "AGENT_BOOTSTRAPPER_JVM_ARGS=-Da=$(id) -Db=`id` -Dc=*", "AGENT_STARTUP_ARGS=-Xmx1g  -Dname=a%20b",
         "GOCD_AGENT_JVM_OPTS=\"-Dx=1 2\""});
    ASSERT_TRUE(settings) << settings.error().message();
    EXPECT_THAT(settings->bootstrapper_args, ElementsAre("-rootCertFile", "/my certs/ca.pem"));
    EXPECT_THAT(settings->bootstrapper_jvm_args, ElementsAre("-Da=$(id)", "-Db=`id`", "-Dc=*"));
    EXPECT_THAT(*settings->startup_args, ElementsAre("-Xmx1g", "-Dname=a b"));
    EXPECT_THAT(settings->jvm_opts, ElementsAre("-Dx=1 2"));
}

TEST(ReadSettings, NamesTheVariableWithAnOpenQuote) {
    const auto settings = read_settings({"GO_SERVER_URL=http://s/go", "GOCD_AGENT_JVM_OPTS=-Dx='1"});
    ASSERT_FALSE(settings);
    EXPECT_THAT(settings.error().message(), HasSubstr("GOCD_AGENT_JVM_OPTS"));
}

TEST(ReadSettings, NotesTheFlagsOfEveryJvm) {
    const auto settings = read_settings(
        {"GO_SERVER_URL=http://s/go", "JAVA_TOOL_OPTIONS=-Da=1  -XX:+UseG1GC", "_JAVA_OPTIONS=-Db=2"});
    ASSERT_TRUE(settings) << settings.error().message();
    EXPECT_THAT(settings->inherited_jvm_flags, ElementsAre("-Da=1", "-XX:+UseG1GC", "-Db=2"));
}

TEST(LaunchMode, IsParsedAndPrinted) {
    for (const auto* name : {"auto", "direct", "bootstrapper", "wrapper"}) {
        EXPECT_EQ(to_string(*parse_launch_mode(name)), name);
    }
    EXPECT_THAT(parse_launch_mode("Direct").error().message(),
                HasSubstr("auto, direct, bootstrapper, wrapper"));
}

TEST(IdentityDirectory, IsWhereTheAgentsJvmIsToldToKeepIt) {
    Settings settings;
    EXPECT_EQ(settings.identity_directory(), "/go-working-dir/config");
    settings.startup_args = {"-Dcruise.config.dir=other"};
    EXPECT_EQ(settings.identity_directory(), "/go-working-dir/other");
    settings.jvm_opts = {"-Xint", "-Dcruise.config.dir=/etc/agent"};
    EXPECT_EQ(settings.identity_directory(), "/etc/agent");
}

}  // namespace
}  // namespace supervisor::agent
