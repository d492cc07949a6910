#include "sys/files.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace supervisor::sys {
namespace {

class FilesTest : public testing::Test {
  protected:
    FilesTest() {
        char name[] = "/tmp/files-test-XXXXXX";
        root = ::mkdtemp(name);
    }
    ~FilesTest() override { EXPECT_TRUE(remove_tree(root)); }
    std::string root;
};

TEST_F(FilesTest, ReplaceFileLeavesNoTemporaryFileAndSetsTheMode) {
    const std::string path = root + "/a";
    ASSERT_TRUE(replace_file(path, "one", 0644));
    ASSERT_TRUE(replace_file(path, "two", 0600));
    EXPECT_EQ(read_file(path).value(), "two");
    struct stat status {};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777U, 0600U);
    EXPECT_EQ(list_directory(root).value(), std::vector<std::string>{"a"});
}

TEST_F(FilesTest, ReplaceFileDoesNotWriteThroughALink) {
    ASSERT_TRUE(replace_file(root + "/target", "kept", 0644));
    ASSERT_EQ(::symlink((root + "/target").c_str(), (root + "/link").c_str()), 0);
    ASSERT_TRUE(replace_file(root + "/link", "new", 0644));
    EXPECT_EQ(read_file(root + "/target").value(), "kept");
}

TEST_F(FilesTest, ReadFileRefusesWhatIsTooLarge) {
    ASSERT_TRUE(replace_file(root + "/big", std::string(100, 'x'), 0644));
    EXPECT_EQ(read_file(root + "/big", 99).error().code(), EFBIG);
    EXPECT_TRUE(read_file(root + "/big", 100));
}

TEST_F(FilesTest, WriteExistingNeverCreates) {
    EXPECT_EQ(write_existing(root + "/none", "x").error().code(), ENOENT);
    EXPECT_FALSE(exists(root + "/none"));
}

TEST_F(FilesTest, MakeDirectoriesAcceptsWhatIsThereAndNamesAFileInTheWay) {
    ASSERT_TRUE(make_directories(root + "/a/b/c"));
    ASSERT_TRUE(make_directories(root + "/a/b/c"));
    ASSERT_TRUE(replace_file(root + "/file", "", 0644));
    const auto result = make_directories(root + "/file/x");
    ASSERT_FALSE(result);
    EXPECT_NE(result.error().message().find("/file"), std::string::npos);
}

TEST_F(FilesTest, RemoveTreeDoesNotFollowLinks) {
    ASSERT_TRUE(make_directories(root + "/outside"));
    ASSERT_TRUE(replace_file(root + "/outside/kept", "", 0644));
    ASSERT_TRUE(make_directories(root + "/tree/deep"));
    ASSERT_EQ(::symlink("../../outside", (root + "/tree/deep/link").c_str()), 0);
    ASSERT_TRUE(remove_tree(root + "/tree"));
    EXPECT_TRUE(exists(root + "/outside/kept"));
    EXPECT_FALSE(exists(root + "/tree"));
    EXPECT_TRUE(remove_tree(root + "/tree"));
}

}  // namespace
}  // namespace supervisor::sys
