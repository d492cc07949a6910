// What the pages, the manual and the profiles say, against what the program and its sources say.
#include <gmock/gmock.h>

#include <filesystem>
#include <regex>
#include <set>

#include "docs/page.hpp"
#include "support/command.hpp"

namespace docs_test {
namespace {

namespace fs = std::filesystem;
using test_support::run_command;
using ::testing::HasSubstr;

std::string said(const std::string& command) {
    return run_command({SUPERVISOR, command}).out;
}

std::set<std::string> matches(const std::string& text, const std::string& pattern) {
    const std::regex compiled(pattern);
    std::set<std::string> found;
    for (std::sregex_iterator match(text.begin(), text.end(), compiled), end; match != end; ++match)
        found.insert(match->str());
    return found;
}

std::vector<std::string> profile_paths() {
    std::vector<std::string> paths;
    for (const auto& entry : fs::recursive_directory_iterator(in_source("images/profiles"))) {
        if (entry.is_regular_file()) paths.push_back(fs::relative(entry.path(), in_source("")).string());
    }
    return paths;
}

// Names that look like options of ours and are not: the official image's, and the images' own build.
const std::set<std::string> kOtherNames = {"DOCKERD_INITIAL_WAIT_SECS"};

void expect_known_variables(const std::string& path, const std::string& reference) {
    for (const auto& name : matches(file_text(in_source(path)), R"(\b(GOCD|DOCKERD)_[A-Z_]+[A-Z]\b)")) {
        EXPECT_TRUE(reference.find("`" + name + "`") != std::string::npos || kOtherNames.contains(name))
            << path << " names " << name << ", which no option has";
    }
}

TEST(Names, VariablesInPagesAreOptions) {
    const std::string reference = said("reference");
    for (const auto& path : page_paths()) expect_known_variables(path, reference);
}

TEST(Names, VariablesInProfilesAreOptions) {
    const std::string reference = said("reference");
    for (const auto& path : profile_paths()) expect_known_variables(path, reference);
}

TEST(Names, GeneratedPartsAreUpToDate) {
    const auto checked = run_command({in_source("docs/generate"), "--check", SUPERVISOR});
    EXPECT_TRUE(checked.ok()) << checked.err;
}

TEST(Names, ExitCodesOfTheHelpAreInReadmeAndManual) {
    const std::string help = said("help");
    const std::string readme = file_text(in_source("README.md"));
    const std::string manual = file_text(in_source("docs/gocd-supervisor.1"));
    const auto codes = matches(help.substr(help.find("Exit codes")), R"(\n  (\d+)\b)");
    ASSERT_GE(codes.size(), 5U);
    for (auto code : codes) {
        code = test_support::trimmed(code.substr(3));
        EXPECT_THAT(readme, HasSubstr("| " + code)) << "README.md lacks exit code " << code;
        EXPECT_THAT(manual, ::testing::ContainsRegex("\\.BR? " + code))
            << "the manual lacks exit code " << code;
    }
}

TEST(Names, CommandsOfTheHelpAreInTheManual) {
    const std::string help = said("help");
    const std::string commands =
        help.substr(help.find("Commands\n"), help.find("\nGeneral\n") - help.find("Commands\n"));
    const std::string manual = file_text(in_source("docs/gocd-supervisor.1"));
    for (const auto& name : matches(commands, R"(\n  [a-z]+)"))
        EXPECT_THAT(manual, HasSubstr(name.substr(3))) << "the manual lacks the command " << name.substr(3);
}

// All C++ sources as one text, with literals that were broken over lines put together again.
std::string sources() {
    std::string text;
    for (const auto& entry : fs::recursive_directory_iterator(in_source("supervisor"))) {
        if (entry.path().extension() == ".cpp") text += file_text(entry.path().string());
    }
    return std::regex_replace(text, std::regex("\"\\s*\\n\\s*\""), "");
}

// Third cell of a row is the fix, the second what we say: `constant part` … `another`.
TEST(Names, MessagesInTroubleshootingAreInTheSources) {
    const std::string all = sources();
    int messages = 0;
    for (const auto& line : test_support::lines(file_text(in_source("docs/troubleshooting.md")))) {
        static const std::regex row(R"(^\| (.*) \| ((?:`[^`]*`(?: … )?)+) \| .*\|$)");
        std::smatch cells;
        if (!std::regex_match(line, cells, row)) continue;
        const std::string cell = cells[2];
        for (const auto& quoted : matches(cell, "`[^`]+`")) {
            ++messages;
            EXPECT_NE(all.find(quoted.substr(1, quoted.size() - 2)), std::string::npos)
                << "nothing says " << quoted;
        }
    }
    EXPECT_GT(messages, 25);
}

}  // namespace
}  // namespace docs_test
