#include "engine/space_network.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace supervisor::engine {
namespace {

using testing::HasSubstr;
using testing::Not;

std::vector<Ipv4Range> ranges(std::initializer_list<const char*> texts) {
    std::vector<Ipv4Range> result;
    for (const char* text : texts) result.push_back(parse_ipv4_range(text).value());
    return result;
}

TEST(LinkPlan, TakesTheFirstFreePair) {
    const auto link = plan_link({}, 1400, false).value();
    EXPECT_EQ(link.outer_address, "10.77.213.1");
    EXPECT_EQ(link.inner_address, "10.77.213.2");
    EXPECT_EQ(link.mtu, 1400U);
    EXPECT_EQ(link.inner_address6, "");
}

TEST(LinkPlan, KeepsAwayFromRoutes) {
    EXPECT_EQ(plan_link(ranges({"10.77.213.0/30"}), 1500, false)->outer_address, "10.77.213.5");
    EXPECT_EQ(plan_link(ranges({"10.0.0.0/8"}), 1500, false)->outer_address, "100.101.213.1");
    EXPECT_EQ(plan_link(ranges({"10.0.0.0/8", "100.64.0.0/10"}), 1500, false)->outer_address, "198.18.213.1");
}

TEST(LinkPlan, TheDefaultRouteIsNoObstacle) {
    EXPECT_TRUE(plan_link(ranges({"0.0.0.0/0"}), 1500, false));
}

TEST(LinkPlan, SaysWhenNothingIsLeft) {
    const auto link = plan_link(ranges({"10.0.0.0/8", "100.64.0.0/10", "198.18.0.0/15"}), 1500, false);
    ASSERT_FALSE(link);
    EXPECT_THAT(link.error().message(), HasSubstr("no private network is left"));
}

TEST(LinkPlan, DerivesAnIpv6Pair) {
    const auto link = plan_link({}, 1500, true).value();
    EXPECT_EQ(link.outer_address6, "fd60:c0de:a4d:d500::1");
    EXPECT_EQ(link.inner_address6, "fd60:c0de:a4d:d500::2");
}

constexpr const char* kUdp =
    "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
    "  112: 0100007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000     0\n"
    "  113: 0B00007F:A6F3 00000000:0000 07 00000000:00000000 00:00000000 00000000     0\n";
constexpr const char* kTcp =
    "  sl  local_address rem_address   st\n"
    "   0: 0B00007F:8C21 0100007F:1234 01 00000000:00000000\n"
    "   1: 0B00007F:8C21 00000000:0000 0A 00000000:00000000\n";

TEST(LoopbackResolver, IsFoundAmongTheSockets) {
    const auto resolver = find_resolver("127.0.0.11", kUdp, kTcp);
    EXPECT_EQ(resolver.udp_port, 0xA6F3);
    EXPECT_EQ(resolver.tcp_port, 0x8C21);
}

TEST(LoopbackResolver, IsAssumedAtTheUsualPortOtherwise) {
    const auto resolver = find_resolver("127.0.0.53", kUdp, kTcp);
    EXPECT_EQ(resolver.udp_port, 53);
    EXPECT_EQ(resolver.tcp_port, 53);
}

LinkPlan with_resolver() {
    auto link = plan_link({}, 1500, false).value();
    link.resolver = LoopbackResolver{"127.0.0.11", 1111, 2222};
    return link;
}

TEST(Rules, PassTheResolverOnAndNothingElseOfTheOuterLoopback) {
    const auto rules = outer_rules(with_resolver(), Family::Ipv4, true);
    EXPECT_THAT(
        rules,
        HasSubstr("-i engine0 -d 10.77.213.1 -p udp --dport 53 -j DNAT --to-destination 127.0.0.11:1111"));
    EXPECT_THAT(
        rules,
        HasSubstr("-i engine0 -d 10.77.213.1 -p tcp --dport 53 -j DNAT --to-destination 127.0.0.11:2222"));
    EXPECT_THAT(rules, HasSubstr("-I INPUT -i engine0 -d 127.0.0.0/8 -m conntrack ! --ctstate DNAT -j DROP"));
}

TEST(Rules, LeaveOuterListenersTheirPorts) {
    const auto rules = outer_rules(with_resolver(), Family::Ipv4, true);
    EXPECT_LT(rules.find("-p tcp -m addrtype --dst-type LOCAL -m socket --nowildcard -j RETURN"),
              rules.find("-p tcp -m addrtype --dst-type LOCAL -j DNAT --to-destination 10.77.213.2"));
    EXPECT_THAT(outer_rules(with_resolver(), Family::Ipv4, false), Not(HasSubstr("socket")));
}

TEST(Rules, WithoutALoopbackResolverTheEngineNeedsNoneOfItsOwn) {
    EXPECT_EQ(inner_rules(plan_link({}, 1500, false).value()), "");
    EXPECT_THAT(inner_rules(with_resolver()), HasSubstr("-A OUTPUT -d 127.0.0.11 -p udp --dport 53 -j DNAT"));
}

// Every chain and rule that is made is removed again, in both families.
TEST(Rules, RemovalUndoesEveryJump) {
    for (const auto family : {Family::Ipv4, Family::Ipv6}) {
        auto link = plan_link({}, 1500, true).value();
        link.resolver = LoopbackResolver{"127.0.0.11", 1111, 2222};
        const auto rules = outer_rules(link, family, true);
        const auto removal = outer_rules_removal(link, family);
        for (const char* chain : {"PREROUTING", "POSTROUTING", "INPUT", "FORWARD"}) {
            const auto count = [&](const std::string& text, const std::string& prefix) {
                std::size_t found = 0;
                for (auto at = text.find(prefix + chain); at != std::string::npos;
                     at = text.find(prefix + chain, at + 1))
                    ++found;
                return found;
            };
            EXPECT_EQ(count(rules, "-A ") + count(rules, "-I "), count(removal, "-D ")) << chain;
        }
    }
}

TEST(ResolvConf, NamesTheGatewayInsteadOfALoopbackResolver) {
    const auto text =
        engine_resolv_conf("search ci.example\nnameserver 127.0.0.11\noptions ndots:0\n", with_resolver());
    EXPECT_EQ(text, "search ci.example\nnameserver 10.77.213.1\n");
    EXPECT_EQ(engine_resolv_conf("nameserver 127.0.0.11\noptions edns0 ndots:0\n", with_resolver()),
              "nameserver 10.77.213.1\noptions edns0\n");
}

TEST(ResolvConf, KeepsServersThatTheEngineCanReach) {
    const auto link = plan_link({}, 1500, false).value();
    EXPECT_EQ(engine_resolv_conf("nameserver 10.96.0.10\n", link), "nameserver 10.96.0.10\n");
}

}  // namespace
}  // namespace supervisor::engine
