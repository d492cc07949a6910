// Each page: its commands, its links.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <regex>
#include <set>

#include "docs/page.hpp"
#include "docs/sandbox.hpp"
#include "support/command.hpp"
#include "support/docker.hpp"

namespace docs_test {
namespace {

namespace fs = std::filesystem;
using test_support::run_command;

class Pages : public ::testing::TestWithParam<std::string> {
  protected:
    const Page page_ = load_page(GetParam());

    [[nodiscard]] std::string place(const Block& block) const {
        return page_.path + ":" + std::to_string(block.line);
    }
};

bool is_for_a_shell(const Block& block) {
    return block.language == "sh" || block.language == "bash" || block.language == "console";
}

// Options that a script of ours says it has, in its own help or in its head.
std::set<std::string> options_of(const std::string& script) {
    static const std::regex option(R"(--[a-z][a-z0-9-]*)");
    const std::string text = file_text(in_source(script));
    std::set<std::string> options;
    for (std::sregex_iterator match(text.begin(), text.end(), option), end; match != end; ++match)
        options.insert(match->str());
    return options;
}

// "./images/build dind --tag T": the options behind a script of ours, up to the end of the line.
void expect_known_options(const std::string& line, const std::string& place) {
    static const std::regex call(
        R"((images/build|images/up|tests/run|docs/generate|tests/support/engine)\b([^#|]*))");
    static const std::regex option(R"(--[a-z][a-z0-9-]*)");
    std::smatch found;
    if (!std::regex_search(line, found, call)) return;
    const auto known = options_of(found[1]);
    const std::string words = found[2];
    for (std::sregex_iterator match(words.begin(), words.end(), option), end; match != end; ++match)
        EXPECT_TRUE(known.contains(match->str()))
            << place << ": " << found[1] << " has no option " << match->str();
}

TEST_P(Pages, EveryCommandSaysHowItIsTested) {
    for (const auto& block : page_.blocks) {
        if (is_for_a_shell(block)) {
            EXPECT_TRUE(block.runs() || block.excused())
                << place(block) << ": a block for the shell needs \"test\" or \"syntax (REASON)\", not \""
                << block.mark << "\"";
        } else {
            EXPECT_TRUE(block.mark.empty() || block.mark == "test")
                << place(block) << ": unknown mark " << block.mark;
        }
    }
}

TEST_P(Pages, CommandsAreRightForTheShell) {
    for (const auto& block : page_.blocks) {
        if (!is_for_a_shell(block)) continue;
        const auto checked = run_command({"bash", "-n", "-c", block.text});
        EXPECT_TRUE(checked.ok()) << place(block) << ": " << checked.err;
        for (const auto& line : test_support::lines(block.text)) expect_known_options(line, place(block));
    }
}

TEST_P(Pages, LinksLeadSomewhere) {
    for (const auto& link : page_.links) {
        if (link.find("://") != std::string::npos || link.starts_with("mailto:")) continue;
        const auto hash = link.find('#');
        const std::string file = link.substr(0, hash);
        const fs::path target = file.empty() ? fs::path(page_.path)
                                             : (fs::path(page_.path).parent_path() / file).lexically_normal();
        ASSERT_TRUE(fs::exists(in_source(target.string()))) << page_.path << " links to " << link;
        if (hash == std::string::npos) continue;
        const auto headings = load_page(target.string()).headings;
        EXPECT_NE(std::find(headings.begin(), headings.end(), link.substr(hash + 1)), headings.end())
            << page_.path << " links to " << link << ", a heading that is not there";
    }
}

TEST_P(Pages, JsonIsJson) {
    for (const auto& block : page_.blocks) {
        if (block.language != "json") continue;
        const auto parsed = run_command({"jq", "empty"}, {.input = block.text, .environment = {}});
        EXPECT_TRUE(parsed.ok()) << place(block) << ": " << parsed.err;
    }
}

TEST_P(Pages, CommandsWork) {
    const auto& blocks = page_.blocks;
    if (std::none_of(blocks.begin(), blocks.end(), [](const Block& block) { return block.runs(); })) return;
    if (const auto problem = test_support::engine_problem(); !problem.empty()) GTEST_SKIP() << problem;
    if (!test_support::docker({"image", "inspect", with_tested_image("gocd-agent-dind:dev")}).ok())
        GTEST_SKIP() << "the image under test is not there: run tests/e2e/prepare, or tests/run docs";
    const Sandbox sandbox(page_);
    for (const auto& block : blocks) {
        if (!block.runs()) continue;
        const auto result = block.language == "dockerfile" ? sandbox.build(block) : sandbox.run(block);
        ASSERT_TRUE(result.ok()) << place(block) << "\n" << block.text << result.text();
    }
}

std::string test_name(const ::testing::TestParamInfo<std::string>& info) {
    std::string name = info.param;
    std::replace_if(
        name.begin(), name.end(), [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; },
        '_');
    return name;
}

INSTANTIATE_TEST_SUITE_P(All, Pages, ::testing::ValuesIn(page_paths()), test_name);

}  // namespace
}  // namespace docs_test
