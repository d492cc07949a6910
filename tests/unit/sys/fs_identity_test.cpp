#include "sys/fs_identity.hpp"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "sys/files.hpp"

namespace supervisor::sys {
namespace {

TEST(FsIdentity, OfTheProcessItselfIsAlwaysPossible) {
    EXPECT_TRUE(FsIdentity::take(geteuid(), getegid()));
}

TEST(FsIdentity, CreatesAndIsRefusedAsSomebodyElseAndEnds) {
    if (geteuid() != 0) GTEST_SKIP() << "needs root, to become somebody else";
    std::string pattern = testing::TempDir() + "identityXXXXXX";
    const std::string directory = mkdtemp(pattern.data());
    std::filesystem::permissions(directory, std::filesystem::perms(0777));
    ASSERT_TRUE(replace_file(directory + "/roots", "x", 0600));
    const int dumpable = prctl(PR_GET_DUMPABLE);
    {
        const auto identity = FsIdentity::take(1234, 5678);
        ASSERT_TRUE(identity);
        EXPECT_FALSE(read_file(directory + "/roots"));
        EXPECT_TRUE(replace_file(directory + "/theirs", "y", 0600));
    }
    struct stat status = {};
    ASSERT_EQ(stat((directory + "/theirs").c_str(), &status), 0);
    EXPECT_EQ(status.st_uid, 1234U);
    EXPECT_EQ(status.st_gid, 5678U);
    EXPECT_TRUE(read_file(directory + "/roots"));
    EXPECT_EQ(prctl(PR_GET_DUMPABLE), dumpable);
    std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace supervisor::sys
