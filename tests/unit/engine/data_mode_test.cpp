#include "engine/data_mode.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "sys/files.hpp"

namespace supervisor::engine {
namespace {

using testing::HasSubstr;

TEST(DataPlace, AContainedEngineHasItsOwn) {
    EXPECT_EQ(choose_data_place("/d", ContainmentMode::Userns, false, false).directory, "/d/userns");
}

TEST(DataPlace, OthersShareThePlainOne) {
    EXPECT_EQ(choose_data_place("/d", ContainmentMode::Caps, false, false).directory, "/d");
    EXPECT_EQ(choose_data_place("/d", ContainmentMode::Off, true, false).directory, "/d");
}

TEST(DataPlace, SaysThatOtherDataStays) {
    const auto fresh = choose_data_place("/d", ContainmentMode::Userns, true, false);
    EXPECT_THAT(fresh.note, HasSubstr("/d holds data of an engine without a user namespace"));
    EXPECT_THAT(fresh.note, HasSubstr("starts empty in /d/userns"));
    const auto back = choose_data_place("/d", ContainmentMode::Off, true, true);
    EXPECT_THAT(back.note, HasSubstr("/d/userns holds data of an engine in a user namespace"));
    EXPECT_THAT(back.note, HasSubstr("goes on with its own in /d"));
}

TEST(DataPlace, IsSilentWhereThereIsNothingElse) {
    EXPECT_EQ(choose_data_place("/d", ContainmentMode::Userns, false, true).note, "");
    EXPECT_EQ(choose_data_place("/d", ContainmentMode::Off, true, false).note, "");
}

TEST(DataPlace, FindsAnEnginesTraces) {
    char pattern[] = "/tmp/data-place-XXXXXX";
    const std::string root = ::mkdtemp(pattern);
    EXPECT_EQ(find_data_place(root, ContainmentMode::Userns).note, "");
    (void)sys::make_directories(root + "/overlay2");
    EXPECT_THAT(find_data_place(root, ContainmentMode::Userns).note, HasSubstr("stays as it is"));
    (void)sys::remove_tree(root);
}

}  // namespace
}  // namespace supervisor::engine
