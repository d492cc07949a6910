#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

#include "contained_engine.hpp"
#include "sys/files.hpp"

namespace supervisor::contain {
namespace {

using testing::HasSubstr;
using testing::Not;

class ContainTest : public testing::Test {
  protected:
    void SetUp() override {
        if (const auto reason = missing(); !reason.empty()) {
            if (std::getenv("CI") != nullptr) FAIL() << reason;
            GTEST_SKIP() << reason;
        }
    }
};

TEST_F(ContainTest, SpaceComesAndGoesWithoutATrace) {
    const auto links = sys::list_directory("/sys/class/net").value();
    {
        ContainedEngine engine;
        const auto started = engine.start_space();
        ASSERT_TRUE(started) << started.error().message();
        EXPECT_THAT(engine.inside("id -u; echo $$; cat /proc/self/uid_map").text, HasSubstr("100000"));
        EXPECT_THAT(engine.inside("cat /sys/fs/cgroup/memory/cgroup.procs").text, HasSubstr("1\n"));
        for (const auto& [what, milliseconds] : engine.times())
            std::printf("%s %.1f ms\n", what.c_str(), milliseconds);
    }
    EXPECT_EQ(sys::list_directory("/sys/class/net").value(), links);
    ContainedEngine other;
    EXPECT_THAT(other.outside("iptables-save").text, Not(HasSubstr("GOCD-")));
}

TEST_F(ContainTest, RunsContainersThatCannotTouchTheHost) {
    ContainedEngine engine;
    const auto started = engine.start();
    ASSERT_TRUE(started) << started.error().message();
    auto run = engine.docker({"run", "--rm", "box", "echo", "hello"});
    EXPECT_EQ(run.text, "hello\n");
    run = engine.docker(
        {"run", "--rm", "--privileged", "box", "sh", "-c", "echo x > /proc/sys/kernel/core_pattern"});
    EXPECT_NE(run.status, 0);
    EXPECT_THAT(run.text, HasSubstr("ermission denied"));
    engine.stop();
    for (const auto& [what, milliseconds] : engine.times())
        std::printf("%s %.1f ms\n", what.c_str(), milliseconds);
}

}  // namespace
}  // namespace supervisor::contain
