#include "cli/hardening.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace supervisor::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kPasswd = "root:x:0:0:root:/root:/bin/bash\ngo:x:1000:0::/home/go:/bin/bash\n";
constexpr const char* kGroup = "root:x:0:\ndocker:x:998:go\nother:x:5:alice\nextra:x:77:alice,go\n";

proc::ChildPlan applied(const std::vector<std::string>& allow) {
    auto hardening = Hardening::create(allow);
    EXPECT_TRUE(hardening);
    proc::ChildPlan plan;
    if (hardening) hardening->apply(plan, {1000, 0, {998}, "go", "/home/go"});
    return plan;
}

TEST(AgentAccount, IsTheUserGoWithTheGroupsThatListIt) {
    const auto account = find_agent_account(kPasswd, kGroup);
    ASSERT_TRUE(account);
    EXPECT_EQ(account->user, 1000U);
    EXPECT_EQ(account->group, 0U);
    EXPECT_EQ(account->home, "/home/go");
    EXPECT_THAT(account->supplementary_groups, ElementsAre(998U, 77U));
}

TEST(AgentAccount, AMissingUserIsNamedWithTheFix) {
    const auto account = find_agent_account("root:x:0:0::/root:/bin/sh\n", kGroup);
    ASSERT_FALSE(account);
    EXPECT_THAT(account.error().message(), HasSubstr("'go'"));
    EXPECT_THAT(account.error().message(), HasSubstr("uid 1000"));
}

TEST(Hardening, TakesEverythingByDefault) {
    const auto plan = applied({});
    ASSERT_TRUE(plan.identity);
    EXPECT_EQ(plan.identity->user, 1000U);
    EXPECT_EQ(plan.identity->group, 0U);
    EXPECT_THAT(plan.identity->supplementary_groups, ElementsAre(998U));
    EXPECT_EQ(plan.capabilities, proc::Capabilities::None);
    EXPECT_TRUE(plan.no_new_privileges);
    ASSERT_TRUE(plan.seccomp);
    EXPECT_GT(plan.seccomp->size(), 10U);
}

TEST(Hardening, SetuidKeepsTheBoundingSetButNotTheFilterOff) {
    const auto plan = applied({"setuid"});
    EXPECT_EQ(plan.capabilities, proc::Capabilities::NoneButSetuid);
    EXPECT_FALSE(plan.no_new_privileges);
    EXPECT_TRUE(plan.seccomp);
    EXPECT_EQ(plan.identity->user, 1000U);
}

TEST(Hardening, UsernsMakesTheFilterSmaller) {
    const auto strict = applied({});
    const auto relaxed = applied({"userns"});
    EXPECT_LT(relaxed.seccomp->size(), strict.seccomp->size());
    EXPECT_EQ(relaxed.capabilities, proc::Capabilities::None);
    EXPECT_TRUE(relaxed.no_new_privileges);
}

TEST(Hardening, SeccompTakesTheFilterOffAndNothingElse) {
    const auto plan = applied({"seccomp"});
    EXPECT_FALSE(plan.seccomp);
    EXPECT_EQ(plan.capabilities, proc::Capabilities::None);
    EXPECT_TRUE(plan.no_new_privileges);
}

TEST(Hardening, SaysWhatIsRelaxed) {
    const auto hardening = Hardening::create({"setuid", "userns"});
    ASSERT_TRUE(hardening);
    EXPECT_THAT(hardening->relaxed(), ElementsAre("setuid", "userns"));
}

}  // namespace
}  // namespace supervisor::cli
