#include "sys/directory_lock.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

namespace supervisor::sys {
namespace {

TEST(DirectoryLock, IsHeldByOneAndGoneWithItsDescriptor) {
    std::string pattern = testing::TempDir() + "lockXXXXXX";
    const std::string directory = mkdtemp(pattern.data());
    auto first = lock_directory(directory);
    ASSERT_TRUE(first && *first);
    auto second = lock_directory(directory);
    ASSERT_TRUE(second);
    EXPECT_FALSE(*second);
    (*first)->reset();
    auto third = lock_directory(directory);
    ASSERT_TRUE(third);
    EXPECT_TRUE(*third);
    EXPECT_FALSE(lock_directory(directory + "/none"));
    std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace supervisor::sys
