#include <gtest/gtest.h>

#include "host/containment_facts.hpp"

namespace supervisor::host {
namespace {

TEST(IdMap, ReadsTheKernelsColumns) {
    const auto map = parse_id_map("         0          0 4294967295\n");
    ASSERT_EQ(map.size(), 1U);
    EXPECT_EQ(map[0].count, 4294967295U);
}

TEST(IdMap, SkipsWhatItDoesNotUnderstand) {
    const auto map = parse_id_map("0 100000 65536\nx y z\n65536 1000000 10\n");
    ASSERT_EQ(map.size(), 2U);
    EXPECT_EQ(map[1].inside, 65536U);
    EXPECT_EQ(map[1].outside, 1000000U);
}

}  // namespace
}  // namespace supervisor::host
