#include "base/strings.hpp"

#include <gtest/gtest.h>

namespace supervisor {
namespace {

using std::chrono::milliseconds;

TEST(FindText, FindsTheFirstOneWhereverItStands) {
    for (const std::string part :
         {"x", "xy", "gocd-0123456789-", "a part of forty bytes that overlaps blocks"}) {
        for (std::size_t at = 0; at < 150; ++at) {
            for (const std::size_t behind : {0, 1, 31, 200}) {
                const auto text = std::string(at, '.') + part + std::string(behind, '.') + part;
                EXPECT_EQ(find_text(text, part), at) << part << " before " << behind;
            }
        }
    }
}

TEST(FindText, IsNotMisledByWhatFitsAtBothEndsOnly) {
    const std::string almost = "gocd-0000000000-";
    const std::string part = "gocd-0123456789-";
    std::string text;
    for (int i = 0; i < 20; ++i) text += almost + std::string(static_cast<std::size_t>(i), 'g');
    EXPECT_EQ(find_text(text, part), std::string::npos);
    EXPECT_EQ(find_text(text + part, part), text.size());
    EXPECT_EQ(find_text(part.substr(1), part), std::string::npos);
    EXPECT_EQ(find_text("", part), std::string::npos);
    EXPECT_EQ(find_text(text, ""), 0U);
}

TEST(ParseDuration, AcceptsUnitsAndTakesSecondsWithoutOne) {
    EXPECT_EQ(parse_duration("30").value(), milliseconds(30'000));
    EXPECT_EQ(parse_duration("1.5s").value(), milliseconds(1'500));
    EXPECT_EQ(parse_duration("250ms").value(), milliseconds(250));
    EXPECT_EQ(parse_duration("2m").value(), milliseconds(120'000));
    EXPECT_EQ(parse_duration("1h").value(), milliseconds(3'600'000));
}

TEST(ParseDuration, RefusesWhatIsNotADurationAndNamesIt) {
    for (const char* text : {"", "s", "1 s", "-1", "1d", "1e9h", "0x10", "1s2"}) {
        const auto result = parse_duration(text);
        ASSERT_FALSE(result) << text;
        EXPECT_NE(result.error().message().find(text), std::string::npos);
    }
}

TEST(ParseSize, CountsInPowersOf1024) {
    EXPECT_EQ(parse_size("0").value(), 0U);
    EXPECT_EQ(parse_size("512k").value(), 524'288U);
    EXPECT_EQ(parse_size("4G").value(), 4ULL << 30U);
    EXPECT_EQ(parse_size("1.5GiB").value(), 3ULL << 29U);
    EXPECT_EQ(parse_size("10b").value(), 10U);
    EXPECT_EQ(parse_size("2Mb").value(), 2ULL << 20U);
}

TEST(ParseSize, RefusesWhatIsNotASize) {
    for (const char* text : {"", "g", "-1", "1 g", "1x", "1gg", "99999999T"})
        EXPECT_FALSE(parse_size(text)) << text;
}

TEST(ParseUnsigned, RefusesSignsBlanksAndOverflow) {
    EXPECT_EQ(parse_unsigned("18446744073709551615").value(), UINT64_MAX);
    for (const char* text : {"", "+1", "-1", " 1", "1 ", "18446744073709551616"}) {
        EXPECT_FALSE(parse_unsigned(text)) << text;
    }
    EXPECT_FALSE(parse_unsigned("11", 10));
}

TEST(Split, KeepsEmptyPieces) {
    EXPECT_EQ(split("a::b:", ':'), (std::vector<std::string_view>{"a", "", "b", ""}));
    EXPECT_EQ(split("", ':').size(), 1U);
}

TEST(SplitLines, TakesALastLineWithoutNewline) {
    EXPECT_EQ(split_lines("a\n\nb"), (std::vector<std::string_view>{"a", "", "b"}));
    EXPECT_TRUE(split_lines("").empty());
    EXPECT_EQ(split_lines("a\n").size(), 1U);
}

TEST(Printable, ShowsControlCharactersAndCutsLongText) {
    EXPECT_EQ(printable("a\nb\t\x1b["), "a\\nb\\t\\x1b[");
    EXPECT_EQ(printable("abcdef", 3), "abc…");
}

TEST(Format, IsForPeople) {
    EXPECT_EQ(format_duration(milliseconds(380)), "380 ms");
    EXPECT_EQ(format_duration(milliseconds(1'400)), "1.4 s");
    EXPECT_EQ(format_duration(milliseconds(125'000)), "2 min 5 s");
    EXPECT_EQ(format_size(1536), "1.5 KiB");
    EXPECT_EQ(format_size(12), "12 B");
}

}  // namespace
}  // namespace supervisor
