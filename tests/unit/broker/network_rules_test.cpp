// Ports and addresses of the host, subnets and networks.
#include "rules_fixture.hpp"

namespace supervisor::broker {
namespace {

// Row "PortBindings HostIp/HostPort, PublishAllPorts".
TEST_F(Rules, PortsThatNobodyElseNeedsPass) {
    EXPECT_FALSE(host(
        R"("PublishAllPorts":true,"PortBindings":{"80/tcp":[{"HostIp":"","HostPort":""},{"HostIp":"0.0.0.0","HostPort":"1024"},{"HostIp":"::","HostPort":"65535"},{"HostIp":"::1","HostPort":"0"}],"53/udp":[{"HostIp":"127.8.0.1","HostPort":"5353"}],"7/sctp":[{"HostPort":"8000-8010"}],"9/tcp":null,"10/tcp":[]})"));
    const auto verdict = host(R"("PortBindings":{"80/tcp":[{"HostPort":"80"}]})");
    EXPECT_THAT(verdict->message, HasSubstr("HostConfig.PortBindings.80/tcp.HostPort"));
    EXPECT_THAT(verdict->message, HasSubstr("1024-65535"));
    EXPECT_THAT(verdict->message, HasSubstr("host-ports"));
    for (const char* binding :
         {R"({"HostPort":"+8080"})", R"({"HostPort":"8080 "})", R"({"HostPort":8080})",
          R"({"HostPort":"9000-8000"})", R"({"HostPort":"65536"})", R"({"HostPort":"8080/tcp"})",
          R"({"hostport":"8080"})", R"({"HostIp":"0x7f.1","HostPort":""})", R"({"HostIp":"127.0.0.1/8"})",
          R"("8080")"})
        EXPECT_EQ(host(R"("PortBindings":{"80/tcp":[)" + std::string(binding) + "]}")->status, 400)
            << binding;
}

TEST_F(Rules, PolicyFileSaysWhichPortsAndAddressesAreAccepted) {
    const auto policy =
        Policy::parse(R"({"host_ports":["443","20000-29999"],"host_addresses":["127.0.0.1"]})");
    ASSERT_TRUE(policy);
    EXPECT_FALSE(host(R"("PortBindings":{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"443"}]})", *policy));
    EXPECT_EQ(host(R"("PortBindings":{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"8080"}]})", *policy)->rule,
              "host-ports");
    // All addresses, in their various spellings.
    for (const char* member :
         {R"("PublishAllPorts":true)", R"("PortBindings":{"80/tcp":[{"HostPort":"443"}]})",
          R"("PortBindings":{"80/tcp":[null]})", R"("PortBindings":{"80/tcp":[{"HostIp":"::"}]})",
          R"("PortBindings":{"80/tcp":[{"HostIp":"","HostPort":""}]})"})
        EXPECT_EQ(host(member, *policy)->rule, "host-addresses") << member;
}

// The host has a route to every subnet of its networks: what else it would reach there ends at the job.
TEST_F(Rules, SubnetsThatTheHostMayUseOtherwiseAreRefused) {
    auto rule_scope = scope(policy_);
    const auto create_with = [&](const std::string& pool) {
        body = parse_json(R"({"Name":"n","IPAM":{"Config":[{}, )" + pool + "]}}")->as_object();
        return rewrite_network(rule_scope, body);
    };
    for (const char* subnet :
         {"10.0.0.0/8", "140.82.112.0/20", "169.254.169.254/32", "127.0.0.0/8", "0.0.0.0/0", "172.16.0.0/12",
          "172.17.0.0/16", "172.31.0.0/16", "172.20.0.0/13", "192.168.1.0/24", "2001:db8::/64", "::/0",
          "::ffff:172.20.0.0/112"}) {
        const auto verdict = create_with(R"({"Subnet":")" + std::string(subnet) + "\"}");
        ASSERT_TRUE(verdict) << subnet;
        EXPECT_EQ(verdict->rule, "subnets") << subnet;
        EXPECT_THAT(verdict->message, HasSubstr("IPAM.Config[1].Subnet"));
    }
    for (const char* pool : {R"({"subnet":"10.0.0.0/8"})", R"({"Subnet":"172.20.0.0/016x"})",
                             R"({"Subnet":["172.20.0.0/16"]})", R"("10.0.0.0/8")"})
        EXPECT_EQ(create_with(pool)->status, 400) << pool;
    const auto policy = Policy::parse(R"({"subnets":["10.9.0.0/16"]})");
    auto wider = scope(*policy);
    body = parse_json(R"({"Name":"n","IPAM":{"Config":[{"Subnet":"10.9.3.0/24"}]}})")->as_object();
    EXPECT_FALSE(rewrite_network(wider, body));
    body = parse_json(R"({"Name":"n","IPAM":{"Config":[{"Subnet":"172.20.0.0/16"}]}})")->as_object();
    EXPECT_EQ(rewrite_network(wider, body)->rule, "subnets");
}

TEST_F(Rules, NetworksAreBridgesWithHiddenNames) {
    auto rule_scope = scope(policy_);
    body =
        parse_json(
            R"({"Name":"app","Driver":"bridge","CheckDuplicate":false,"ConfigFrom":{"Network":""},"IPAM":{"Driver":"default","Config":[{"Subnet":"172.20.9.0/24","Gateway":"172.20.9.1"},{"Subnet":"fd00:1::/64"},{}]}})")
            ->as_object();
    ASSERT_FALSE(rewrite_network(rule_scope, body));
    EXPECT_EQ(body["Name"], json::value(names.hidden("app")));
    EXPECT_EQ(body["CheckDuplicate"], json::value(true));
    EXPECT_EQ(body["Labels"].at("org.gocd.agent.id"), json::value("agent"));
}

TEST_F(Rules, NetworkDriversAndOptionsAreRefused) {
    for (const char* member :
         {R"("Driver":"ipvlan")", R"("Driver":"overlay")", R"("Driver":"host")", R"("Driver":"null")",
          R"("Options":{"com.docker.network.bridge.trusted_host_interfaces":"eth0"})",
          R"("Options":{"com.docker.network.bridge.host_binding_ipv4":"0.0.0.0"})",
          R"("IPAM":{"Options":{"a":"b"}})", R"("Driver":"macvlan")", R"("Options":{"parent":"eth0"})",
          R"("Options":{"com.docker.network.bridge.name":"docker0"})", R"("ConfigFrom":{"Network":"x"})",
          R"("Ingress":true)", R"("Scope":"swarm")", R"("IPAM":{"Driver":"x"})", R"("ConfigOnly":true)"}) {
        auto rule_scope = scope(policy_);
        body = parse_json(R"({"Name":"n",)" + std::string(member) + "}")->as_object();
        const auto verdict = rewrite_network(rule_scope, body);
        ASSERT_TRUE(verdict) << member;
        EXPECT_EQ(verdict->rule, "network-drivers") << member;
    }
}

}  // namespace
}  // namespace supervisor::broker
