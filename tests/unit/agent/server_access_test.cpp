#include "agent/server_access.hpp"

#include <gmock/gmock.h>

namespace supervisor::agent {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Settings with_args(std::vector<std::string> args, std::vector<std::string> jvm_args = {},
                   std::string url = "https://ci.example.com/go") {
    Settings settings;
    settings.server_url = std::move(url);
    settings.bootstrapper_args = std::move(args);
    settings.bootstrapper_jvm_args = std::move(jvm_args);
    return settings;
}

TEST(ReadServerAccess, ReadsTheTlsArguments) {
    const auto access = read_server_access(with_args(
        {"-sslVerificationMode", "NO_VERIFY_HOST", "-rootCertFile", "/ca.pem", "-sslCertificateFile",
         "me.pem", "-sslPrivateKeyFile", "/me.key", "-sslPrivateKeyPassphraseFile", "/pass"}));
    ASSERT_TRUE(access) << access.error().message();
    EXPECT_EQ(access->verification, Verification::NoHost);
    EXPECT_EQ(access->client_certificate, "/go-working-dir/me.pem");
    EXPECT_THAT(access->agent_arguments(),
                ElementsAre("-sslVerificationMode", "NO_VERIFY_HOST", "-rootCertFile", "/ca.pem",
                            "-sslCertificateFile", "/go-working-dir/me.pem", "-sslPrivateKeyFile", "/me.key",
                            "-sslPrivateKeyPassphraseFile", "/pass"));
}

TEST(ReadServerAccess, AddsNothingForTheDefaults) {
    const auto access = read_server_access(with_args({}));
    EXPECT_EQ(access->verification, Verification::Full);
    EXPECT_THAT(access->agent_arguments(), IsEmpty());
    EXPECT_EQ(access->proxy, "");
}

TEST(ReadServerAccess, NamesWhatItRefuses) {
    EXPECT_THAT(read_server_access(with_args({"-sslVerificationMode", "MAYBE"})).error().message(),
                HasSubstr("AGENT_BOOTSTRAPPER_ARGS: 'MAYBE'"));
    EXPECT_THAT(read_server_access(with_args({"-serverurl", "x"})).error().message(),
                HasSubstr("'-serverurl'"));
    EXPECT_THAT(read_server_access(with_args({"-rootCertFile"})).error().message(),
                HasSubstr("needs a value"));
    EXPECT_THAT(read_server_access(with_args({"-sslCertificateFile", "/c"})).error().message(),
                HasSubstr("belong together"));
}

TEST(ReadServerAccess, FindsTheProxyOfTheServersScheme) {
    const std::vector<std::string> proxies = {"-Dhttp.proxyHost=plain", "-Dhttp.proxyPort=3128",
                                              "-Dhttps.proxyHost=secure", "-Dhttps.proxyPort=3129"};
    EXPECT_EQ(read_server_access(with_args({}, proxies, "http://a/go"))->proxy, "http://plain:3128");
    EXPECT_EQ(read_server_access(with_args({}, proxies, "https://a/go"))->proxy, "http://secure:3129");
    EXPECT_EQ(read_server_access(with_args({}, {"-Dhttp.proxyHost=p"}, "http://a/go"))->proxy, "http://p:80");
    EXPECT_EQ(read_server_access(with_args({}, {"-Dhttp.proxyHost=p"}, "https://a/go"))->proxy, "");
    EXPECT_EQ(read_server_access(with_args({}, {"-Dhttp.proxyHost=p"}, "http://localhost:8153/go"))->proxy,
              "direct");
    EXPECT_EQ(read_server_access(with_args({}, {"-Dhttps.proxyHost=p", "-Dhttp.nonProxyHosts=*.example.com"}))
                  ->proxy,
              "direct");
}

TEST(ReadServerAccess, ListsWhatOnlyAJvmCanFollow) {
    const auto access = read_server_access(
        with_args({}, {"-Xmx64m", "-XX:+UseG1GC", "-Dhttp.proxyHost=p", "-Djavax.net.ssl.trustStore=/t.jks",
                       "-javaagent:/a.jar", "-Dagent.bootstrapper.wait.time.before.relaunch.in.ms=1",
                       "-Djava.security.egd=file:/dev/./urandom", "-Djava.net.preferIPv4Stack=true"}));
    EXPECT_THAT(access->only_for_a_jvm, ElementsAre("-Djavax.net.ssl.trustStore", "-javaagent:/a.jar"));
}

TEST(ReadServerAccess, LeavesTheUserOfAProxyToAJvmAndNeverNamesThePassword) {
    auto settings =
        with_args({}, {"-Dhttp.proxyHost=p", "-Dhttp.proxyUser=u", "-Dhttp.proxyPassword=secret"});
    settings.inherited_jvm_flags = {"-Djavax.net.ssl.trustStorePassword=changeit"};
    EXPECT_THAT(
        read_server_access(settings)->only_for_a_jvm,
        ElementsAre("-Dhttp.proxyUser", "-Dhttp.proxyPassword", "-Djavax.net.ssl.trustStorePassword"));
}

TEST(ReadServerAccess, HeedsTheFlagsOfEveryJvm) {
    auto settings = with_args({}, {"-Dhttps.proxyPort=2"});
    settings.inherited_jvm_flags = {"-javaagent:/monitor.jar", "-Dhttps.proxyHost=p", "-Dhttps.proxyPort=1",
                                    "-Djavax.net.ssl.trustStore=/t"};
    const auto access = read_server_access(settings);
    EXPECT_EQ(access->proxy, "http://p:2");
    EXPECT_THAT(access->only_for_a_jvm, ElementsAre("-Djavax.net.ssl.trustStore"));
}

TEST(WithoutUser, HidesAPassword) {
    EXPECT_EQ(without_user("https://user:p%40ss@ci.example.com:8154/go/admin"),
              "https://ci.example.com:8154/go/admin");
    EXPECT_EQ(without_user("http://ci/go?a=b@c"), "http://ci/go?a=b@c");
}

TEST(MatchesNonProxyHosts, IsJavasRule) {
    struct Case {
        const char *host, *patterns;
        bool matches;
    };
    for (const auto& c : std::vector<Case>{{"ci.example.com", "*.example.com", true},
                                           {"example.com", "*.example.com", false},
                                           {"CI.Example.com", "ci.example.COM", true},
                                           {"10.1.2.3", "localhost|10.*", true},
                                           {"anything", "*", true},
                                           {"a.b.c", "*b*", true},
                                           {"::1", "[::1]", true},
                                           {"host", "", false},
                                           {"host", "hos", false}}) {
        EXPECT_EQ(matches_non_proxy_hosts(c.host, c.patterns), c.matches) << c.host << ' ' << c.patterns;
    }
}

TEST(HostOf, TakesTheHostOut) {
    EXPECT_EQ(host_of("https://user:pw@ci.example.com:8154/go"), "ci.example.com");
    EXPECT_EQ(host_of("http://[fd00::1]:8153/go"), "fd00::1");
    EXPECT_EQ(host_of("http://plain/go"), "plain");
}

}  // namespace
}  // namespace supervisor::agent
