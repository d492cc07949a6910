#include "sys/paths.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

namespace supervisor::sys {
namespace {

class LetOthersPass : public testing::Test {
  protected:
    LetOthersPass() {
        char pattern[] = "/tmp/paths-XXXXXX";
        directory_ = ::mkdtemp(pattern);
    }
    ~LetOthersPass() override { (void)::rmdir(directory_.c_str()); }

    mode_t mode() const {
        struct stat status = {};
        return ::stat(directory_.c_str(), &status) == 0 ? status.st_mode & 07777U : 0;
    }

    std::string directory_;
};

TEST_F(LetOthersPass, AddsTheRightToPassAndNoOther) {
    ASSERT_EQ(::chmod(directory_.c_str(), 0710), 0);
    let_others_pass(directory_);
    EXPECT_EQ(mode(), 0711U);
}

TEST_F(LetOthersPass, LeavesADirectoryAloneThatHasItAlready) {
    ASSERT_EQ(::chmod(directory_.c_str(), 01755), 0);
    let_others_pass(directory_);
    EXPECT_EQ(mode(), 01755U);
}

TEST_F(LetOthersPass, DoesNotFollowALink) {
    ASSERT_EQ(::chmod(directory_.c_str(), 0700), 0);
    const std::string link = directory_ + "-link";
    ASSERT_EQ(::symlink(directory_.c_str(), link.c_str()), 0);
    let_others_pass(link);
    EXPECT_EQ(mode(), 0700U);
    (void)::unlink(link.c_str());
}

}  // namespace
}  // namespace supervisor::sys
