#include <gmock/gmock.h>

#include "broker/rules/policy.hpp"

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
    EXPECT_TRUE(policy->allows_host_path("/srv/cache"));
    // A job that can write there can put a link there, and the engine would follow it on the host.
    EXPECT_FALSE(policy->allows_host_path("/srv/cache/x"));
    EXPECT_FALSE(policy->allows_host_path("/srv/cachex"));
}

TEST(Policy, FileWithUnknownWordsIsRefusedByName) {
    EXPECT_THAT(Policy::parse(R"({"allow":["everything"]})").error().message(), HasSubstr("everything"));
    EXPECT_THAT(Policy::parse(R"({"alow":[]})").error().message(), HasSubstr("alow"));
    EXPECT_FALSE(Policy::parse("lenient"));
    EXPECT_FALSE(Policy::parse(R"({"base":"none"})"));
    EXPECT_FALSE(Policy::parse(R"({"allow":["buildkit"],"allow":["privileged"]})"));
}

TEST(Policy, ListsOfWhatIsAcceptedTakeThePlaceOfTheBuiltInOnes) {
    const auto port = [](const Policy& policy, const char* text) {
        return policy.allows_host_port(*PortRange::parse(text));
    };
    EXPECT_TRUE(port(Policy::isolated(), "1024-65535"));
    EXPECT_FALSE(port(Policy::isolated(), "1023"));
    EXPECT_TRUE(port(Policy::trusted(), "22"));
    const auto none = Policy::parse(R"({"host_ports":[]})");
    EXPECT_FALSE(port(*none, "1024"));
    EXPECT_EQ(none->host_ports(), "none");
    // A list narrows what "trusted" allows.
    const auto narrowed = Policy::parse(R"({"base":"trusted","host_ports":["8000-8999"]})");
    EXPECT_TRUE(port(*narrowed, "8000"));
    EXPECT_FALSE(port(*narrowed, "9000"));
    EXPECT_TRUE(narrowed->allows(Permission::HostAddresses));
}

TEST(Policy, ListsThatCannotBeReadAreRefusedByKeyAndValue) {
    const auto error = [](const char* text) { return Policy::parse(text).error().message(); };
    EXPECT_THAT(error(R"({"host_ports":["http"]})"),
                testing::AllOf(HasSubstr("host_ports"), HasSubstr("http"), HasSubstr("8000-8999")));
    EXPECT_THAT(error(R"({"host_ports":["70000"]})"), HasSubstr("70000"));
    EXPECT_THAT(error(R"({"host_ports":["9000-8000"]})"), HasSubstr("9000-8000"));
    EXPECT_THAT(error(R"({"host_ports":[8080]})"), HasSubstr("host_ports"));
    EXPECT_THAT(error(R"({"host_ports":"8080"})"), HasSubstr("host_ports"));
    EXPECT_THAT(error(R"({"host_addresses":["localhost"]})"),
                testing::AllOf(HasSubstr("host_addresses"), HasSubstr("localhost")));
    EXPECT_THAT(error(R"({"subnets":["10.0.0.0/33"]})"),
                testing::AllOf(HasSubstr("subnets"), HasSubstr("10.0.0.0/33")));
    EXPECT_THAT(error(R"({"allow":["host-ports"],"host_ports":["8080"]})"), HasSubstr("host_ports"));
}

}  // namespace
}  // namespace supervisor::broker
