#include "engine/data_directory.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstdint>
#include <fstream>

#include "sys/files.hpp"

namespace supervisor::engine {
namespace {

using std::chrono::seconds;
using std::chrono::system_clock;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct DataDirectoryTest : ::testing::Test {
    DataDirectoryTest() { root = ::mkdtemp(name); }
    ~DataDirectoryTest() override { (void)sys::remove_tree(root); }
    void file(const std::string& path, const std::string& text) const {
        const auto full = root + "/" + path;
        (void)sys::make_directories(full.substr(0, full.find_last_of('/')));
        std::ofstream(full, std::ios::binary) << text;
    }
    Result<Repairs> repair() const {
        return repair_leftovers(root + "/data", root + "/exec", system_clock::time_point(seconds(77)));
    }
    char name[32] = "/tmp/data-directory-XXXXXX";
    std::string root;
};

TEST_F(DataDirectoryTest, A7_SecondHolderIsToldWhoTheFirstIs) {
    const auto first = DataDirectory::lock(root + "/data", "agent-1, since then");
    ASSERT_TRUE(first) << first.error().message();
    const auto second = DataDirectory::lock(root + "/data", "agent-2");
    ASSERT_FALSE(second);
    EXPECT_THAT(second.error().message(), HasSubstr("in use by agent-1, since then"));
    EXPECT_THAT(second.error().message(), HasSubstr("--data-pool"));
}

TEST_F(DataDirectoryTest, IsFreeAgainWhenItsHolderIsGone) {
    { ASSERT_TRUE(DataDirectory::lock(root + "/data", "one")); }
    EXPECT_TRUE(DataDirectory::lock(root + "/data", "two"));
}

TEST_F(DataDirectoryTest, HolderSaysWhoAndSinceWhen) {
    EXPECT_EQ(describe_holder("agent-7", system_clock::time_point(seconds(0))),
              "agent-7, since 1970-01-01T00:00:00Z");
}

TEST_F(DataDirectoryTest, PoolGivesTheFirstFreeSlot) {
    const auto pool = root + "/pool";
    auto first = take_pool_slot(pool, 8, "one");
    ASSERT_TRUE(first) << first.error().message();
    const auto second = take_pool_slot(pool, 8, "two");
    ASSERT_TRUE(second);
    EXPECT_THAT(first->directory.path(), EndsWith("/slot-0"));
    EXPECT_THAT(second->directory.path(), EndsWith("/slot-1"));
    first = fail("gone");
    EXPECT_THAT(take_pool_slot(pool, 8, "three")->directory.path(), EndsWith("/slot-0"));
}

TEST_F(DataDirectoryTest, PoolDiscardsFreeSlotsBeyondItsSize) {
    const auto pool = root + "/pool";
    {
        const auto a = take_pool_slot(pool, 8, "a");
        const auto b = take_pool_slot(pool, 8, "b");
        const auto c = take_pool_slot(pool, 8, "c");
        ASSERT_TRUE(a && b && c);
    }
    const auto again = take_pool_slot(pool, 2, "again");
    ASSERT_TRUE(again);
    ASSERT_EQ(again->discarded.size(), 1U);
    EXPECT_THAT(again->discarded[0], HasSubstr("/discarded-slot-"));
    EXPECT_EQ(sys::list_directory(pool)->size(), 3U);  // two slots and the discarded one
}

TEST_F(DataDirectoryTest, PoolNeverDiscardsASlotInUse) {
    const auto pool = root + "/pool";
    const auto a = take_pool_slot(pool, 1, "a");
    const auto b = take_pool_slot(pool, 1, "b");
    ASSERT_TRUE(a && b);
    EXPECT_THAT(b->discarded, IsEmpty());
}

TEST_F(DataDirectoryTest, E1_E2_E4_StalePidFilesAndSocketsAreRemoved) {
    file("exec/containerd/containerd.pid", "1\n");
    file("exec/containerd/containerd.sock", "");
    file("exec/netns/abc", "");
    const auto repairs = repair();
    ASSERT_TRUE(repairs) << repairs.error().message();
    EXPECT_THAT(repairs->removed, ElementsAre(root + "/exec/containerd", root + "/exec/netns"));
    EXPECT_FALSE(sys::exists(root + "/exec/containerd"));
}

TEST_F(DataDirectoryTest, A8_BrokenNetworkDatabaseIsSetAsideAndNamed) {
    file("data/network/files/local-kv.db", std::string(32768, 'x'));
    const auto repairs = repair();
    ASSERT_TRUE(repairs);
    EXPECT_THAT(repairs->set_aside, ElementsAre(root + "/data/network/files/local-kv.db.broken-77"));
    EXPECT_FALSE(sys::exists(root + "/data/network/files/local-kv.db"));
    EXPECT_TRUE(sys::exists(root + "/data/network/files/local-kv.db.broken-77"));
}

TEST_F(DataDirectoryTest, A8_EmptyDatabaseIsSetAsideToo) {
    file("data/volumes/metadata.db", "");
    EXPECT_THAT(repair()->set_aside, ElementsAre(EndsWith("/volumes/metadata.db.broken-77")));
}

TEST_F(DataDirectoryTest, BrokenListOfImageNamesIsSetAside) {
    file("data/image/overlay2/repositories.json", "{\"Repositories\":");
    file("data/image/vfs/repositories.json", "{}");
    EXPECT_THAT(repair()->set_aside, ElementsAre(EndsWith("/image/overlay2/repositories.json.broken-77")));
}

// A database as bbolt writes it: page header, meta, checksum.
std::string bolt_file(std::uint64_t pages, std::uint32_t page_size = 4096) {
    std::string meta(56, '\0');
    auto put = [&](std::size_t at, std::uint64_t value, int bytes) {
        for (int i = 0; i < bytes; ++i)
            meta[at + static_cast<std::size_t>(i)] = static_cast<char>(value >> 8 * i);
    };
    put(0, 0xED0CDAED, 4);
    put(4, 2, 4);
    put(8, page_size, 4);
    put(40, pages, 8);
    std::uint64_t sum = 0xcbf29ce484222325;
    for (const char c : meta) sum = (sum ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    for (int i = 0; i < 8; ++i) meta += static_cast<char>(sum >> 8 * i);
    std::string text(pages * page_size, '\0');
    text.replace(16, meta.size(), meta);
    text.replace(page_size + 16, meta.size(), meta);
    return text;
}

TEST(BoltDatabase, IntactWithEitherMetaPage) {
    auto text = bolt_file(8);
    EXPECT_TRUE(is_intact_bolt_database(text, text.size()));
    text[20] = 'x';  // the first one
    EXPECT_TRUE(is_intact_bolt_database(text, text.size()));
    text[4096 + 20] = 'x';
    EXPECT_FALSE(is_intact_bolt_database(text, text.size()));
}

TEST(BoltDatabase, KnowsOtherPageSizes) {
    auto text = bolt_file(4, 16384);
    text[20] = 'x';
    EXPECT_TRUE(is_intact_bolt_database(text, text.size()));
}

TEST(BoltDatabase, TruncatedIsNotIntact) {
    const auto text = bolt_file(8);
    EXPECT_FALSE(is_intact_bolt_database(text, text.size() - 4096));
    EXPECT_FALSE(is_intact_bolt_database("", 0));
}

TEST(Watermark, PrunesBuildCacheThenImagesThenGivesUp) {
    const DiskUse full{100, 10};
    EXPECT_EQ(next_prune_step(full, 85, PruneStep::None), PruneStep::BuildCache);
    EXPECT_EQ(next_prune_step(full, 85, PruneStep::BuildCache), PruneStep::UnusedImages);
    EXPECT_EQ(next_prune_step(full, 85, PruneStep::UnusedImages), PruneStep::None);
}

TEST(Watermark, LeavesADiskWithRoomAlone) {
    EXPECT_EQ(next_prune_step({100, 16}, 85, PruneStep::None), PruneStep::None);
    EXPECT_EQ(next_prune_step({100, 15}, 85, PruneStep::None), PruneStep::BuildCache);
    EXPECT_EQ(next_prune_step({100, 0}, 0, PruneStep::None), PruneStep::None);
    EXPECT_EQ(next_prune_step({0, 0}, 85, PruneStep::None), PruneStep::None);
}

}  // namespace
}  // namespace supervisor::engine
