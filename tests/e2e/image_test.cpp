// What is in the image, without its supervisor running.
#include <gmock/gmock.h>

#include "e2e/fixture.hpp"

namespace e2e {
namespace {

using test_support::docker;
using test_support::trimmed;
using ::testing::HasSubstr;
using ::testing::Not;

std::string configured(const std::string& format) {
    return trimmed(docker({"image", "inspect", "--format", format, dind_image()}).out);
}

// Runs a shell line in the image, in place of the supervisor.
test_support::CommandResult in_image(const std::string& line) {
    return docker({"run", "--rm", "--entrypoint", "sh", dind_image(), "-c", line}, seconds(60));
}

class Image : public EndToEnd {};

TEST_F(Image, StartsTheSupervisorAndNothingElse) {
    EXPECT_EQ(configured("{{json .Config.Entrypoint}}"), R"(["gocd-supervisor"])");
    EXPECT_EQ(configured("{{json .Config.Cmd}}"), "null");
    EXPECT_EQ(configured("{{json .Config.Healthcheck.Test}}"), R"(["CMD","gocd-supervisor","health"])");
    EXPECT_EQ(configured("{{.Config.User}}"), "");
}

TEST_F(Image, A9_KeepsStateInVolumes) {
    EXPECT_EQ(configured("{{json .Config.Volumes}}"),
              R"({"/go-working-dir":{},"/godata":{},"/var/lib/docker":{}})");
    EXPECT_EQ(configured("{{.Config.WorkingDir}}"), "/go-working-dir");
}

TEST_F(Image, SaysWhatItIs) {
    EXPECT_EQ(configured(R"({{index .Config.Labels "org.opencontainers.image.licenses"}})"), "Apache-2.0");
    EXPECT_EQ(configured(R"({{index .Config.Labels "org.opencontainers.image.title"}})"), "gocd-agent-dind");
    EXPECT_NE(configured(R"({{index .Config.Labels "org.opencontainers.image.version"}})"), "");
}

TEST_F(Image, HasTheUserThatTheOfficialImageHas) {
    const auto id = in_image("id -u go; id -g go; id -Gn go; stat -c '%U:%G' /go-working-dir /godata");
    EXPECT_EQ(id.out, "1000\n0\nroot docker\ngo:root\ngo:root\n") << id.text();
}

TEST_F(Image, HasAJavaThatTheAgentRunsOn) {
    const auto version = in_image("$GO_JAVA_HOME/bin/java -version 2>&1");
    EXPECT_TRUE(version.ok()) << version.text();
    EXPECT_THAT(version.out, HasSubstr("openjdk version \"2"));
}

TEST_F(Image, HasWhatJobsNeedForDocker) {
    const auto versions = in_image(
        "docker --version && docker buildx version && docker compose version && dockerd --version && "
        "containerd --version && "
        "runc --version && iptables-nft -V && iptables-legacy -V && fuse-overlayfs --version");
    EXPECT_TRUE(versions.ok()) << versions.text();
}

TEST_F(Image, HasWhatJobsNeedForSources) {
    const auto tools = in_image("git --version && ssh -V && curl --version && unzip -v && ps --version");
    EXPECT_TRUE(tools.ok()) << tools.text();
}

TEST_F(Image, SpeaksUtf8) {
    EXPECT_EQ(in_image("locale charmap").out, "UTF-8\n");
}

TEST_F(Image, CarriesTheAgentAndNoOtherSystemsWrapper) {
    const auto files = in_image("ls /go-agent/lib /go-agent/wrapper");
    EXPECT_THAT(files.out, HasSubstr("agent-bootstrapper.jar"));
    EXPECT_THAT(files.out, Not(HasSubstr("macosx")));
}

TEST_F(Image, HasNoCompilerAndNoPackageLists) {
    const auto found =
        in_image("command -v g++ cmake cc; find /var/lib/apt/lists /var/cache/apt -type f -size +0");
    EXPECT_EQ(found.out, "") << found.text();
}

TEST_F(Image, ShipsASupervisorThatNeedsNoLibrary) {
    const auto needs = in_image("ldd /usr/local/bin/gocd-supervisor; true");
    ASSERT_TRUE(needs.ok()) << needs.text();
    EXPECT_THAT(needs.text(), HasSubstr("statically linked"));
}

}  // namespace
}  // namespace e2e
