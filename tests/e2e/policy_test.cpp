// A policy in DinD: the broker in front of the agent's own engine.
#include <gmock/gmock.h>

#include <memory>

#include "e2e/fixture.hpp"

namespace e2e {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

class PolicyInDind : public EndToEnd, public ::testing::WithParamInterface<const char*> {
  protected:
    void SetUp() override {
        EndToEnd::SetUp();
        if (IsSkipped()) return;
        agent_ = std::make_unique<Container>(
            dind({}, {"--policy", "isolated", "--containment", GetParam(), "--", "sleep", "600"}));
        ASSERT_TRUE(becomes_healthy(*agent_)) << agent_->logs();
        ASSERT_TRUE(load_inner_image(*agent_));
    }
    test_support::CommandResult as_job(const std::string& script) {
        return agent_->exec_as("go", {"sh", "-c", script}, seconds(90));
    }
    std::unique_ptr<Container> agent_;
};

TEST_P(PolicyInDind, JobsBindTheirOwnDirectoriesAndNoOthers) {
    for (const std::string directory : {"/go-working-dir/job", "/tmp/job", "/home/go/job"}) {
        const auto shown = as_job("mkdir -p " + directory + " && echo from-" + directory + " >" + directory +
                                  "/file && docker run --rm -v " + directory +
                                  ":/x inner-busybox:test sh -c 'cat /x/file && echo back >/x/back' && cat " +
                                  directory + "/back");
        EXPECT_EQ(shown.out, "from-" + directory + "\nback\n") << shown.err;
    }
    for (const std::string directory : {"/", "/etc", "/var/lib/docker", "/run/gocd-supervisor"}) {
        const auto refused = as_job("docker run --rm -v " + directory + ":/x inner-busybox:test ls /x");
        EXPECT_FALSE(refused.ok()) << refused.out;
        EXPECT_THAT(refused.err, AnyOf(HasSubstr("is not on a volume or bind mount of the agent"),
                                       HasSubstr("belongs to the supervisor")));
    }
}

TEST_P(PolicyInDind, PrivilegedContainersAreRefused) {
    const auto refused = as_job("docker run --rm --privileged inner-busybox:test true");
    EXPECT_THAT(refused.err, HasSubstr("HostConfig.Privileged: must not be set"));
}

INSTANTIATE_TEST_SUITE_P(Containment, PolicyInDind, ::testing::Values("userns", "off"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace e2e
