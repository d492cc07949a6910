#include "sys/directory_watch.hpp"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "sys/files.hpp"

namespace supervisor::sys {
namespace {

using testing::IsEmpty;
using testing::UnorderedElementsAre;

TEST(DirectoryWatch, NamesWhatWasWrittenReplacedOrRemoved) {
    std::string pattern = testing::TempDir() + "watchXXXXXX";
    const std::string directory = mkdtemp(pattern.data());
    const auto watch = watch_directory(directory);
    ASSERT_TRUE(watch) << watch.error().message();
    EXPECT_THAT(take_changes(watch->get()), IsEmpty());
    std::ofstream(directory + "/written") << "x";
    EXPECT_THAT(take_changes(watch->get()), UnorderedElementsAre("written"));
    ASSERT_TRUE(replace_file(directory + "/written", "y", 0600));
    EXPECT_TRUE(take_changes(watch->get()).contains("written"));
    ASSERT_TRUE(remove_file(directory + "/written"));
    EXPECT_THAT(take_changes(watch->get()), UnorderedElementsAre("written"));
    std::filesystem::remove_all(directory);
}

TEST(DirectoryWatch, NamesADirectoryThatIsNotThere) {
    EXPECT_FALSE(watch_directory("/nowhere/at/all"));
}

}  // namespace
}  // namespace supervisor::sys
