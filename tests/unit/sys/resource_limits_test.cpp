#include "sys/resource_limits.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>

namespace supervisor::sys {
namespace {

TEST(ResourceLimits, AreTheHardOnesOfThisProcess) {
    rlimit open_files{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &open_files), 0);
    const auto limits = own_hard_limits();
    const auto found = std::find_if(limits.begin(), limits.end(),
                                    [](const HardLimit& limit) { return limit.name == "nofile"; });
    ASSERT_NE(found, limits.end());
    EXPECT_EQ(found->value, open_files.rlim_max == RLIM_INFINITY ? kNoLimit : open_files.rlim_max);
    EXPECT_EQ(limits.size(), 16U);
}

}  // namespace
}  // namespace supervisor::sys
