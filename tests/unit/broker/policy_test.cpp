#include <gmock/gmock.h>

#include "broker/policy.hpp"

namespace supervisor::broker {
namespace {

using testing::HasSubstr;

TEST(Policy, IsolatedGrantsNothingAndTrustedEverything) {
    for (const auto& info : permissions()) {
        EXPECT_FALSE(Policy::isolated().allows(info.permission)) << info.name;
        EXPECT_TRUE(Policy::trusted().allows(info.permission)) << info.name;
    }
}

TEST(Policy, TableIsIndexedByThePermission) {
    std::size_t index = 0;
    for (const auto& info : permissions())
        EXPECT_EQ(static_cast<std::size_t>(info.permission), index++) << info.name;
}

TEST(Policy, FileOpensSingleThings) {
    const auto policy = Policy::parse(
        R"({"base":"isolated","allow":["buildkit"],"capabilities":["CAP_NET_ADMIN"],"devices":["/dev/kvm"],"host_paths":["/srv/cache"]})");
    ASSERT_TRUE(policy);
    EXPECT_TRUE(policy->allows(Permission::BuildKit));
    EXPECT_FALSE(policy->allows(Permission::Privileged));
    EXPECT_TRUE(policy->allows_capability("net_admin"));
    EXPECT_FALSE(policy->allows_capability("SYS_ADMIN"));
    EXPECT_TRUE(policy->allows_device("/dev/kvm"));
    EXPECT_FALSE(policy->allows_device("/dev/sda"));
    EXPECT_TRUE(policy->allows_host_path("/srv/cache/x"));
    EXPECT_FALSE(policy->allows_host_path("/srv/cachex"));
}

TEST(Policy, FileWithUnknownWordsIsRefusedByName) {
    EXPECT_THAT(Policy::parse(R"({"allow":["everything"]})").error().message(), HasSubstr("everything"));
    EXPECT_THAT(Policy::parse(R"({"alow":[]})").error().message(), HasSubstr("alow"));
    EXPECT_FALSE(Policy::parse("lenient"));
    EXPECT_FALSE(Policy::parse(R"({"base":"none"})"));
    EXPECT_FALSE(Policy::parse(R"({"allow":["buildkit"],"allow":["privileged"]})"));
}

}  // namespace
}  // namespace supervisor::broker
