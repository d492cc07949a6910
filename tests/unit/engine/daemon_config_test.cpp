#include "engine/daemon_config.hpp"

#include "engine/containerd_config.hpp"
#include "engine/environment.hpp"
#include "plan_fixture.hpp"

namespace supervisor::engine {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using DaemonConfigTest = PlanTest;

TEST_F(DaemonConfigTest, UsersFileIsKeptAndCompleted) {
    choose(R"({"debug": true, "log-opts": {"max-size": "1m"}, "live-restore": false})");
    const auto file = daemon_config(drafted(), settings, choices).file;
    EXPECT_EQ(file.at("debug"), true);
    EXPECT_EQ(file.at("log-opts").at("max-size"), "1m");
    EXPECT_EQ(file.at("live-restore"), false);
    EXPECT_EQ(file.at("storage-driver"), "overlay2");
}

TEST_F(DaemonConfigTest, WhatArgumentsSayIsNotRepeatedInTheFile) {
    choose("", {"--mtu=1300", "--dns", "192.0.2.1", "-s", "vfs", "--live-restore=false"});
    const auto config = daemon_config(drafted(), settings, choices);
    for (const char* key : {"mtu", "dns", "storage-driver", "live-restore"})
        EXPECT_FALSE(config.file.contains(key)) << key;
    EXPECT_THAT(config.command,
                ElementsAre("dockerd", "--config-file", "/run/gocd-supervisor/engine/daemon.json",
                            "--mtu=1300", "--dns", "192.0.2.1", "-s", "vfs", "--live-restore=false"));
}

TEST_F(DaemonConfigTest, SettingGivenBothWaysIsAnErrorThatNamesBoth) {
    const auto read = UserChoices::read(R"({"registry-mirrors": ["https://a"]})", "/etc/docker/daemon.json",
                                        {"--registry-mirror=https://b"});
    ASSERT_FALSE(read);
    EXPECT_THAT(read.error().message(), HasSubstr("--registry-mirror in DOCKERD_ADDITIONAL_ARGS"));
    EXPECT_THAT(read.error().message(), HasSubstr("\"registry-mirrors\" in /etc/docker/daemon.json"));
}

TEST_F(DaemonConfigTest, BrokenFileIsNamedWithThePlace) {
    const auto read = UserChoices::read("{\"a\": }", "/etc/docker/daemon.json", {});
    ASSERT_FALSE(read);
    EXPECT_THAT(read.error().message(), HasSubstr("/etc/docker/daemon.json"));
}

TEST_F(DaemonConfigTest, HostsOfTheFileGoToTheCommandLine) {
    choose(R"({"hosts": ["tcp://127.0.0.1:2375", "fd://"]})");
    const auto config = daemon_config(drafted(), settings, choices);
    EXPECT_FALSE(config.file.contains("hosts"));
    EXPECT_THAT(config.command, Contains("tcp://127.0.0.1:2375"));
    EXPECT_THAT(config.command, Not(Contains("fd://")));
}

TEST_F(DaemonConfigTest, E13_UnprotectedTcpSaysSoAndSparesThePause) {
    choose("", {"--host=tcp://localhost:2375"});
    EXPECT_THAT(daemon_config(drafted(), settings, choices).command, Contains("--tls=false"));
    choose("", {"--host=tcp://0.0.0.0:2376", "--tlsverify"});
    EXPECT_THAT(daemon_config(drafted(), settings, choices).command, Not(Contains("--tls=false")));
}

TEST_F(DaemonConfigTest, UnknownOptionsPassThroughUntouched) {
    choose("", {"--new-thing", "value", "--other-thing"});
    const auto command = daemon_config(drafted(), settings, choices).command;
    EXPECT_THAT(std::vector<std::string>(command.end() - 3, command.end()),
                ElementsAre("--new-thing", "value", "--other-thing"));
}

TEST_F(DaemonConfigTest, WhatIsNoOptionIsAnError) {
    EXPECT_FALSE(UserChoices::read("", "f", {"dockerd"}));
    EXPECT_FALSE(UserChoices::read("", "f", {"--dns"}));
}

TEST_F(DaemonConfigTest, FeaturesAreMergedByMember) {
    choose(R"({"features": {"buildkit": true}})");
    const auto features = daemon_config(drafted(), settings, choices).file.at("features").as_object();
    EXPECT_EQ(features.at("buildkit"), true);
    EXPECT_EQ(features.at("containerd-snapshotter"), false);
}

TEST_F(DaemonConfigTest, FeatureArgumentsKeepOursOnTheCommandLineToo) {
    choose("", {"--feature=buildkit=true"});
    const auto config = daemon_config(drafted(), settings, choices);
    EXPECT_FALSE(config.file.contains("features"));
    EXPECT_THAT(config.command, Contains("--feature=containerd-snapshotter=false"));
}

TEST_F(DaemonConfigTest, LogsOfOtherDriversAreLeftAlone) {
    choose(R"({"log-driver": "syslog"})");
    EXPECT_FALSE(daemon_config(drafted(), settings, choices).file.contains("log-opts"));
}

TEST_F(DaemonConfigTest, AdoptsTheUsersDataRootBeforeProbing) {
    choose(R"({"data-root": "/data"})");
    ASSERT_TRUE(adopt_choices(choices, settings));
    EXPECT_EQ(settings.data_root, "/data");
    EXPECT_EQ(engine_paths(settings).containerd_root, "/data/containerd/daemon");
}

TEST_F(DaemonConfigTest, OwnContainerdIsRefused) {
    choose("", {"--containerd=/run/x.sock"});
    const auto adopted = adopt_choices(choices, settings);
    ASSERT_FALSE(adopted);
    EXPECT_THAT(adopted.error().message(), HasSubstr("containerd"));
}

TEST_F(DaemonConfigTest, TheCgroupDriverOfSystemdIsRefused) {
    choose(R"({"exec-opts": ["native.cgroupdriver=systemd"]})");
    const auto adopted = adopt_choices(choices, settings);
    ASSERT_FALSE(adopted);
    EXPECT_THAT(adopted.error().message(), HasSubstr("no systemd runs here"));
    choose(R"({"exec-opts": ["native.cgroupdriver=cgroupfs"]})");
    EXPECT_TRUE(adopt_choices(choices, settings));
}

TEST_F(DaemonConfigTest, TheUsualSocketAmongTheUsersHostsIsOurs) {
    choose(R"({"hosts": ["unix:///var/run/docker.sock", "tcp://127.0.0.1:2375"]})");
    const auto command = daemon_config(drafted(), settings, choices).command;
    EXPECT_THAT(command, Not(Contains(HasSubstr("unix://"))));
    EXPECT_THAT(command, Contains("tcp://127.0.0.1:2375"));
    choose("", {"--host=unix:///var/run/docker.sock", "-H", "unix:///run/docker.sock", "-H",
                "tcp://127.0.0.1:1"});
    EXPECT_THAT(daemon_config(drafted(), settings, choices).command, Not(Contains(HasSubstr("unix://"))));
}

TEST_F(DaemonConfigTest, ConfigFileOptionIsFoundInBothForms) {
    EXPECT_EQ(configuration_file_of({"--config-file=/x"}, "/d"), "/x");
    EXPECT_EQ(configuration_file_of({"-D", "--config-file", "/y"}, "/d"), "/y");
    EXPECT_EQ(configuration_file_of({"-D"}, "/d"), "/d");
}

TEST_F(DaemonConfigTest, ADirectoryInTheFilesPlaceIsNamedAndOnlyTheUsualFileMayBeMissing) {
    const auto directory = configuration_text("/proc", "/proc");
    ASSERT_FALSE(directory);
    EXPECT_THAT(directory.error().message(), HasSubstr("/proc is a directory"));
    EXPECT_EQ(configuration_text("/nonexistent", "/nonexistent").value_or("?"), "");
    EXPECT_FALSE(configuration_text("/nonexistent", "/etc/docker/daemon.json"));
    EXPECT_THAT(configuration_text("/proc/self/comm", "/x").value_or(""), HasSubstr("engine"));
}

TEST_F(DaemonConfigTest, A16_ContainerdKeepsOverlayfsAndDropsCriAndErofs) {
    const auto text = containerd_config(engine_paths(settings), ContainerdConfigVersion::Three);
    EXPECT_THAT(text, HasSubstr("version = 3"));
    EXPECT_THAT(text, HasSubstr("io.containerd.grpc.v1.cri"));
    EXPECT_THAT(text, HasSubstr("io.containerd.snapshotter.v1.erofs"));
    EXPECT_THAT(text, Not(HasSubstr("overlayfs")));
    EXPECT_THAT(text, HasSubstr("root = \"/var/lib/docker/containerd/daemon\""));
}

TEST_F(DaemonConfigTest, EnvironmentKeepsProxiesAndDropsClientVariablesAndSecrets) {
    const auto entries = engine_environment({{"HTTP_PROXY", "http://p"},
                                             {"DOCKER_HOST", "tcp://x"},
                                             {"DOCKER_TLS_VERIFY", "1"},
                                             {"DOCKER_DRIVER", "overlay2"},
                                             {"DOCKER_MIN_API_VERSION", "1.24"},
                                             {"AGENT_AUTO_REGISTER_KEY", "secret"},
                                             {"PATH", "/bin"}},
                                            drafted(), settings);
    EXPECT_THAT(entries, ElementsAre("DOCKER_MIN_API_VERSION=1.24", "HOME=/root", "HTTP_PROXY=http://p",
                                     "PATH=/run/gocd-supervisor/engine/bin:/bin"));
}

TEST_F(DaemonConfigTest, G3_TheLowestApiVersionThatTheUserAllowsReachesTheEngine) {
    EXPECT_THAT(engine_environment({{"DOCKER_MIN_API_VERSION", "1.24"}}, drafted(), settings),
                Contains("DOCKER_MIN_API_VERSION=1.24"));
    choose(R"({"min-api-version": "1.24"})");
    EXPECT_EQ(daemon_config(drafted(), settings, choices).file.at("min-api-version"), "1.24");
}

TEST_F(DaemonConfigTest, OldEnginesKeepTheirIdentityInTheDataDirectory) {
    engine.version = {20, 10, 24};
    EXPECT_EQ(daemon_config(drafted(), settings, choices).file.at("deprecated-key-path"),
              "/var/lib/docker/key.json");
    for (const EngineVersion& other : {EngineVersion{}, EngineVersion{26, 1, 5}}) {
        engine.version = other;
        EXPECT_FALSE(daemon_config(drafted(), settings, choices).file.contains("deprecated-key-path"));
    }
}

TEST_F(DaemonConfigTest, F1_ContainerVariableTurnsInnerAppArmorOff) {
    host.security.apparmor = true;
    EXPECT_THAT(engine_environment({}, drafted(), settings), Contains("container=docker"));
}

TEST_F(DaemonConfigTest, CertificatesOfTheUserJoinTheSystems) {
    settings.ca_certificates = "/certs";
    EXPECT_THAT(engine_environment({}, drafted(), settings),
                Contains("SSL_CERT_DIR=/etc/ssl/certs:/run/gocd-supervisor/engine/certificates"));
}

TEST(EngineVersionTest, IsReadFromWhatDockerdPrints) {
    EXPECT_EQ(parse_engine_version("Docker version 26.1.5+dfsg1, build a72d7cd").text(), "26.1.5");
    EXPECT_EQ(parse_engine_version("Docker version 20.10.24+dfsg1, build 5d6db84").text(), "20.10.24");
    EXPECT_FALSE(parse_engine_version("command not found").known());
    EXPECT_TRUE((EngineVersion{24, 0, 1}.at_least(24)));
    EXPECT_FALSE((EngineVersion{20, 10, 24}.at_least(23)));
}

}  // namespace
}  // namespace supervisor::engine
