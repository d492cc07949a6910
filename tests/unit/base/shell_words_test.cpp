#include "base/shell_words.hpp"

#include <gtest/gtest.h>

namespace supervisor {
namespace {

using Words = std::vector<std::string>;

TEST(ShellWords, SplitsAtBlanksAndKeepsQuotedOnes) {
    EXPECT_EQ(split_shell_words("  --mtu 1400\t--label 'a b' ").value(),
              (Words{"--mtu", "1400", "--label", "a b"}));
    EXPECT_EQ(split_shell_words(R"(a"b c"d\ e)").value(), (Words{"ab cd e"}));
    EXPECT_EQ(split_shell_words(R"("say \"hi\" \n")").value(), (Words{"say \"hi\" \\n"}));
    EXPECT_EQ(split_shell_words("a\\\nb").value(), (Words{"ab"}));
    EXPECT_EQ(split_shell_words("'' \"\"").value(), (Words{"", ""}));
    EXPECT_TRUE(split_shell_words(" ").value().empty());
}

TEST(ShellWords, EvaluatesNothing) {
    EXPECT_EQ(split_shell_words("$(reboot) `id` *.jar $HOME ; > x").value(),
              (Words{"$(reboot)", "`id`", "*.jar", "$HOME", ";", ">", "x"}));
}

TEST(ShellWords, RefusesOpenQuotes) {
    for (const char* line : {"'a", "\"a", "a \\"}) EXPECT_FALSE(split_shell_words(line)) << line;
}

}  // namespace
}  // namespace supervisor
