#include "sys/procfs.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sys/capabilities.hpp"

namespace supervisor::sys {
namespace {

using ::testing::ElementsAre;

constexpr const char* kMountinfo =
    "22 1 0:29 / / rw,relatime - overlay overlay rw,lowerdir=/a:/b,upperdir=/c\n"
    "23 22 0:31 / /proc rw,nosuid - proc proc rw\n"
    "31 22 0:27 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw,nsdelegate\n"
    "40 22 254:1 /volumes/d/_data /var/lib/docker rw,relatime shared:7 master:1 - ext4 /dev/vda1 rw\n"
    "41 40 0:33 /with\\040blank /var/lib/docker/a\\040b rw - tmpfs tmpfs rw\n"
    "42 22 0:34 / /proc rw - tmpfs over rw\n"
    "a line that is none\n";

TEST(Mountinfo, ReadsEveryField) {
    const auto mounts = parse_mountinfo(kMountinfo);
    ASSERT_EQ(mounts.size(), 6U);
    const auto& data = mounts[3];
    EXPECT_EQ(data.id, 40);
    EXPECT_EQ(data.parent, 22);
    EXPECT_EQ(data.device, "254:1");
    EXPECT_EQ(data.root, "/volumes/d/_data");
    EXPECT_EQ(data.type, "ext4");
    EXPECT_EQ(data.source, "/dev/vda1");
    EXPECT_THAT(data.propagation, ElementsAre("shared:7", "master:1"));
    EXPECT_TRUE(data.shared());
    EXPECT_FALSE(mounts[0].shared());
    EXPECT_TRUE(mounts[2].read_only());
    EXPECT_TRUE(mounts[2].has_super_option("nsdelegate"));
}

TEST(Mountinfo, DecodesEscapedBlanks) {
    const auto mounts = parse_mountinfo(kMountinfo);
    EXPECT_EQ(mounts[4].target, "/var/lib/docker/a b");
    EXPECT_EQ(mounts[4].root, "/with blank");
}

TEST(Mountinfo, OfStackedMountsTheLastIsVisible) {
    const auto mounts = parse_mountinfo(kMountinfo);
    EXPECT_EQ(mount_at(mounts, "/proc")->type, "tmpfs");
    EXPECT_EQ(mount_at(mounts, "/nowhere"), nullptr);
}

TEST(Mountinfo, FindsTheMountThatHoldsAPath) {
    const auto mounts = parse_mountinfo(kMountinfo);
    EXPECT_EQ(mount_holding(mounts, "/var/lib/docker/overlay2")->type, "ext4");
    EXPECT_EQ(mount_holding(mounts, "/var/lib/dockerish")->type, "overlay");
    EXPECT_EQ(mount_holding({}, "/"), nullptr);
}

TEST(CgroupMembership, ReadsBothVersions) {
    const auto list =
        parse_cgroup_membership("12:cpu,cpuacct:/docker/7\n1:name=systemd:/a:b\n0::/\nnonsense\n");
    ASSERT_EQ(list.size(), 3U);
    EXPECT_EQ(list[0].controllers, "cpu,cpuacct");
    EXPECT_EQ(list[1].path, "/a:b");
    EXPECT_EQ(list[2].hierarchy, 0U);
    EXPECT_EQ(list[2].path, "/");
}

TEST(ProcessStatus, ReadsCapabilitiesAndFilters) {
    const auto status = parse_process_status(
        "Name:\tx\nCapInh:\t0000000000000000\nCapPrm:\t000001fffeffffff\nCapEff:\t00000000a80425fb\n"
        "CapBnd:\t00000000a80425fb\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:"
        "\t1\n");
    EXPECT_EQ(status.effective, 0xa80425fbU);
    EXPECT_EQ(status.permitted, 0x1fffeffffffU);
    EXPECT_TRUE(status.no_new_privileges);
    EXPECT_EQ(status.seccomp_mode, 2U);
}

TEST(CapabilityNames, FollowTheKernelsNumbers) {
    EXPECT_EQ(capability_name(kCapSysAdmin), "CAP_SYS_ADMIN");
    EXPECT_EQ(capability_name(kCapMknod), "CAP_MKNOD");
    EXPECT_EQ(capability_name(57), "CAP_57");
    EXPECT_THAT(capability_names(1ULL << 12 | 1ULL << 40),
                ElementsAre("CAP_NET_ADMIN", "CAP_CHECKPOINT_RESTORE"));
}

TEST(Filesystems, DropNodev) {
    EXPECT_THAT(parse_filesystems("nodev\tproc\n\text4\nnodev\toverlay\n"),
                ElementsAre("proc", "ext4", "overlay"));
}

TEST(Passwd, FindsByNameAndId) {
    constexpr const char* kPasswd =
        "root:x:0:0:root:/root:/bin/bash\nbroken:x\ngo:x:1000:0::/home/go:/bin/sh\n";
    ASSERT_TRUE(find_user(kPasswd, "go"));
    EXPECT_EQ(find_user(kPasswd, "go")->id, 1000U);
    EXPECT_EQ(find_user(kPasswd, "go")->group, 0U);
    EXPECT_EQ(find_user(kPasswd, uid_t{0})->home, "/root");
    EXPECT_FALSE(find_user(kPasswd, "broken"));
}

TEST(GroupFile, FindsGroupsAndMemberships) {
    constexpr const char* kGroup = "root:x:0:\ndocker:x:999:go,other\nempty:x:5:\naudio:x:29:go\n";
    EXPECT_EQ(find_group(kGroup, "docker")->id, 999U);
    EXPECT_THAT(find_group(kGroup, "docker")->members, ElementsAre("go", "other"));
    EXPECT_TRUE(find_group(kGroup, "empty")->members.empty());
    EXPECT_THAT(supplementary_groups(kGroup, "go"), ElementsAre(999, 29));
}

TEST(Routes, AreInHostOrderAndTheBestDefaultWins) {
    const auto routes = parse_routes(
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
        "eth1\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
        "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        "eth0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
        "down\t000012AC\t00000000\t0000\t0\t0\t0\t0000FFFF\t0\t0\t0\n");
    ASSERT_EQ(routes.size(), 3U);
    EXPECT_EQ(default_route(routes)->interface, "eth0");
    EXPECT_EQ(default_route(routes)->gateway, 0xC0000201U);
    EXPECT_EQ(routes[2].destination, 0xAC110000U);
    EXPECT_EQ(routes[2].mask, 0xFFFF0000U);
    EXPECT_EQ(default_route({}), nullptr);
}

TEST(Meminfo, IsInBytes) {
    EXPECT_EQ(meminfo_value("MemTotal:       16384 kB\nMemFree: 1 kB\n", "MemTotal"), 16384U * 1024);
    EXPECT_EQ(meminfo_value("", "MemTotal"), 0U);
}

}  // namespace
}  // namespace supervisor::sys
