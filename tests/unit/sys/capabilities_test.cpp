#include "sys/capabilities.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>

namespace supervisor::sys {
namespace {

TEST(Capabilities, HaveTheNamesThatPeopleWrite) {
    EXPECT_EQ(capability_name(CAP_SYS_ADMIN), "CAP_SYS_ADMIN");
    EXPECT_EQ(capability_name(CAP_CHOWN), "CAP_CHOWN");
    EXPECT_EQ(capability_name(CAP_CHECKPOINT_RESTORE), "CAP_CHECKPOINT_RESTORE");
    EXPECT_EQ(capability_name(61), "CAP_61") << "younger than the library";
}

TEST(Capabilities, AreListedInTheirOrder) {
    EXPECT_THAT(capability_names(capability_mask({kCapNetAdmin, kCapKill})),
                ::testing::ElementsAre("CAP_KILL", "CAP_NET_ADMIN"));
    EXPECT_THAT(capability_names(0), ::testing::IsEmpty());
}

// The masks are written down as numbers of our own.
TEST(Capabilities, AreTheKernelsNumbers) {
    EXPECT_EQ(kCapSetpcap, static_cast<unsigned>(CAP_SETPCAP));
    EXPECT_EQ(kCapSysResource, static_cast<unsigned>(CAP_SYS_RESOURCE));
    EXPECT_EQ(kCapMknod, static_cast<unsigned>(CAP_MKNOD));
    EXPECT_EQ(kCapSysPtrace, static_cast<unsigned>(CAP_SYS_PTRACE));
}

}  // namespace
}  // namespace supervisor::sys
