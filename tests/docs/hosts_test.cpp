// docs/hosts.md lists every known way in which a host fails an engine, and the tests of what is done about
// it.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <regex>
#include <set>

#include "docs/page.hpp"
#include "support/command.hpp"

namespace docs_test {
namespace {

namespace fs = std::filesystem;

// Entries of each part of the catalogue.
const std::map<char, int> kEntries = {{'A', 20}, {'B', 12}, {'C', 5}, {'D', 11},
                                      {'E', 13}, {'F', 7},  {'G', 5}, {'H', 4}};

struct Row {
    std::string text;
    std::set<std::string> tests;
};

std::map<std::string, Row> rows_of(const std::string& page) {
    static const std::regex entry(R"(^\| ([A-H]-\d+) \|)");
    static const std::regex test(R"(`([A-Z]\w+\.\w+)`)");
    std::map<std::string, Row> rows;
    for (const auto& line : test_support::lines(page)) {
        std::smatch found;
        if (!std::regex_search(line, found, entry)) continue;
        Row& row = rows[found[1]];
        EXPECT_TRUE(row.text.empty()) << found[1] << " is there twice";
        row.text = line;
        for (std::sregex_iterator match(line.begin(), line.end(), test), end; match != end; ++match)
            row.tests.insert((*match)[1]);
    }
    return rows;
}

// "Suite.Name" of every test in the sources.
std::set<std::string> tests_in_sources() {
    static const std::regex declared(R"(TEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\))");
    std::set<std::string> tests;
    for (const auto& file : fs::recursive_directory_iterator(in_source("tests"))) {
        if (file.path().extension() != ".cpp") continue;
        const std::string text = file_text(file.path());
        for (std::sregex_iterator match(text.begin(), text.end(), declared), end; match != end; ++match)
            tests.insert((*match)[1].str() + "." + (*match)[2].str());
    }
    return tests;
}

// "A-1" in "StoragePlan.A1_Overlay…", also behind another entry.
bool named_after(const std::string& test, std::string entry) {
    entry.erase(entry.find('-'), 1);
    return std::regex_search(test, std::regex("[._]" + entry + "_"));
}

TEST(Hosts, EveryEntryOfTheCatalogueHasARow) {
    const auto rows = rows_of(file_text(in_source("docs/hosts.md")));
    std::size_t expected = 0;
    for (const auto& [part, count] : kEntries) {
        for (int number = 1; number <= count; ++number)
            EXPECT_TRUE(rows.contains(std::string(1, part) + "-" + std::to_string(number))) << part << number;
        expected += static_cast<std::size_t>(count);
    }
    EXPECT_EQ(rows.size(), expected);
}

TEST(Hosts, EveryTestThatARowNamesExists) {
    const auto tests = tests_in_sources();
    ASSERT_GT(tests.size(), 500U);
    for (const auto& [entry, row] : rows_of(file_text(in_source("docs/hosts.md")))) {
        for (const auto& test : row.tests) EXPECT_TRUE(tests.contains(test)) << entry << ": " << test;
    }
}

TEST(Hosts, EveryDecisionHasATestNamedAfterItsEntry) {
    for (const auto& [entry, row] : rows_of(file_text(in_source("docs/hosts.md")))) {
        if (row.text.find("| no decision: ") != std::string::npos) continue;
        bool found = false;
        for (const auto& test : row.tests) found = found || named_after(test, entry);
        EXPECT_TRUE(found) << entry << ": " << row.text;
    }
}

}  // namespace
}  // namespace docs_test
