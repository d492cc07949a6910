// The outer network, seen from inside the inner engine.
#include <gmock/gmock.h>

#include "e2e/fixture.hpp"

namespace e2e {
namespace {

using test_support::Network;
using test_support::trimmed;
using ::testing::HasSubstr;

class OuterNetwork : public EndToEnd {};

TEST_F(OuterNetwork, NamesOfAUserNetworkResolveInInnerContainers) {
    const Network network("net");
    Container server(
        {.options = {"--network", network.name(), "--network-alias", "artifacts"},
         .image = "inner-busybox:test",
         .command = {"sh", "-c", "mkdir /www && echo outer >/www/index.html && exec httpd -f -p 80 -h /www"},
         .name_hint = "artifacts"});
    ASSERT_EQ(server.start_failure(), "");
    Container agent(dind({"--network", network.name()}, {"--", "sleep", "600"}));
    ASSERT_TRUE(becomes_healthy(agent)) << agent.logs();
    ASSERT_TRUE(load_inner_image(agent));
    // Applets that ask the DNS themselves: a static wget would ask for libraries that the image has not.
    const auto fetched =
        agent.exec({"docker", "run", "--rm", "inner-busybox:test", "sh", "-c",
                    "address=$(nslookup artifacts | awk '/^Address/ {a=$NF} END {print a}'); "
                    "printf 'GET /index.html HTTP/1.0\\r\\n\\r\\n' | nc -w 10 $address 80 | tail -n 1"});
    EXPECT_EQ(fetched.out, "outer\n") << fetched.text() << agent.logs();
}

std::string ipv6_of(const std::string& container) {
    return trimmed(
        test_support::docker(
            {"inspect", "-f", "{{range .NetworkSettings.Networks}}{{.GlobalIPv6Address}}{{end}}", container})
            .out);
}

// Outwards from a job and from a container in the engine's own network, inwards to a published port, and
// between two inner containers.
TEST_F(OuterNetwork, Ipv6PassesWhereTheOuterSideHasIt) {
    const Network network("six", {"--ipv6", "--subnet", "fd66:67:68::/64"});
    const auto serve = [](const std::string& word) {
        return "mkdir -p /www && echo " + word + " >/www/page && exec httpd -f -p \"[::]:80\" -h /www";
    };
    Container server({.options = {"--network", network.name()},
                      .image = "inner-busybox:test",
                      .command = {"sh", "-c", serve("outer")},
                      .name_hint = "server"});
    ASSERT_EQ(server.start_failure(), "");
    Container agent(dind({"--network", network.name()}, {"--", "sleep", "600"}));
    ASSERT_TRUE(becomes_healthy(agent)) << agent.logs();
    ASSERT_THAT(agent.logs(), HasSubstr("containment userns"));
    ASSERT_TRUE(load_inner_image(agent));
    const auto outer = ipv6_of(server.name());
    ASSERT_THAT(outer, HasSubstr("fd66:67:68:"));
    const auto job = [&](const std::string& line) {
        return agent.exec_as("go", {"sh", "-c", line}, seconds(60));
    };
    const std::string get = "printf 'GET /page HTTP/1.0\\r\\n\\r\\n' | nc -w 10 ";
    const auto box = [&](const std::string& options, const std::string& address) {
        return job("docker run --rm " + options + " inner-busybox:test sh -c \"" + get + address +
                   " | tail -n 1\"");
    };
    EXPECT_EQ(job("curl -sSg 'http://[" + outer + "]/page'").out, "outer\n") << agent.logs();
    const auto host_network = box("--network=host", outer + " 80");
    EXPECT_EQ(host_network.out, "outer\n") << host_network.text();
    job("docker network create --ipv6 --subnet fd77:78:79::/64 six; "
        "docker run -d --name web --network six -p 8080:80 inner-busybox:test sh -c '" +
        serve("inner") + "'");
    const auto inner =
        trimmed(job("docker inspect -f '{{.NetworkSettings.Networks.six.GlobalIPv6Address}}' web").out);
    ASSERT_THAT(inner, HasSubstr("fd77:78:79:"));
    const auto between = box("--network six", inner + " 80");
    EXPECT_EQ(between.out, "inner\n") << between.text();
    EXPECT_EQ(job("curl -sSg 'http://[::1]:8080/page'").out, "inner\n");
    const auto inwards =
        server.exec({"sh", "-c", get + ipv6_of(agent.name()) + " 8080 | tail -n 1"}, seconds(30));
    EXPECT_EQ(inwards.out, "inner\n") << inwards.text();
}

TEST_F(OuterNetwork, MtuIsCarriedInwards) {
    const Network network("mtu", {"-o", "com.docker.network.driver.mtu=1400"});
    Container agent(dind({"--network", network.name()}, {"--", "sleep", "600"}));
    ASSERT_TRUE(becomes_healthy(agent)) << agent.logs();
    ASSERT_TRUE(load_inner_image(agent));
    for (const char* kind : {"bridge", "made-inside"}) {
        agent.exec({"docker", "network", "create", "made-inside"});
        const auto mtu = agent.exec({"docker", "run", "--rm", "--network", kind, "inner-busybox:test", "cat",
                                     "/sys/class/net/eth0/mtu"});
        EXPECT_LE(std::atoi(mtu.out.c_str()), 1400) << kind << ": " << mtu.text();
        EXPECT_GT(std::atoi(mtu.out.c_str()), 1000) << kind << ": " << mtu.text();
    }
}

// From an inner container through the small outer link to another container and back, more than one window of
// it.
TEST_F(OuterNetwork, D1_InnerTransfersReallyPassASmallOuterMtu) {
    const Network network("transfer", {"-o", "com.docker.network.driver.mtu=1400"});
    Container server({.options = {"--network", network.name()},
                      .image = "inner-busybox:test",
                      .command = {"sh", "-c",
                                  "mkdir /www && head -c 8000000 /dev/urandom >/www/file; "
                                  "exec httpd -f -p 80 -h /www"},
                      .name_hint = "server"});
    ASSERT_EQ(server.start_failure(), "");
    const auto address = trimmed(
        test_support::docker(
            {"inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", server.name()})
            .out);
    Container agent(dind({"--network", network.name()}, {"--", "sleep", "600"}));
    ASSERT_TRUE(becomes_healthy(agent)) << agent.logs();
    ASSERT_TRUE(load_inner_image(agent));
    agent.exec({"docker", "network", "create", "made-inside"});
    // nc, since a static wget would ask for libraries that the image has not; the file is the tail of the
    // answer.
    const std::string get = "GET /file HTTP/1.0\\r\\n\\r\\n";
    const std::string fetch = "printf '" + get + "' | nc -w 20 " + address + " 80 | tail -c 8000000 | md5sum";
    const auto sum =
        trimmed(test_support::docker({"exec", server.name(), "sh", "-c", "md5sum </www/file"}).out);
    ASSERT_THAT(sum, HasSubstr("-"));
    for (const char* kind : {"bridge", "made-inside"}) {
        const auto run =
            agent.exec({"docker", "run", "--rm", "--network", kind, "inner-busybox:test", "sh", "-c", fetch},
                       seconds(60));
        EXPECT_EQ(trimmed(run.out), sum) << kind << run.text();
    }
}

}  // namespace
}  // namespace e2e
