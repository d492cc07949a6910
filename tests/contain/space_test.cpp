// The space itself: it comes, it goes, nothing is left.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "contained_engine.hpp"
#include "outer_network.hpp"
#include "sys/files.hpp"

namespace supervisor::contain {
namespace {

using testing::HasSubstr;
using testing::Not;

class SpaceTest : public testing::Test {
  protected:
    void SetUp() override { SUPERVISOR_CONTAIN_OR_SKIP(); }
    OuterNetwork network;
};

TEST_F(SpaceTest, ComesAndGoesWithoutATrace) {
    const auto mounts = sys::read_file("/proc/self/mountinfo").value();
    {
        ContainedEngine engine;
        const auto started = engine.start_space();
        ASSERT_TRUE(started) << started.error().message();
        EXPECT_THAT(engine.outside("ip link").text, HasSubstr("engine0"));
        EXPECT_THAT(engine.outside("iptables-save").text, HasSubstr("GOCD-"));
        engine.stop();
        EXPECT_THAT(engine.outside("ip link").text, Not(HasSubstr("engine0")));
        EXPECT_THAT(engine.outside("iptables-save; ip6tables-save").text, Not(HasSubstr("GOCD-")));
        EXPECT_THAT(engine.outside("iptables-save; ip6tables-save").text, Not(HasSubstr("engine0")));
    }
    EXPECT_EQ(sys::read_file("/proc/self/mountinfo").value(), mounts);
}

TEST_F(SpaceTest, HasAnInitThatSeesOnlyItsOwn) {
    ContainedEngine engine;
    const auto started = engine.start_space();
    ASSERT_TRUE(started) << started.error().message();
    EXPECT_THAT(engine.inside("cat /proc/1/comm").text, HasSubstr("engine-space"));
    EXPECT_THAT(engine.inside("cat /proc/self/uid_map").text, HasSubstr("100000 4294867295"));
    EXPECT_EQ(engine.inside("id -u").text, "0\n");
    // Its memory is a copy of the supervisor's.
    EXPECT_NE(engine.inside("cat /proc/1/environ").status, 0);
    EXPECT_NE(engine.inside("cat /proc/1/maps").status, 0);
}

TEST_F(SpaceTest, ReapsOrphans) {
    ContainedEngine engine;
    ASSERT_TRUE(engine.start_space());
    (void)engine.inside("(sleep 0.05 &)");
    EXPECT_EQ(engine.inside("sleep 0.3; grep -l 'State:.Z' /proc/[0-9]*/status").text, "");
}

TEST_F(SpaceTest, EndsWithItsHolder) {
    ContainedEngine engine;
    ASSERT_TRUE(engine.start_space());
    (void)engine.inside("sleep 1000 & ");
    EXPECT_THAT(engine.outside("pgrep -u 100000 -x sleep").text, Not(""));
    engine.space().kill_all();
    EXPECT_EQ(engine
                  .outside("for i in 1 2 3 4 5 6 7 8 9 10; do pgrep -u 100000 -x sleep >/dev/null || exit 0; "
                           "sleep 0.1; done; exit 1")
                  .status,
              0);
}

TEST_F(SpaceTest, TwoCanShareAnOuterNetwork) {
    ContainedEngine one;
    ASSERT_TRUE(one.start_space());
    EngineOptions options;
    options.number = 1;
    ContainedEngine two(options);
    const auto started = two.start_space();
    ASSERT_TRUE(started) << started.error().message();
    EXPECT_NE(one.space().link()->name, two.space().link()->name);
    EXPECT_NE(one.space().link()->inner_address, two.space().link()->inner_address);
    two.stop();
    EXPECT_THAT(one.outside("iptables-save").text, HasSubstr("GOCD-engine0-IN"));
}

}  // namespace
}  // namespace supervisor::contain
