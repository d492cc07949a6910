// Named after the catalogue: D network.
#include <algorithm>
#include <cerrno>

#include "engine/environment.hpp"
#include "plan_fixture.hpp"

namespace supervisor::engine {
namespace {

using NetworkPlan = PlanTest;

sys::Route4 route(const std::string& range) {
    const auto parsed = parse_ipv4_range(range).value();
    return {"eth0", parsed.address, parsed.mask(), 0, 0};
}

TEST_F(NetworkPlan, D1_SmallMtuOfTheWayOutIsFollowed) {
    host.network.default_mtu = 1400;
    const auto config = daemon_config(drafted(), settings, choices);
    EXPECT_EQ(config.file.at("mtu"), 1400);
}

TEST_F(NetworkPlan, D1_LargeMtuIsNot) {
    host.network.default_mtu = 9001;
    EXPECT_FALSE(drafted().network.mtu.has_value());
}

TEST_F(NetworkPlan, D2_NewNetworksGetTheMtuToo) {
    host.network.default_mtu = 1400;
    const auto config = daemon_config(drafted(), settings, choices);
    EXPECT_EQ(config.file.at("default-network-opts").at("bridge").at("com.docker.network.driver.mtu"),
              "1400");
}

TEST_F(NetworkPlan, D2_EnginesBefore24CannotAndSaySo) {
    host.network.default_mtu = 1400;
    engine.version = {20, 10, 24};
    const auto plan = drafted();
    EXPECT_THAT(plan, Warns("before 24.0"));
    EXPECT_FALSE(daemon_config(plan, settings, choices).file.contains("default-network-opts"));
}

TEST_F(NetworkPlan, D3_BridgeAvoidsTheOuterBridge) {
    host.network.routes = {route("172.17.0.0/16")};
    const auto plan = drafted();
    EXPECT_EQ(plan.network.addresses->bridge.text(), "172.18.0.0/16");
}

TEST_F(NetworkPlan, D3_PoolsAvoidResolversAndServices) {
    host.network.resolver.nameservers = {"172.20.0.10"};
    host.network.service_address = "172.21.0.1";
    const auto plan = drafted();
    for (const auto& pool : plan.network.addresses->pools) {
        EXPECT_FALSE(pool.base.overlaps(*parse_ipv4_range("172.20.0.10"))) << pool.base.text();
        EXPECT_FALSE(pool.base.overlaps(*parse_ipv4_range("172.21.0.0/16"))) << pool.base.text();
    }
}

TEST_F(NetworkPlan, D3_FreeNeighboursAreJoinedIntoOnePool) {
    std::string text;
    const auto plan = drafted();
    for (const auto& pool : plan.network.addresses->pools) text += pool.base.text() + " ";
    EXPECT_EQ(text, "172.18.0.0/15 172.20.0.0/14 172.24.0.0/13 192.168.0.0/16 ");
}

TEST_F(NetworkPlan, D3_WideRoutesLeaveTheRangesOfLastResort) {
    host.network.routes = {route("172.16.0.0/12"), route("192.168.0.0/16")};
    EXPECT_EQ(drafted().network.addresses->bridge.text(), "10.200.0.0/16");
}

TEST_F(NetworkPlan, D3_NoRangeLeftIsAnError) {
    host.network.routes = {route("172.16.0.0/12"), route("192.168.0.0/16"), route("10.0.0.0/8")};
    EXPECT_THAT(drafted(), FailsSaying("no free private IPv4 range"));
}

TEST_F(NetworkPlan, D3_UsersRangesWin) {
    choose(R"({"bip": "10.9.0.1/24"})");
    const auto plan = drafted();
    EXPECT_FALSE(plan.network.addresses.has_value());
    EXPECT_EQ(daemon_config(plan, settings, choices).file.at("bip"), "10.9.0.1/24");
}

TEST_F(NetworkPlan, D4_LoopbackResolverIsPassedOn) {
    host.network.resolver.nameservers = {"127.0.0.11"};
    const auto plan = drafted();
    ASSERT_TRUE(plan.network.relay.has_value());
    EXPECT_EQ(plan.network.relay->listen, "172.17.0.1");
    EXPECT_EQ(plan.network.relay->target, "127.0.0.11");
    EXPECT_THAT(plan.network.dns, ::testing::ElementsAre("172.17.0.1"));
}

TEST_F(NetworkPlan, D4_ReachableResolversAreLeftToTheEngine) {
    const auto plan = drafted();
    EXPECT_FALSE(plan.network.relay.has_value());
    EXPECT_TRUE(plan.network.dns.empty());
}

TEST_F(NetworkPlan, D4_LoopbackResolverWithoutAFilterWarns) {
    host.network.resolver.nameservers = {"127.0.0.11"};
    choose("", {"--iptables=false"});
    EXPECT_THAT(drafted(), Warns("answers only on loopback"));
}

TEST_F(NetworkPlan, D5_NftWhereTheKernelTakesANatChain) {
    EXPECT_EQ(drafted().network.backend, IptablesBackend::Nft);
}

TEST_F(NetworkPlan, D5_LegacyWhereNftablesHasNoNat) {
    host.network.netfilter.nat4_error = EAFNOSUPPORT;
    EXPECT_EQ(drafted().network.backend, IptablesBackend::Legacy);
}

TEST_F(NetworkPlan, D5_LegacyWhereItIsInUseAlready) {
    host.network.netfilter.legacy_tables = true;
    EXPECT_EQ(drafted().network.backend, IptablesBackend::Legacy);
}

TEST_F(NetworkPlan, D6_NoBackendIsAnErrorWithTheReason) {
    host.network.netfilter.nat4_error = EAFNOSUPPORT;
    host.programs.erase("iptables-legacy");
    EXPECT_THAT(drafted(), FailsSaying("Address family not supported"));
}

TEST_F(NetworkPlan, D6_WithoutIptablesOnRequestItStillStarts) {
    host.programs.clear();
    choose("", {"--iptables=false"});
    const auto plan = drafted();
    EXPECT_THAT(plan, Suits());
    EXPECT_THAT(plan, Warns("no published ports"));
}

TEST_F(NetworkPlan, NftablesBackendNeedsItsProgram) {
    choose(R"({"firewall-backend": "nftables"})");
    EXPECT_THAT(drafted(),
                FailsSaying("daemon.json asks for the nftables backend, and the program nft is not"));
    EXPECT_THAT(drafted(), FailsSaying("--with nftables"));
    host.programs["nft"] = "/usr/sbin/nft";
    EXPECT_THAT(drafted(), Suits());
    choose("", {"--firewall-backend=iptables"});
    host.programs.erase("nft");
    EXPECT_THAT(drafted(), Suits());
}

TEST_F(NetworkPlan, KernelWithoutBridgesIsAnErrorThatSaysWhatStillWorks) {
    host.network.bridge = {true, EOPNOTSUPP};
    EXPECT_THAT(drafted(), FailsSaying("this kernel has no bridges"));
    EXPECT_THAT(drafted(), FailsSaying("--bridge=none --iptables=false"));
}

TEST_F(NetworkPlan, RefusedBridgeIsNamedWithTheReason) {
    host.network.bridge = {true, EPERM};
    EXPECT_THAT(drafted(), FailsSaying("makes no bridge here (Operation not permitted)"));
}

TEST_F(NetworkPlan, WithoutABridgeOnRequestItStillStarts) {
    host.network.bridge = {true, EOPNOTSUPP};
    choose("", {"--bridge=none", "--iptables=false"});
    const auto plan = drafted();
    EXPECT_THAT(plan, Suits());
    EXPECT_THAT(plan, Warns("host network or none"));
    EXPECT_FALSE(plan.network.addresses);
}

TEST_F(NetworkPlan, D7_NoRawTableTurnsItsRulesOffOnEnginesThatWantThem) {
    struct Case {
        EngineVersion version;
        bool legacy;
        int nft_error;
        int legacy_error;
        bool without;
    };
    const Case cases[] = {{{28, 5, 2}, false, 0, 0, false},      {{28, 5, 2}, false, ENOENT, 0, true},
                          {{28, 5, 2}, false, 0, ENOENT, false}, {{29, 7, 2}, true, 0, ENOENT, true},
                          {{29, 7, 2}, true, ENOENT, 0, false},  {{27, 5, 1}, false, ENOENT, ENOENT, false}};
    for (const auto& [version, legacy, nft_error, legacy_error, without] : cases) {
        engine.version = version;
        host.network.netfilter.legacy_tables = legacy;
        host.network.netfilter.raw4_error = nft_error;
        host.network.netfilter.legacy_raw4_error = legacy_error;
        const auto plan = drafted();
        EXPECT_THAT(plan, Suits());
        EXPECT_EQ(plan.network.without_raw, without) << version.text() << legacy << nft_error << legacy_error;
        const auto environment = engine_environment({}, plan, settings);
        EXPECT_EQ(std::count(environment.begin(), environment.end(), "DOCKER_INSECURE_NO_IPTABLES_RAW=1"),
                  without);
        EXPECT_EQ(all_text(plan).find("neighbours on the outer network") != std::string::npos, without);
    }
}

TEST_F(NetworkPlan, D9_BridgeFilterIsOnlyMissedWhereASettingNeedsIt) {
    EXPECT_EQ(all_text(drafted()).find("br_netfilter"), std::string::npos);
    lose(sys::kCapSysModule);
    for (const char* setting : {"userland-proxy", "icc"}) {
        choose("{\"" + std::string(setting) + "\": false}");
        host.network.bridge_filter = true;
        EXPECT_THAT(drafted(), Suits());
        host.network.bridge_filter = false;
        // 26.1 goes on by itself only where it sees that it is in a container.
        host.docker_marker = false;
        EXPECT_THAT(drafted(),
                    FailsSaying("\"" + std::string(setting) + "\" is off in /etc/docker/daemon.json"));
        EXPECT_THAT(drafted(), FailsSaying("modprobe br_netfilter"));
        host.docker_marker = true;
        EXPECT_THAT(drafted(), Suits());
        EXPECT_THAT(drafted(), Warns("no br_netfilter"));
    }
}

TEST_F(NetworkPlan, D9_LaterEnginesAreToldToDoWithoutIt) {
    choose(R"({"icc": false})");
    engine.version = {28, 5, 2};
    const auto plan = drafted();
    EXPECT_THAT(plan, Warns("not kept apart"));
    EXPECT_THAT(engine_environment({}, plan, settings),
                ::testing::Contains("DOCKER_IGNORE_BR_NETFILTER_ERROR=1"));
}

TEST_F(NetworkPlan, F7_AnApiForEverybodyIsWarnedOf) {
    struct Case {
        const char* arguments;
        bool warned;
    };
    const Case cases[] = {{"--host=tcp://localhost:2375", false}, {"--host=tcp://127.0.0.1:2375", false},
                          {"--host=tcp://[::1]:2375", false},     {"--host=unix:///run/other.sock", false},
                          {"--host=tcp://0.0.0.0:2375", true},    {"--host=tcp://:2375", true},
                          {"--host=tcp://10.1.2.3:2375", true}};
    for (const auto& [arguments, warned] : cases) {
        choose("", {arguments});
        const auto plan = drafted();
        EXPECT_THAT(plan, Suits());
        EXPECT_EQ(all_text(plan).find("owns the engine") != std::string::npos, warned) << arguments;
        choose("", {arguments, "--tlsverify"});
        EXPECT_EQ(all_text(drafted()).find("owns the engine"), std::string::npos) << arguments;
    }
}

TEST_F(NetworkPlan, D8_NoIp6tablesWithoutIpv6) {
    engine.version = {28, 5, 0};
    EXPECT_FALSE(drafted().network.ip6tables);
    host.network.ipv6 = true;
    EXPECT_TRUE(drafted().network.ip6tables);
}

TEST_F(NetworkPlan, D8_NoIp6tablesWhereTheKernelHasNone) {
    engine.version = {28, 5, 0};
    host.network.ipv6 = true;
    host.network.netfilter.nat6_error = ENOENT;
    EXPECT_THAT(drafted(), Warns("no NAT for it"));
}

TEST_F(NetworkPlan, D10_ReadOnlyProcSysIsRemountedOrAnError) {
    host.network.proc_sys_read_only = true;
    EXPECT_TRUE(drafted().mounts.writable_proc_sys);
    host.network.ip_forward_on = true;  // interfaces have sysctls of their own
    EXPECT_TRUE(drafted().mounts.writable_proc_sys);
    host.network.ip_forward_on = false;
    lose(sys::kCapSysAdmin);
    EXPECT_THAT(drafted(), FailsSaying("/proc/sys is read-only"));
}

}  // namespace
}  // namespace supervisor::engine
