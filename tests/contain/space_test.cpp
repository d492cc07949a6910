// The space itself: it comes, it goes, nothing is left.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

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
    EXPECT_EQ(engine.inside("sleep 0.3; grep -sl 'State:.Z' /proc/[0-9]*/status").text, "");
}

TEST_F(SpaceTest, EndsWithItsHolder) {
    ContainedEngine engine;
    ASSERT_TRUE(engine.start_space());
    // A number of seconds that no other test on this machine sleeps for.
    const std::string inner = "sleep 71" + std::to_string(::getpid());
    const std::string runs = "pgrep -u 100000 -xf '" + inner + "' >/dev/null";
    (void)engine.inside(inner + " & ");
    EXPECT_EQ(engine.outside(runs).status, 0);
    engine.space().kill_all();
    EXPECT_EQ(engine.outside("for i in $(seq 50); do " + runs + " || exit 0; sleep 0.1; done; exit 1").status,
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

// What a space leaves in a network that outlives it, as a pod's does, when everything is killed at once.
void make_and_kill_a_space(const std::string& base) {
    const pid_t victim = ::fork();
    if (victim == 0) {
        EngineOptions options;
        options.number = 9;
        options.base = base;
        options.ipv6 = true;
        auto* engine = new ContainedEngine(options);
        if (!engine->start_space()) ::_exit(1);
        (void)::kill(::getpid(), SIGKILL);
    }
    int status = 0;
    (void)::waitpid(victim, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status)) << status;
}

TEST_F(SpaceTest, CleansUpAfterAPredecessorThatWasKilled) {
    char base[] = "/var/tmp/contain-killed-XXXXXX";
    make_and_kill_a_space(::mkdtemp(base));
    ContainedEngine engine;
    const auto until_gone =
        "for i in $(seq 50); do ip link show engine0 >/dev/null 2>&1 || exit 0; sleep 0.1; done; exit 1";
    ASSERT_EQ(engine.outside(until_gone).status, 0) << "the pair goes with the namespace";
    ASSERT_THAT(engine.outside("iptables-save").text, HasSubstr("GOCD-engine0-IN"));
    ASSERT_THAT(engine.outside("ip6tables-save").text, HasSubstr("GOCD-engine0-IN"));
    // One that had another number, and would take all that comes in.
    engine.outside("iptables -t nat -N GOCD-engine7-IN; iptables -t nat -I PREROUTING -j GOCD-engine7-IN");
    const auto started = engine.start_space();
    ASSERT_TRUE(started) << started.error().message();
    const auto jumps = "iptables-save | grep -c -e '-A PREROUTING -j GOCD-' -e '-A FORWARD -i engine'";
    EXPECT_EQ(engine.outside(jumps).text, "2\n") << engine.outside("iptables-save").text;
    EXPECT_THAT(engine.outside("ip6tables-save").text, Not(HasSubstr("GOCD-")));
    engine.stop();
    EXPECT_THAT(engine.outside("iptables-save; ip6tables-save").text, Not(HasSubstr("GOCD-")));
    EXPECT_THAT(engine.outside("iptables-save; ip6tables-save").text, Not(HasSubstr("engine0")));
    engine.outside(
        "find /sys/fs/cgroup -depth -type d -path '*contain-test-*-9*' -exec rmdir {} + ; "
        "rm -rf /run/contain-test-*-9 /run/contain-test-*-9.sock " +
        std::string(base));
}

// As the container's own root file system.
class OverlayDirectory {
  public:
    OverlayDirectory() {
        char pattern[] = "/var/tmp/overlay-XXXXXX";
        base_ = ::mkdtemp(pattern);
        (void)::chmod(base_.c_str(), 0755);
        for (const char* name : {"/lower", "/upper", "/work", "/merged"})
            (void)sys::make_directories(base_ + name);
        const auto options =
            "lowerdir=" + base_ + "/lower,upperdir=" + base_ + "/upper,workdir=" + base_ + "/work";
        mounted_ = ::mount("overlay", path().c_str(), "overlay", 0, options.c_str()) == 0;
    }
    ~OverlayDirectory() {
        (void)::umount2(path().c_str(), MNT_DETACH);
        (void)sys::remove_tree(base_);
    }
    std::string path() const { return base_ + "/merged"; }
    bool mounted() const { return mounted_; }

  private:
    std::string base_;
    bool mounted_ = false;
};

TEST_F(SpaceTest, MovesDirectoriesThatCannotBeMapped) {
    OverlayDirectory overlay;
    ASSERT_TRUE(overlay.mounted());
    EngineOptions options;
    options.directories = {overlay.path() + "/home"};
    ContainedEngine engine(options);
    const auto home = overlay.path() + "/home";
    engine.outside("mkdir -m 0755 " + home + "; echo dot > " + home + "/.profile; chown -R 1000:0 " + home);
    const auto started = engine.start_space();
    ASSERT_TRUE(started) << started.error().message();
    EXPECT_THAT(engine.space().unshared(), testing::IsEmpty());
    EXPECT_EQ(
        engine.inside("stat -c %u:%g " + home + " " + home + "/.profile; cat " + home + "/.profile").text,
        "1000:0\n1000:0\ndot\n");
    EXPECT_EQ(engine.inside("echo new > " + home + "/new").status, 0);
    EXPECT_EQ(engine.as_job("stat -c %u " + home + "/new").text, "0\n");
    engine.stop();
    EXPECT_FALSE(sys::exists(home + "/new")) << "the mount is gone";
}

TEST_F(SpaceTest, TheSupervisorCanLiveInTheEnginesNetwork) {
    ContainedEngine engine;
    ASSERT_TRUE(engine.start_space());
    ASSERT_TRUE(engine.space().enter_network());
    EXPECT_THAT(engine.outside("ip addr").text, HasSubstr(engine.space().link()->inner_address));
    engine.stop();
    EXPECT_THAT(engine.outside("ip addr").text, HasSubstr(OuterNetwork::kOuter));
    EXPECT_THAT(engine.outside("ip addr").text, Not(HasSubstr("engine0")));
}

TEST_F(SpaceTest, SharesTheSocketWithContainers) {
    ContainedEngine engine;
    ASSERT_TRUE(engine.start_space());
    EXPECT_EQ(
        engine.inside("test -S " + engine.inputs().socket + " && test -w " + engine.inputs().socket).status,
        0);
}

}  // namespace
}  // namespace supervisor::contain
