#include "agent/jvm_flags.hpp"

#include <gmock/gmock.h>

namespace supervisor::agent {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST(AgentFlags, AreTheDefaultsAndTheConsoleSwitch) {
    auto expected = default_agent_flags();
    expected.emplace_back("-Dgo.console.stdout=true");
    EXPECT_EQ(agent_flags({}), expected);
}

TEST(AgentFlags, StartupArgsReplaceAndJvmOptsAdd) {
    Settings settings;
    settings.startup_args = {"-Xmx1g"};
    settings.jvm_opts = {"-Dmine=1"};
    EXPECT_THAT(agent_flags(settings), ElementsAre("-Xmx1g", "-Dgo.console.stdout=true", "-Dmine=1"));
    settings.startup_args = std::vector<std::string>{};
    EXPECT_THAT(agent_flags(settings), ElementsAre("-Dgo.console.stdout=true", "-Dmine=1"));
}

TEST(AgentFlags, AChosenCollectorReplacesTheDefaultOne) {
    Settings settings;
    settings.jvm_opts = {"-XX:+UseG1GC"};
    EXPECT_THAT(agent_flags(settings), Not(Contains("-XX:+UseSerialGC")));
    EXPECT_THAT(agent_flags(settings), Contains("-XX:+UseG1GC"));
    settings.jvm_opts = {"-XX:+UseStringDeduplication"};
    EXPECT_THAT(agent_flags(settings), Contains("-XX:+UseSerialGC"));
    settings.inherited_jvm_flags = {"-XX:+UseZGC"};
    EXPECT_THAT(agent_flags(settings), Not(Contains("-XX:+UseSerialGC")));
    EXPECT_THAT(bootstrapper_flags(settings), Not(Contains("-XX:+UseSerialGC")));
}

TEST(AgentFlags, IntervalsCanBeOverriddenByTheUser) {
    Settings settings;
    settings.startup_args = std::vector<std::string>{};
    settings.ping_interval = Milliseconds(1000);
    settings.instruction_interval = Milliseconds(1500);
    settings.jvm_opts = {"-Dagent.ping.interval=7"};
    EXPECT_THAT(agent_flags(settings),
                ElementsAre("-Dgo.console.stdout=true", "-Dagent.ping.interval=1000",
                            "-Dagent.instruction.interval=1500", "-Dagent.ping.interval=7"));
}

TEST(BootstrapperFlags, LeaveTheUserTheLastWord) {
    Settings settings;
    settings.bootstrapper_jvm_args = {"-Xmx99m", "-Dgo.console.stdout=false"};
    const auto flags = bootstrapper_flags(settings);
    EXPECT_EQ(flags.front(), "-Xms16m");
    EXPECT_EQ(flags.back(), "-Dgo.console.stdout=true");
    EXPECT_THAT(flags, Contains("-Xmx99m"));
}

TEST(ParseAotRecord, ReadsWhatTrainingWrote) {
    const auto record = parse_aot_record("jre=25.0.3+9\njar=ab\nsize=123\nsum=5\nflag=-Xms1m\nflag=-Da=b\n");
    ASSERT_TRUE(record) << record.error().message();
    EXPECT_EQ(record->jre, "25.0.3+9");
    EXPECT_EQ(record->jar, "ab");
    EXPECT_EQ(record->size, 123U);
    EXPECT_THAT(record->flags, ElementsAre("-Xms1m", "-Da=b"));
    for (const auto* text : {"", "jre=1\n", "size=1\n", "jre=1\njar=1\nsize=1\n", "jre=1\nsize=1\nsum=1\n",
                             "jre=1\nsize=x\n", "jre=1\njar=1\nsize=1\nsum=1\nelse=2\n"}) {
        EXPECT_FALSE(parse_aot_record(text)) << text;
    }
}

TEST(JreVersion, IsInTheReleaseFile) {
    EXPECT_EQ(jre_version("IMPLEMENTOR=\"Debian\"\nJAVA_RUNTIME_VERSION=\"25.0.3+9-Debian-1\"\n"),
              "25.0.3+9-Debian-1");
    EXPECT_EQ(jre_version("IMPLEMENTOR=\"Debian\"\n"), "");
}

TEST(JudgeAot, WantsExactlyTheTrainedFlagsJreAndJar) {
    const auto flags = agent_flags({});
    const AotCache good{"/c.aot", {"25", "jar", 10, "sum", flags}, 10};
    EXPECT_TRUE(judge_aot(good, flags, "25", "jar", "sum").use);

    EXPECT_THAT(judge_aot(std::nullopt, flags, "25", "jar", "sum").reason, HasSubstr("no AOT cache"));
    EXPECT_THAT(judge_aot(good, flags, "26", "jar", "sum").reason, HasSubstr("JRE"));
    EXPECT_THAT(judge_aot(good, flags, "25", "jar", "other").reason, HasSubstr("damaged"));
    EXPECT_THAT(judge_aot(good, flags, "25", "newer", "sum").reason, HasSubstr("another agent.jar"));
    EXPECT_THAT(judge_aot(good, flags, "25", "", "sum").reason, HasSubstr("another agent.jar"));
    auto truncated = good;
    truncated.size = 9;
    EXPECT_THAT(judge_aot(truncated, flags, "25", "jar", "sum").reason, HasSubstr("size"));
    auto changed = flags;
    changed.emplace_back("-Xmx512m");
    EXPECT_THAT(judge_aot(good, changed, "25", "jar", "sum").reason, HasSubstr("flags"));
    changed.back() = "-Djava.system.class.loader=x";
    EXPECT_FALSE(judge_aot(good, changed, "25", "jar", "sum").use);
    changed.back() = "-Dgo.agent.status.api.bind.host=0.0.0.0";
    EXPECT_TRUE(judge_aot(good, changed, "25", "jar", "sum").use);
}

}  // namespace
}  // namespace supervisor::agent
