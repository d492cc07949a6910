#include "engine/containment.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>

namespace supervisor::engine {
namespace {

using host::ContainmentFacts;
using host::ContainmentNeed;
using testing::ElementsAre;
using testing::HasSubstr;

ContainmentFacts capable() {
    ContainmentFacts facts;
    facts.tried = true;
    facts.users = {{0, 0, 4294967295}};
    facts.groups = {{0, 0, 4294967295}};
    facts.max_user_namespaces = 10000;
    facts.can_cut_capabilities = true;
    facts.data_file_system = "ext4";
    return facts;
}

ContainmentFacts lacking(ContainmentNeed need, int error) {
    auto facts = capable();
    facts.missing = need;
    facts.error = error;
    return facts;
}

TEST(Containment, TakesUserNamespacesWhereEverythingWorks) {
    const auto plan = plan_containment(ContainmentRequest::Auto, capable());
    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->mode, ContainmentMode::Userns);
    EXPECT_EQ(plan->ids.first, 100000U);
    EXPECT_EQ(plan->ids.count, 4294967295U - 100000U);
}

TEST(Containment, NeverMapsTheIdThatMeansNone) {
    const auto plan = plan_containment(ContainmentRequest::Auto, capable());
    ASSERT_TRUE(plan);
    EXPECT_LE(std::uint64_t{plan->ids.first} + plan->ids.count, 4294967295ULL);
}

TEST(Containment, SortsTheAgentsDirectories) {
    auto facts = capable();
    facts.directories = {{"/godata", 0}, {"/tmp", EINVAL}};
    const auto plan = plan_containment(ContainmentRequest::Userns, facts);
    ASSERT_TRUE(plan);
    EXPECT_THAT(plan->mappable, ElementsAre("/godata"));
    EXPECT_THAT(plan->unmappable, ElementsAre("/tmp"));
}

struct Lack {
    ContainmentNeed need;
    int error;
    const char* text;
};

TEST(Containment, NamesWhatIsMissing) {
    for (const Lack& lack : std::vector<Lack>{
             {ContainmentNeed::Namespaces, EPERM,
              "user namespaces cannot be made here (Operation not permitted)"},
             {ContainmentNeed::IdMappedData, EINVAL, "the data directory, ext4, cannot be id-mapped"},
             {ContainmentNeed::Devices, EPERM, "device nodes cannot be made"},
             {ContainmentNeed::Proc, EPERM, "parts of /proc are masked"},
             {ContainmentNeed::Sysfs, EPERM, "parts of /sys are masked"},
             {ContainmentNeed::Cgroups, EPERM, "the cgroup file system cannot be mounted"},
             {ContainmentNeed::Overlay, EINVAL, "overlay cannot be mounted in a user namespace"}}) {
        const auto facts = lacking(lack.need, lack.error);
        const auto asked = plan_containment(ContainmentRequest::Userns, facts);
        ASSERT_FALSE(asked);
        EXPECT_THAT(asked.error().message(), HasSubstr(lack.text));
        const auto chosen = plan_containment(ContainmentRequest::Auto, facts);
        ASSERT_TRUE(chosen);
        EXPECT_EQ(chosen->mode, ContainmentMode::Caps);
        EXPECT_THAT(chosen->reason, HasSubstr(lack.text));
    }
}

TEST(Containment, TellsAHostWithoutUserNamespacesFromARefusal) {
    auto facts = lacking(ContainmentNeed::Namespaces, ENOSPC);
    facts.max_user_namespaces = 0;
    const auto plan = plan_containment(ContainmentRequest::Userns, facts);
    ASSERT_FALSE(plan);
    EXPECT_THAT(plan.error().message(), HasSubstr("user.max_user_namespaces is 0"));
}

TEST(Containment, NeedsIdsToGiveAway) {
    auto facts = capable();
    facts.groups = {{0, 1000000, 65536}};
    const auto plan = plan_containment(ContainmentRequest::Userns, facts);
    ASSERT_FALSE(plan);
    EXPECT_THAT(plan.error().message(), HasSubstr("no 65536 user and group ids from 100000 on"));
}

TEST(Containment, InAUserNamespaceOfSomebodyElseNothingMoreIsNeeded) {
    auto facts = lacking(ContainmentNeed::IdMappedData, EPERM);
    facts.users = facts.groups = {{0, 100000, 65536}};
    const auto plan = plan_containment(ContainmentRequest::Auto, facts);
    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->mode, ContainmentMode::Off);
    EXPECT_THAT(plan->reason, HasSubstr("its root is nobody on the host"));
    for (const auto request : {ContainmentRequest::Userns, ContainmentRequest::Caps}) {
        const auto asked = plan_containment(request, facts);
        ASSERT_FALSE(asked);
        EXPECT_THAT(asked.error().message(), HasSubstr("in a user namespace itself"));
    }
}

TEST(Containment, FallsToOffOnlyWhenNothingElseIsLeft) {
    auto facts = lacking(ContainmentNeed::Namespaces, EPERM);
    facts.can_cut_capabilities = false;
    const auto plan = plan_containment(ContainmentRequest::Auto, facts);
    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->mode, ContainmentMode::Off);
    EXPECT_FALSE(plan_containment(ContainmentRequest::Caps, facts));
}

TEST(Containment, OffIsNeverRefused) {
    const auto plan = plan_containment(ContainmentRequest::Off, ContainmentFacts{});
    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->mode, ContainmentMode::Off);
}

TEST(Containment, KnowsItsNames) {
    for (const char* name : {"auto", "userns", "caps", "off"}) EXPECT_TRUE(parse_containment(name)) << name;
    EXPECT_THAT(parse_containment("on").error().message(), HasSubstr("auto, userns, caps or off"));
}

}  // namespace
}  // namespace supervisor::engine
