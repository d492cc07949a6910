// The reader of pages itself.
#include "docs/page.hpp"

#include <gmock/gmock.h>

namespace docs_test {
namespace {

using ::testing::ElementsAre;

TEST(Page, BlocksHaveLanguageMarkAndText) {
    const Page page = parse_page("p.md", "# One\n\n```sh test\necho a\necho b\n```\n\n```json\n{}\n```\n");
    ASSERT_EQ(page.blocks.size(), 2U);
    EXPECT_EQ(page.blocks[0].line, 3);
    EXPECT_EQ(page.blocks[0].language, "sh");
    EXPECT_TRUE(page.blocks[0].runs());
    EXPECT_EQ(page.blocks[0].text, "echo a\necho b\n");
    EXPECT_EQ(page.blocks[1].language, "json");
    EXPECT_FALSE(page.blocks[1].runs());
}

TEST(Page, OnlyAReasonExcusesABlockFromRunning) {
    const auto block = [](const std::string& info) {
        return parse_page("p.md", "```" + info + "\n```\n").blocks.at(0);
    };
    EXPECT_TRUE(block("sh syntax (needs a registry)").excused());
    EXPECT_FALSE(block("sh syntax").excused());
    EXPECT_FALSE(block("sh").excused());
    EXPECT_FALSE(block("sh").runs());
}

TEST(Page, LinksAndCodeCountOutsideOfBlocksOnly) {
    const Page page = parse_page("p.md", "See [a](b.md#c) and `d`.\n```sh test\necho '[x](y)' `date`\n```\n");
    EXPECT_THAT(page.links, ElementsAre("b.md#c"));
    EXPECT_THAT(page.code, ElementsAre("d"));
}

TEST(Page, HeadingsBecomeAnchors) {
    EXPECT_THAT(parse_page("p.md", "## Exit codes\n### GoCD's `x`, and more\n").headings,
                ElementsAre("exit-codes", "gocds-x-and-more"));
}

}  // namespace
}  // namespace docs_test
