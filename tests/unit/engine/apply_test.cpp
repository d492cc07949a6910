#include "engine/apply.hpp"

#include <stdlib.h>

#include <fstream>

#include "engine/certificates.hpp"
#include "engine/resolver_relay.hpp"
#include "plan_fixture.hpp"
#include "sys/files.hpp"

namespace supervisor::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

TEST(FirewallLinks, D5_NameTheSixProgramsOfTheChosenBackend) {
    const auto links = firewall_links(IptablesBackend::Legacy, good_host());
    EXPECT_THAT(links, ElementsAre(Pair("iptables", "/usr/sbin/iptables-legacy"),
                                   Pair("iptables-save", "/usr/sbin/iptables-legacy-save"),
                                   Pair("iptables-restore", "/usr/sbin/iptables-legacy-restore"),
                                   Pair("ip6tables", "/usr/sbin/ip6tables-legacy"),
                                   Pair("ip6tables-save", "/usr/sbin/ip6tables-legacy-save"),
                                   Pair("ip6tables-restore", "/usr/sbin/ip6tables-legacy-restore")));
    EXPECT_TRUE(firewall_links(IptablesBackend::None, good_host()).empty());
}

TEST(ResolverRelayRules, D4_RedirectTheBridgesPort53ToTheResolversOwnPorts) {
    const ResolverRelay relay{"172.18.0.1", "127.0.0.11"};
    const LoopbackResolver resolver{"127.0.0.11", 40001, 40002};
    EXPECT_EQ(
        relay_rules(relay, resolver),
        "*nat\n"
        "-I PREROUTING -d 172.18.0.1/32 -p udp -m udp --dport 53 -j DNAT --to-destination 127.0.0.11:40001\n"
        "-I PREROUTING -d 172.18.0.1/32 -p tcp -m tcp --dport 53 -j DNAT --to-destination 127.0.0.11:40002\n"
        "COMMIT\n");
    EXPECT_THAT(relay_rules_removal(relay, resolver), HasSubstr("-D PREROUTING"));
}

struct CertificatesTest : ::testing::Test {
    CertificatesTest() { directory = ::mkdtemp(name); }
    ~CertificatesTest() override { (void)sys::remove_tree(directory); }
    void file(const std::string& path, const std::string& text) const {
        std::ofstream(directory + "/" + path) << text;
    }
    char name[32] = "/tmp/certificates-XXXXXX";
    std::string directory;
};

constexpr const char* kCertificate = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----";

TEST_F(CertificatesTest, AreCopiedAndWhatIsNoneIsNoted) {
    file("company.crt", kCertificate);
    file("broken.crt", "nothing");
    file("notes.txt", "nothing");
    const auto notes = install_certificates(directory, directory + "/target");
    ASSERT_TRUE(notes) << notes.error().message();
    EXPECT_THAT(*notes, ElementsAre(HasSubstr("broken.crt holds no PEM"), HasSubstr("notes.txt is neither")));
    EXPECT_THAT(sys::list_directory(directory + "/target").value(), ElementsAre("company.crt"));
}

TEST_F(CertificatesTest, BundleHoldsEachOnItsOwnLines) {
    file("a.crt", kCertificate);
    file("b.pem", kCertificate);
    ASSERT_TRUE(write_bundle(directory, directory + "/bundle"));
    EXPECT_THAT(sys::read_file_or(directory + "/bundle"),
                HasSubstr("-----END CERTIFICATE-----\n-----BEGIN CERTIFICATE-----"));
}

TEST_F(CertificatesTest, MissingDirectoryIsNamed) {
    const auto notes = install_certificates(directory + "/none", directory + "/target");
    ASSERT_FALSE(notes);
    EXPECT_THAT(notes.error().message(), HasSubstr("/none"));
}

}  // namespace
}  // namespace supervisor::engine
