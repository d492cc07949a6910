#include "cli/options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "base/strings.hpp"
#include "cli/option_table.hpp"

namespace supervisor::cli {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Config config_of(const std::vector<std::string>& arguments,
                 const std::vector<std::string>& environment = {}) {
    auto invocation = parse(arguments, environment);
    EXPECT_TRUE(invocation) << (invocation ? "" : invocation.error().message());
    return invocation ? invocation->config : Config();
}

std::string error_of(const std::vector<std::string>& arguments,
                     const std::vector<std::string>& environment = {}) {
    const auto invocation = parse(arguments, environment);
    EXPECT_FALSE(invocation) << "was accepted";
    return invocation ? "" : invocation.error().message();
}

// A value that every option of this kind accepts and that is not its default.
std::string sample(const Option& option) {
    const std::string flag = option.flag;
    const std::string value = option.value;
    if (flag == "shell") return "root";
    if (flag == "storage-driver") return "vfs";
    if (flag == "agent-allow") return "setuid,userns";
    if (flag == "agent-aot") return "off";
    if (value.find("DURATION") != std::string::npos) return "1500ms";
    if (value.find("SIZE") != std::string::npos) return "2G";
    if (value.find("PERCENT") != std::string::npos) return "70%";
    if (value.find("NUMBER") != std::string::npos) return "3";
    if (value.find("DIRECTORY") != std::string::npos || value.find("PATH") != std::string::npos)
        return "/some/where";
    if (value.find('|') != std::string::npos) {
        for (const auto& choice : split(value, '|')) {
            if (choice != option.fallback) return std::string(choice);
        }
    }
    return "text";
}

class EachOption : public testing::TestWithParam<const Option*> {};

TEST_P(EachOption, HasAFlagInBothForms) {
    const Option& option = *GetParam();
    const std::string flag = std::string("--") + option.flag;
    for (const auto& words : {std::vector<std::string>{flag + "=" + sample(option)},
                              std::vector<std::string>{flag, sample(option)}}) {
        if (words.size() == 2 && std::string_view(option.flag) == "shell") continue;  // may stand alone
        const Config config = config_of(words);
        ASSERT_EQ(config.provenance.count(option.flag), 1U) << words[0];
        EXPECT_EQ(config.provenance.at(option.flag), flag);
    }
}

TEST_P(EachOption, HasAVariable) {
    const Option& option = *GetParam();
    const Config config = config_of({}, {std::string(option.variable) + "=" + sample(option)});
    ASSERT_EQ(config.provenance.count(option.flag), 1U);
    EXPECT_EQ(config.provenance.at(option.flag), option.variable);
}

TEST_P(EachOption, TakesTheFlagBeforeTheVariable) {
    const Option& option = *GetParam();
    const Config config = config_of({std::string("--") + option.flag + "=" + sample(option)},
                                    {std::string(option.variable) + "=" + sample(option)});
    EXPECT_EQ(config.provenance.at(option.flag), std::string("--") + option.flag);
}

TEST_P(EachOption, TakesAnEmptyVariableForUnset) {
    const Option& option = *GetParam();
    EXPECT_TRUE(config_of({}, {std::string(option.variable) + "="}).provenance.empty());
}

TEST_P(EachOption, IsInHelpReferenceAndCompletion) {
    const Option& option = *GetParam();
    const std::string flag = std::string("--") + option.flag;
    EXPECT_THAT(help_text(), AllOf(HasSubstr(flag), HasSubstr(option.variable)));
    EXPECT_THAT(reference_markdown(), AllOf(HasSubstr("`" + flag + "`"), HasSubstr(option.variable)));
    EXPECT_THAT(completion_script(), HasSubstr(flag + " "));
}

std::vector<const Option*> all_options() {
    std::vector<const Option*> options;
    for (const auto& option : option_table()) options.push_back(&option);
    return options;
}

std::string name_of(const testing::TestParamInfo<const Option*>& info) {
    std::string name;
    for (const auto& part : split(info.param->flag, '-')) {
        name += static_cast<char>(part[0] - 'a' + 'A');
        name += part.substr(1);
    }
    return name;
}

INSTANTIATE_TEST_SUITE_P(Table, EachOption, testing::ValuesIn(all_options()), name_of);

TEST(Options, FlagsAndVariablesAreUnique) {
    std::set<std::string> names;
    for (const auto& option : option_table()) {
        EXPECT_TRUE(names.insert(option.flag).second) << option.flag;
        EXPECT_TRUE(names.insert(option.variable).second) << option.variable;
    }
}

TEST(Options, ValuesArriveInTheConfiguration) {
    const Config config =
        config_of({"--mode=plain", "--stop-timeout", "1.5s", "--agent-memory-max=512m",
                   "--agent-allow=userns, seccomp", "--data-high-water=70", "--log-format=json",
                   "--agent-aot=off", "--job-cleanup=all", "--agent-restart=never"},
                  {"DOCKERD_MAX_WAIT_SECS=45", "DOCKERD_ADDITIONAL_ARGS=--label 'a b'",
                   "DOCKER_DRIVER=fuse-overlayfs", "GOCD_LOG_LEVEL=debug"});
    EXPECT_EQ(config.general.mode, Mode::Plain);
    EXPECT_EQ(config.general.stop_timeout, Milliseconds(1'500));
    EXPECT_EQ(config.agent.memory_max, 512U << 20U);
    EXPECT_THAT(config.agent.allow, ElementsAre("userns", "seccomp"));
    EXPECT_EQ(config.engine.data_high_water, 70);
    EXPECT_TRUE(config.general.log.json);
    EXPECT_FALSE(config.agent.aot);
    EXPECT_EQ(config.agent.job_cleanup, JobCleanup::All);
    EXPECT_EQ(config.agent.restart, AgentRestart::Never);
    EXPECT_EQ(config.engine.start_timeout, Milliseconds(45'000));
    EXPECT_EQ(config.engine.dockerd_arguments, "--label 'a b'");
    EXPECT_EQ(config.engine.storage_driver, "fuse-overlayfs");
    EXPECT_EQ(config.general.log.level, log::Level::Debug);
}

TEST(Options, TotalsOfTheBrokerArriveInTheEnginesUnits) {
    const auto broker =
        config_of({"--broker-max-containers=7", "--broker-max-memory=2g", "--broker-max-cpus=1.5",
                   "--broker-max-pids=100", "--broker-keep-images=on"})
            .broker;
    EXPECT_EQ(broker.max_containers, 7U);
    EXPECT_EQ(broker.max_memory, 2ULL << 30U);
    EXPECT_EQ(broker.max_nano_cpus, 1'500'000'000U);
    EXPECT_EQ(broker.max_pids, 100U);
    EXPECT_TRUE(broker.keep_images);
    EXPECT_EQ(config_of({"--broker-max-cpus=2"}).broker.max_nano_cpus, 2'000'000'000U);
    EXPECT_EQ(config_of({"--broker-max-cpus=0.000000001"}).broker.max_nano_cpus, 1U);
    EXPECT_FALSE(config_of({}).broker.keep_images);
}

TEST(Options, WithoutAnythingTheDefaultsHold) {
    const auto invocation = parse({}, {"PATH=/bin", "GO_SERVER_URL=http://server/go"});
    ASSERT_TRUE(invocation);
    EXPECT_EQ(invocation->command, Command::Run);
    EXPECT_TRUE(invocation->program.empty());
    EXPECT_TRUE(invocation->config.provenance.empty());
    EXPECT_EQ(invocation->config.general.mode, Mode::Auto);
    EXPECT_EQ(invocation->config.general.shell, Shell::No);
}

TEST(Options, ABadValueIsNamedWithTheOptionAndWhatIsAccepted) {
    struct Case {
        const char* word;
        const char* option;
        const char* value;
        const char* accepted;
    };
    for (const auto& [word, option, value, accepted] : {
             Case{"--mode=docker", "--mode", "'docker'", "auto, dind, dood, plain"},
             Case{"--shell=fish", "--shell", "'fish'", "go, root"},
             Case{"--stop-timeout=soon", "--stop-timeout", "soon", ""},
             Case{"--agent-memory-max=much", "--agent-memory-max", "much", ""},
             Case{"--data-root=var", "--data-root", "'var'", "absolute path"},
             Case{"--data-pool-max=0", "--data-pool-max", "'0'", "1 to 1000"},
             Case{"--data-high-water=101%", "--data-high-water", "'101'", "1% to 100%"},
             Case{"--agent-allow=setuid,ptrace", "--agent-allow", "'ptrace'", "setuid, userns, seccomp"},
             Case{"--log-level=loud", "--log-level", "'loud'", "debug, info, warn, error"},
             Case{"--log-format=xml", "--log-format", "'xml'", "text, json"},
             Case{"--agent-aot=perhaps", "--agent-aot", "perhaps", ""},
             Case{"--storage-driver=zip", "--storage-driver", "'zip'", "overlay2"},
             Case{"--broker-max-cpus=1.", "--broker-max-cpus", "'1.'", "such as 2 or 1.5"},
             Case{"--broker-max-cpus=0.1234567890", "--broker-max-cpus", "'0.1234567890'", "1.5"},
             Case{"--broker-max-pids=-1", "--broker-max-pids", "'-1'", "0 to 1000000"},
             Case{"--job-cleanup=some", "--job-cleanup", "'some'", "off, containers, all"},
         }) {
        EXPECT_THAT(error_of({word}), AllOf(HasSubstr(option), HasSubstr(value), HasSubstr(accepted)));
    }
}

TEST(Options, ABadVariableIsNamedAsTheVariable) {
    EXPECT_THAT(error_of({}, {"GOCD_DOCKER_MODE=magic"}),
                AllOf(HasSubstr("GOCD_DOCKER_MODE"), HasSubstr("'magic'"), HasSubstr("plain")));
}

TEST(Options, AllProblemsAreToldAtOnce) {
    EXPECT_THAT(error_of({"--mode=x", "--log-level=y"}, {"GOCD_JOB_CLEANUP=z"}),
                AllOf(HasSubstr("'x'"), HasSubstr("'y'"), HasSubstr("'z'")));
}

TEST(Options, ControlCharactersInAValueCannotForgeALogLine) {
    EXPECT_THAT(error_of({"--mode=x\n2024 error: forged"}), testing::Not(HasSubstr("\n")));
}

TEST(Options, AnUnknownOptionIsNamed) {
    EXPECT_THAT(error_of({"--modus=dind"}), AllOf(HasSubstr("modus"), HasSubstr("--help")));
    EXPECT_THAT(error_of({"-x"}), AllOf(HasSubstr("x"), HasSubstr("--help")));
}

TEST(Options, AnOptionWithoutItsValueIsNamed) {
    EXPECT_THAT(error_of({"--mode"}), HasSubstr("mode"));
}

// --- commands and programs ---

TEST(Options, EveryCommandIsKnown) {
    const std::pair<const char*, Command> commands[] = {
        {"run", Command::Run},       {"doctor", Command::Doctor},     {"status", Command::Status},
        {"events", Command::Events}, {"health", Command::Health},     {"sweep", Command::Sweep},
        {"help", Command::Help},     {"version", Command::Version},   {"reference", Command::Reference},
        {"--help", Command::Help},   {"--version", Command::Version}, {"completion", Command::Completion},
    };
    for (const auto& [word, command] : commands) {
        const auto invocation = parse({word}, {});
        ASSERT_TRUE(invocation) << word;
        EXPECT_EQ(invocation->command, command) << word;
        EXPECT_TRUE(invocation->program.empty()) << word;
    }
}

TEST(Options, CommandsHaveFlagsOfTheirOwn) {
    const auto invocation = parse({"status", "--json", "--timeline"}, {});
    ASSERT_TRUE(invocation);
    EXPECT_TRUE(invocation->has_flag("--json"));
    EXPECT_TRUE(invocation->has_flag("--timeline"));
    EXPECT_FALSE(invocation->has_flag("--follow"));
}

TEST(Options, ACommandTakesOptionsToo) {
    const auto invocation = parse({"doctor", "--mode", "dind", "--json"}, {});
    ASSERT_TRUE(invocation);
    EXPECT_EQ(invocation->config.general.mode, Mode::Dind);
    EXPECT_TRUE(invocation->has_flag("--json"));
}

TEST(Options, ACommandThatTakesNoWordSaysSo) {
    EXPECT_THAT(error_of({"status", "now"}), AllOf(HasSubstr("'now'"), HasSubstr("status")));
    EXPECT_THAT(error_of({"health", "--", "ls"}), HasSubstr("'ls'"));
}

TEST(Options, InternalCommandsKeepTheirWords) {
    const auto invocation = parse({"internal-engine-check", "/run/x.sock", "--mode"}, {});
    ASSERT_TRUE(invocation);
    EXPECT_EQ(invocation->command, Command::Internal);
    EXPECT_THAT(invocation->command_flags, ElementsAre("internal-engine-check", "/run/x.sock", "--mode"));
}

TEST(Options, BehindTwoDashesEverythingIsTheProgram) {
    const auto invocation = parse({"--mode", "plain", "--", "ls", "--mode=dood", "--", "-l"}, {});
    ASSERT_TRUE(invocation);
    EXPECT_EQ(invocation->config.general.mode, Mode::Plain);
    EXPECT_THAT(invocation->program, ElementsAre("ls", "--mode=dood", "--", "-l"));
}

TEST(Options, ACommandsNameBehindTwoDashesIsAProgram) {
    const auto invocation = parse({"--", "status"}, {});
    ASSERT_TRUE(invocation);
    EXPECT_EQ(invocation->command, Command::Run);
    EXPECT_THAT(invocation->program, ElementsAre("status"));
}

TEST(Options, TheFirstWordThatIsNoOptionBeginsTheProgramAsDockerRunGivesIt) {
    for (const auto& words : {std::vector<std::string>{"sh", "-c", "exit 3"},
                              std::vector<std::string>{"run", "sh", "-c", "exit 3"},
                              std::vector<std::string>{"--mode", "plain", "sh", "-c", "exit 3"},
                              std::vector<std::string>{"--mode=plain", "sh", "-c", "exit 3"}}) {
        const auto invocation = parse(words, {});
        ASSERT_TRUE(invocation);
        EXPECT_EQ(invocation->command, Command::Run);
        EXPECT_THAT(invocation->program, ElementsAre("sh", "-c", "exit 3"));
    }
}

TEST(Options, AnOptionBehindTheProgramBelongsToTheProgram) {
    const auto invocation = parse({"sh", "--mode=nonsense"}, {});
    ASSERT_TRUE(invocation);
    EXPECT_EQ(invocation->config.general.mode, Mode::Auto);
}

TEST(Options, NothingBehindTwoDashesIsNoProgram) {
    const auto invocation = parse({"--"}, {});
    ASSERT_TRUE(invocation);
    EXPECT_THAT(invocation->program, IsEmpty());
}

TEST(Options, ShellStandsAloneOrNamesWho) {
    EXPECT_EQ(config_of({"--shell"}).general.shell, Shell::AsAgent);
    EXPECT_EQ(config_of({"--shell=go"}).general.shell, Shell::AsAgent);
    EXPECT_EQ(config_of({"--shell=root"}).general.shell, Shell::AsRoot);
    EXPECT_EQ(config_of({}, {"GOCD_SUPERVISOR_SHELL=root"}).general.shell, Shell::AsRoot);
    EXPECT_EQ(config_of({"--shell", "--mode=plain"}).general.mode, Mode::Plain);
}

TEST(Options, ShellDoesNotSwallowAProgram) {
    const auto invocation = parse({"--shell", "ls"}, {});
    ASSERT_TRUE(invocation);
    EXPECT_EQ(invocation->config.general.shell, Shell::AsAgent);
    EXPECT_THAT(invocation->program, ElementsAre("ls"));
}

// --- texts ---

TEST(OptionTexts, HelpNamesEveryExitCodeAndAgentVariable) {
    const std::string help = help_text();
    for (const char* code : {"  0 ", "  64", "  69", "  70", "  71", "126, 127", "128 + n"})
        EXPECT_THAT(help, HasSubstr(code));
    for (const auto& variable : agent_variables()) EXPECT_THAT(help, HasSubstr(variable.name));
}

TEST(OptionTexts, HelpFitsATerminal) {
    const std::string help = help_text();
    for (const auto& line : split_lines(help)) EXPECT_LE(line.size(), 110U) << line;
}

TEST(OptionTexts, EveryRowOfTheReferenceHasTheSameColumns) {
    const std::string reference = reference_markdown();
    int rows = 0;
    for (const auto& line : split_lines(reference)) {
        if (!line.starts_with("| `--")) continue;
        ++rows;
        EXPECT_EQ(split(replace_all(line, "\\|", "/"), '|').size(), 7U) << line;
    }
    EXPECT_EQ(rows, static_cast<int>(option_table().size()));
}

TEST(OptionTexts, TheCompletionKnowsEveryCommand) {
    for (const char* command : {"run ", "doctor ", "status ", "events ", "health ", "sweep ", "completion "})
        EXPECT_THAT(completion_script(), HasSubstr(command));
}

}  // namespace
}  // namespace supervisor::cli
