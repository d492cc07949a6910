// What jobs see when a part of the engine dies under them.
#include <gmock/gmock.h>

#include "e2e/fixture.hpp"

namespace e2e {
namespace {

using test_support::eventually;
using test_support::trimmed;

class Recovery : public EndToEnd {
  protected:
    void SetUp() override {
        EndToEnd::SetUp();
        if (IsSkipped()) return;
        container_ = std::make_unique<Container>(dind({}, {"--", "sleep", "600"}));
        ASSERT_TRUE(becomes_healthy(*container_)) << container_->logs();
        ASSERT_TRUE(load_inner_image(*container_));
    }

    std::string run_inner(const std::string& word) {
        const auto run =
            container_->exec({"docker", "run", "--rm", "inner-busybox:test", "echo", word}, seconds(60));
        return run.ok() ? trimmed(run.out) : run.text();
    }

    // Process ids of a program in the container, as one string; changes when it was started again.
    std::string process(const std::string& program) {
        return trimmed(container_->exec({"pidof", program}).out);
    }

    std::unique_ptr<Container> container_;
};

TEST_F(Recovery, RunningContainersSurviveAKilledDockerd) {
    for (const char* name : {"one", "two", "three"}) {
        ASSERT_TRUE(
            container_->exec({"docker", "run", "-d", "--name", name, "inner-busybox:test", "sleep", "500"})
                .ok());
    }
    const std::string before = process("dockerd");
    ASSERT_NE(before, "");
    ASSERT_TRUE(container_->exec({"sh", "-c", "kill -9 $(pidof dockerd)"}).ok());
    // Held socket: a command sent now is answered late, not refused.
    const auto listed = container_->exec({"docker", "ps", "-q"}, seconds(60));
    EXPECT_TRUE(listed.ok()) << listed.text() << container_->logs();
    EXPECT_EQ(test_support::lines(listed.out).size(), 3U) << listed.text();
    EXPECT_NE(process("dockerd"), before);
    EXPECT_EQ(run_inner("again"), "again");
    EXPECT_TRUE(becomes_healthy(*container_)) << container_->exec({"gocd-supervisor", "health"}).text();
}

TEST_F(Recovery, AKilledContainerdComesBack) {
    ASSERT_TRUE(container_->exec({"sh", "-c", "kill -9 $(pidof containerd)"}).ok());
    EXPECT_TRUE(eventually([&] { return run_inner("again") == "again"; }, seconds(30))) << container_->logs();
    EXPECT_TRUE(becomes_healthy(*container_)) << container_->logs();
}

TEST_F(Recovery, E5_OrphansDoNotBecomeZombies) {
    container_->exec({"sh", "-c", "for i in $(seq 200); do (setsid sh -c 'sleep 0.05 & exit' &) ; done"});
    EXPECT_TRUE(eventually(
        [&] {
            return trimmed(container_->exec({"sh", "-c", "ps -eo stat= | grep -c ^Z || true"}).out) == "0";
        },
        seconds(15)))
        << container_->exec({"ps", "-ef"}).out;
}

}  // namespace
}  // namespace e2e
