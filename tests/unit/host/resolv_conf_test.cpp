#include "host/resolv_conf.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace supervisor::host {
namespace {

using ::testing::ElementsAre;

TEST(ResolvConf, ReadsServersSearchAndOptions) {
    const auto conf = parse_resolv_conf(
        "# made by hand\nnameserver 127.0.0.11\nnameserver 10.0.0.1 # second\nsearch a.example b.example\n"
        "domain c.example\noptions ndots:5 edns0\nnameserver\n;nameserver 1.1.1.1\n");
    EXPECT_THAT(conf.nameservers, ElementsAre("127.0.0.11", "10.0.0.1"));
    EXPECT_THAT(conf.search, ElementsAre("c.example"));
    EXPECT_THAT(conf.options, ElementsAre("ndots:5", "edns0"));
}

TEST(ResolvConf, KnowsLoopbackAddresses) {
    for (const char* address : {"127.0.0.11", "127.0.0.53", "::1"})
        EXPECT_TRUE(is_loopback_address(address)) << address;
    for (const char* address : {"10.0.0.1", "12.7.0.1", "::2"})
        EXPECT_FALSE(is_loopback_address(address)) << address;
}

}  // namespace
}  // namespace supervisor::host
