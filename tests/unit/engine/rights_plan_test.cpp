// Rights, security modules and mounts; E and F of the catalogue.
#include "plan_fixture.hpp"

namespace supervisor::engine {
namespace {

using RightsPlan = PlanTest;

TEST_F(RightsPlan, F3_UnprivilegedContainerIsToldExactlyWhatIsMissing) {
    host.process.capabilities = 0xa80425fb;  // what docker run gives by default
    const auto plan = drafted();
    EXPECT_THAT(plan, FailsSaying("CAP_NET_ADMIN, CAP_SYS_ADMIN"));
    EXPECT_THAT(plan, FailsSaying("--cap-add NET_ADMIN --cap-add SYS_ADMIN"));
}

TEST_F(RightsPlan, EachMissingCapabilityIsNamed) {
    for (const unsigned capability :
         {sys::kCapSysAdmin, sys::kCapNetAdmin, sys::kCapSetuid, sys::kCapMknod}) {
        host = good_host();
        lose(capability);
        EXPECT_THAT(drafted(), FailsSaying(sys::capability_name(capability).c_str()));
    }
}

TEST_F(RightsPlan, NotRootIsAnError) {
    host.process.user = 1000;
    EXPECT_THAT(drafted(), FailsSaying("user 1000"));
}

TEST_F(RightsPlan, LessThanPrivilegedButEnoughDoes) {
    lose(sys::kCapSysModule);
    EXPECT_THAT(drafted(), Suits());
}

TEST_F(RightsPlan, FilterThatRefusesKeyringsIsNamed) {
    host.process.seccomp_mode = 2;
    host.process.keyring_error = EPERM;
    EXPECT_THAT(drafted(), FailsSaying("refuses keyctl"));
    host.process.keyring_error = ENOSYS;
    EXPECT_THAT(drafted(), Suits());
}

TEST_F(RightsPlan, NoNewPrivilegesWarns) {
    host.process.no_new_privileges = true;
    EXPECT_THAT(drafted(), Warns("no_new_privs"));
}

TEST_F(RightsPlan, E11_DaemonsAreProtectedFromTheOomKillerWhereThatIsAllowed) {
    EXPECT_EQ(drafted().security.oom_score_adjust, -500);
    lose(sys::kCapSysResource);
    const auto plan = drafted();
    EXPECT_FALSE(plan.security.oom_score_adjust.has_value());
    EXPECT_THAT(plan, Warns("OOM killer"));
}

TEST_F(RightsPlan, E10_OpenFilesAreBoundedAsSystemdDoes) {
    // Unbounded, programs that close every descriptor they could have take minutes.
    EXPECT_EQ(drafted().open_files.soft, 1024U);
    EXPECT_EQ(drafted().open_files.hard, 524288U);
}

TEST_F(RightsPlan, A19_SmallRunIsWarnedOf) {
    struct Case {
        std::uint64_t size;
        bool warned;
    };
    const Case cases[] = {{0, false}, {1U << 20U, true}, {8U << 20U, true}, {64U << 20U, false}};
    for (const auto& [size, warned] : cases) {
        host.run_size = size;
        const auto plan = drafted();
        EXPECT_THAT(plan, Suits());
        EXPECT_EQ(all_text(plan).find("emptyDir at /run") != std::string::npos, warned) << size;
    }
}

TEST_F(RightsPlan, F1_SecurityfsIsMountedAndInnerProfilesAreOffUnderAppArmor) {
    host.security.apparmor = host.security.securityfs_directory = true;
    host.security.apparmor_profile = "unconfined";
    const auto plan = drafted();
    EXPECT_TRUE(plan.mounts.securityfs);
    EXPECT_TRUE(plan.security.ignore_apparmor);
}

TEST_F(RightsPlan, F1_NothingIsMountedWithoutAppArmor) {
    host.security.securityfs_directory = true;
    EXPECT_FALSE(drafted().mounts.securityfs);
}

TEST_F(RightsPlan, F2_ConfiningAppArmorProfileIsAnError) {
    host.security.apparmor = true;
    host.security.apparmor_profile = "docker-default (enforce)";
    EXPECT_THAT(drafted(), FailsSaying("apparmor=unconfined"));
}

TEST_F(RightsPlan, F5_ConfinedUnderSelinuxWarns) {
    host.security.selinux = host.security.selinux_enforcing = true;
    host.security.label = "system_u:system_r:container_t:s0:c1,c2";
    EXPECT_THAT(drafted(), Warns("confined"));
}

TEST_F(RightsPlan, F6_RootIsMadeShared) {
    EXPECT_TRUE(drafted().mounts.share_root);
    host.root_shared = true;
    EXPECT_FALSE(drafted().mounts.share_root);
}

TEST_F(RightsPlan, ReadOnlyRootGetsMemoryWhereThingsAreWritten) {
    host.root_read_only = true;
    host.mounts = sys::parse_mountinfo(
        "1 0 0:1 / / ro - overlay overlay ro\n"
        "2 1 0:2 / /tmp rw - tmpfs tmpfs rw\n");
    EXPECT_THAT(drafted().mounts.tmpfs, ::testing::ElementsAre("/run", "/var/log", "/var/tmp"));
}

TEST_F(RightsPlan, ErrorOfPlanNamesEverythingAtOnce) {
    host.process.user = 1000;
    host.cgroup = {};
    const auto failed = plan({settings, choices, engine, host});
    ASSERT_FALSE(failed);
    EXPECT_THAT(failed.error().message(), ::testing::HasSubstr("user 1000"));
    EXPECT_THAT(failed.error().message(), ::testing::HasSubstr("no cgroup file system"));
}

}  // namespace
}  // namespace supervisor::engine
