#include "agent/launch.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <fstream>

namespace supervisor::agent {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

Settings settings_for(LaunchMode mode = LaunchMode::Auto) {
    Settings settings;
    settings.server_url = "https://s/go";
    settings.java_home = "/jre";
    settings.launch = mode;
    settings.startup_args = {"-Xmx1g", "-Dname=a b"};
    return settings;
}

std::string script_with(const std::string& text) {
    const std::string path = ::testing::TempDir() + "/hook";
    std::ofstream(path) << text;
    return path;
}

LaunchFacts full_image() {
    LaunchFacts facts;
    facts.has_fetcher = facts.has_bootstrapper = facts.has_wrapper = true;
    return facts;
}

FetchResult fetched() {
    FetchResult result;
    result.status = {"aa", "bb", "cc", "dd", {"extra=1", "with=a blank"}};
    return result;
}

TEST(ChooseLaunch, AutoIsDirectUnlessOnlyAJvmCanFollow) {
    ServerAccess access;
    EXPECT_EQ(choose_launch(settings_for(), access, full_image())->mode, LaunchMode::Direct);
    access.only_for_a_jvm = {"-Djavax.net.ssl.trustStore=/t"};
    const auto choice = choose_launch(settings_for(), access, full_image());
    EXPECT_EQ(choice->mode, LaunchMode::Bootstrapper);
    EXPECT_THAT(choice->reason, HasSubstr("-Djavax.net.ssl.trustStore=/t"));
    auto without_fetcher = full_image();
    without_fetcher.has_fetcher = false;
    EXPECT_EQ(choose_launch(settings_for(), ServerAccess{}, without_fetcher)->mode, LaunchMode::Bootstrapper);
}

TEST(ChooseLaunch, DirectThatWasAskedForStaysAndWarns) {
    ServerAccess access;
    access.only_for_a_jvm = {"-javaagent:/a.jar"};
    const auto choice = choose_launch(settings_for(LaunchMode::Direct), access, full_image());
    EXPECT_EQ(choice->mode, LaunchMode::Direct);
    EXPECT_THAT(choice->warnings, ElementsAre(HasSubstr("-javaagent:/a.jar")));
    EXPECT_THAT(choose_launch(settings_for(LaunchMode::Wrapper), access, full_image())->warnings, IsEmpty());
}

TEST(ChooseLaunch, NamesWhatIsMissing) {
    for (const auto& [mode, missing] : std::vector<std::pair<LaunchMode, std::string>>{
             {LaunchMode::Direct, "gocd-agent-fetch"},
             {LaunchMode::Bootstrapper, "/go-agent/lib/agent-bootstrapper.jar"},
             {LaunchMode::Wrapper, "/go-agent/bin/go-agent"}}) {
        const auto choice = choose_launch(settings_for(mode), {}, {});
        ASSERT_FALSE(choice);
        EXPECT_THAT(choice.error().message(), HasSubstr(missing));
    }
}

TEST(DirectCommand, IsTheOfficialLaunchersCommandLine) {
    ServerAccess access;
    access.root_certificates = "/ca.pem";
    auto facts = full_image();
    facts.agent_version = "25.3.0-1";
    const auto launch = direct_command(settings_for(), access, facts, fetched(), {"LANG=C"});
    EXPECT_THAT(
        launch.command.argv,
        ElementsAre("/jre/bin/java", "-Xmx1g", "-Dname=a b", "-Dgo.console.stdout=true", "-Dextra=1",
                    "-Dwith=a blank", "-Dagent.plugins.md5=cc", "-Dagent.binary.md5=aa",
                    "-Dagent.launcher.md5=bb", "-Dagent.tfs.md5=dd", "-Dagent.bootstrapper.version=25.3.0-1",
                    "-jar", "agent.jar", "-serverUrl", "https://s/go", "-rootCertFile", "/ca.pem"));
    EXPECT_THAT(launch.command.environment, ElementsAre("LANG=C"));
    EXPECT_EQ(launch.command.working_directory, "/go-working-dir");
    EXPECT_FALSE(launch.aot.use);
}

TEST(DirectCommand, UsesAFitAotCacheUnlessSwitchedOff) {
    auto settings = settings_for();
    auto facts = full_image();
    facts.jre = "25";
    facts.aot = AotCache{"/go-agent/agent.aot", {"25", "aa", 7, "", agent_flags(settings)}, 7};
    EXPECT_EQ(direct_command(settings, {}, facts, fetched(), {}).command.argv[1],
              "-XX:AOTCache=/go-agent/agent.aot");
    settings.inherited_jvm_flags = {"-Dplain=1"};
    EXPECT_TRUE(direct_command(settings, {}, facts, fetched(), {}).aot.use);
    settings.inherited_jvm_flags = {"-Xint"};
    EXPECT_FALSE(direct_command(settings, {}, facts, fetched(), {}).aot.use);
    settings.inherited_jvm_flags.clear();
    auto of_the_server = fetched();
    of_the_server.status.extra_properties = {"plain=1"};
    EXPECT_TRUE(direct_command(settings, {}, facts, of_the_server, {}).aot.use);
    of_the_server.status.extra_properties = {"java.system.class.loader=x"};
    EXPECT_FALSE(direct_command(settings, {}, facts, of_the_server, {}).aot.use);
    of_the_server = fetched();
    of_the_server.status.agent_md5 = "newer";
    EXPECT_FALSE(direct_command(settings, {}, facts, of_the_server, {}).aot.use);
    settings.use_aot = false;
    EXPECT_THAT(direct_command(settings, {}, facts, fetched(), {}).command.argv,
                Not(Contains(StartsWith("-XX:AOTCache"))));
}

TEST(FetcherCommand, CarriesTheAccessAndNoSecret) {
    ServerAccess access;
    access.verification = Verification::None;
    access.proxy = "http://p:1";
    auto facts = full_image();
    facts.baked_directory = "/go-agent/baked";
    EXPECT_THAT(
        fetcher_command(settings_for(), access, facts, "/usr/bin/gocd-agent-fetch", {}).argv,
        ElementsAre("/usr/bin/gocd-agent-fetch", "--server", "https://s/go", "--directory", "/go-working-dir",
                    "--baked", "/go-agent/baked", "--verification", "NONE", "--proxy", "http://p:1"));
}

TEST(FetcherCommand, ReadsTheAotCacheOnlyWhereItMayBeUsed) {
    auto settings = settings_for();
    auto facts = full_image();
    facts.jre = "25";
    facts.aot = AotCache{"/c.aot", {"25", "aa", 7, "", agent_flags(settings)}, 7};
    const auto reads = [&] {
        const auto argv = fetcher_command(settings, {}, facts, "fetch", {}).argv;
        return std::find(argv.begin(), argv.end(), "/c.aot") != argv.end();
    };
    EXPECT_TRUE(reads());
    facts.aot->size = 6;
    EXPECT_FALSE(reads());
    facts.aot->size = 7;
    settings.jvm_opts = {"-Xmx2g"};
    EXPECT_FALSE(reads());
    settings.jvm_opts.clear();
    settings.use_aot = false;
    EXPECT_FALSE(reads());
}

TEST(BootstrapperCommand, HandsTheAgentsFlagsOnInOneVariable) {
    auto settings = settings_for();
    settings.bootstrapper_args = {"-rootCertFile", "ca.pem"};
    const auto command = bootstrapper_command(settings, {});
    EXPECT_EQ(command.argv.front(), "/jre/bin/java");
    EXPECT_THAT(std::vector<std::string>(command.argv.end() - 6, command.argv.end()),
                ElementsAre("-jar", "/go-agent/lib/agent-bootstrapper.jar", "-serverUrl", "https://s/go",
                            "-rootCertFile", "ca.pem"));
    EXPECT_THAT(command.environment,
                ElementsAre("AGENT_STARTUP_ARGS=-Xmx1g -Dname=a%20b -Dgo.console.stdout=true"));
}

TEST(WrapperCommand, IsTheOfficialScriptAndItsProperties) {
    auto settings = settings_for();
    settings.bootstrapper_args = {"-sslVerificationMode", "NONE"};
    EXPECT_THAT(wrapper_command(settings, {}).argv, ElementsAre("/go-agent/bin/go-agent", "console"));
    const auto text = wrapper_properties(settings);
    EXPECT_THAT(text, HasSubstr("wrapper.java.command=/jre/bin/java\n"));
    EXPECT_THAT(text, HasSubstr("wrapper.working.dir=/go-working-dir\n"));
    EXPECT_THAT(text, HasSubstr("wrapper.app.parameter.101=https://s/go\n"));
    EXPECT_THAT(
        text, HasSubstr("wrapper.app.parameter.200=-sslVerificationMode\nwrapper.app.parameter.201=NONE\n"));
    EXPECT_THAT(text, HasSubstr("=-Dgo.console.stdout=true\n"));
}

TEST(HookCommand, AFileWithoutAnInterpreterIsAShellScript) {
    const auto path = script_with("echo hello\n");
    EXPECT_THAT(hook_command(path), ElementsAre("bash", path));
    EXPECT_THAT(hook_command(script_with("#!/bin/sh\n")), ElementsAre(path));
    EXPECT_THAT(hook_command("/proc/self/exe"), ElementsAre("/proc/self/exe"));
    EXPECT_THAT(hook_command("/no/such/file"), ElementsAre("/no/such/file"));
}

}  // namespace
}  // namespace supervisor::agent
