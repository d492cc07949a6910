// images/build with wrong inputs: a one-line cause, a status of its own, nothing tagged.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "e2e/fixture.hpp"

namespace e2e {
namespace {

using test_support::docker;
using ::testing::HasSubstr;

class Builder : public EndToEnd {
  protected:
    static constexpr const char* kTag = "gocd-agent-e2e:never-built";

    void SetUp() override {
        std::string pattern = "/tmp/gocd-e2e-builder.XXXXXX";
        folder_ = mkdtemp(pattern.data());
        std::ofstream(folder_ + "/go-agent.zip") << "not a zip\n";
    }

    void TearDown() override {
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
        EXPECT_FALSE(docker({"image", "inspect", kTag}).ok()) << "tagged in spite of the failure";
    }

    static test_support::CommandResult build(const Arguments& words, const Arguments& environment = {}) {
        Arguments argv{std::string(SOURCE_ROOT) + "/images/build", "--tag", kTag};
        argv.insert(argv.end(), words.begin(), words.end());
        return test_support::run_command(argv,
                                         {.timeout = seconds(200), .input = "", .environment = environment});
    }

    std::string recipe(const std::string& text) {
        std::ofstream(folder_ + "/recipe.json") << text;
        return folder_ + "/recipe.json";
    }

    std::string folder_;
};

TEST_F(Builder, NamesVariantsAndRecipesItKnows) {
    const auto result = build({"nonesuch"});
    EXPECT_EQ(result.status, 64) << result.text();
    EXPECT_THAT(result.err, HasSubstr("java-maven"));
}

TEST_F(Builder, RefusesOptionsItDoesNotKnow) {
    const auto result = build({"dind", "--no-such-option"});
    EXPECT_EQ(result.status, 64) << result.text();
    EXPECT_THAT(result.err, HasSubstr("--no-such-option"));
}

TEST_F(Builder, SaysThatTheZipIsMissing) {
    const auto result = build({"dind", "--agent-zip", "/no/such/file.zip"});
    EXPECT_EQ(result.status, 66) << result.text();
    EXPECT_THAT(result.err, HasSubstr("/no/such/file.zip"));
}

TEST_F(Builder, ChecksTheChecksum) {
    const auto result =
        build({"dind", "--agent-zip", folder_ + "/go-agent.zip", "--sha256", std::string(64, '0')});
    EXPECT_EQ(result.status, 65) << result.text();
    EXPECT_THAT(result.err, HasSubstr(std::string(64, '0')));
}

TEST_F(Builder, RefusesAVersionThatIsNotWhole) {
    const auto result = build({"dind", "--gocd-version", "25.3.0"});
    EXPECT_EQ(result.status, 64) << result.text();
    EXPECT_THAT(result.err, HasSubstr("25.3.0"));
}

TEST_F(Builder, NamesFileKeyAndReasonOfAWrongRecipe) {
    const auto result = build({recipe(R"({"variant": "agent", "pakages": ["g++"], "packages": "g++"})")});
    EXPECT_EQ(result.status, 65) << result.text();
    EXPECT_THAT(result.err, HasSubstr("recipe.json: pakages: unknown key"));
    EXPECT_THAT(result.err, HasSubstr("packages: a list of strings is expected"));
}

TEST_F(Builder, RefusesARecipeThatIsNotJson) {
    const auto result = build({recipe("{")});
    EXPECT_EQ(result.status, 65) << result.text();
}

TEST_F(Builder, MissesAFileOfARecipeBeforeItBuilds) {
    const auto result = build(
        {recipe(R"({"variant": "agent", "files": [{"from": "settings.xml", "to": "/etc/settings.xml"}]})")});
    EXPECT_EQ(result.status, 66) << result.text();
    EXPECT_THAT(result.err, HasSubstr("settings.xml"));
}

TEST_F(Builder, SaysThatNoEngineAnswers) {
    const auto result =
        build({"agent", "--agent-zip", folder_ + "/go-agent.zip"}, {"DOCKER_HOST=unix:///no/such/socket"});
    EXPECT_EQ(result.status, 69) << result.text();
    EXPECT_THAT(result.err, HasSubstr("/no/such/socket"));
}

TEST_F(Builder, TellsTheCauseOfAFailedBuildInOneLine) {
    const auto result = build({"agent", "--agent-zip", folder_ + "/go-agent.zip"});
    EXPECT_EQ(result.status, 1) << result.text();
    EXPECT_THAT(result.err, HasSubstr("agent failed: agent: go-agent.zip is not a readable zip"));
}

TEST_F(Builder, SaysWhatItAcceptsWhereAValueIsWrong) {
    const std::vector<Arguments> wrong = {
        {"--docker", "moby"}, {"--platform", "mips"}, {"--output", "file"}, {"--push"}};
    for (const auto& option : wrong) {
        Arguments words{"dind", "--agent-zip", folder_ + "/go-agent.zip"};
        words.insert(words.end(), option.begin(), option.end());
        const auto result = build(words);
        EXPECT_EQ(result.status, 64) << result.text();
        EXPECT_THAT(result.err, HasSubstr(option.front())) << result.text();
        EXPECT_EQ(test_support::lines(result.err).size(), 1U) << result.text();
    }
}

TEST_F(Builder, SaysThatAServersArchiveIsNone) {
    const auto result = build(
        {"agent", "--agent-zip", folder_ + "/go-agent.zip", "--bake-server", folder_ + "/go-agent.zip"});
    EXPECT_EQ(result.status, 65) << result.text();
    EXPECT_THAT(result.err, HasSubstr("--bake-server " + folder_ + "/go-agent.zip is not a zip"));
}

TEST_F(Builder, SaysThatNothingAnswersWithoutANetwork) {
    const auto result = build({"agent", "--gocd-url", "http://127.0.0.1:1"});
    EXPECT_EQ(result.status, 1) << result.text();
    EXPECT_THAT(result.err,
                HasSubstr("agent failed: agent: cannot download http://127.0.0.1:1/releases.json"));
}

TEST_F(Builder, NeitherPullsNorDownloadsOffline) {
    auto result = build({"agent", "--offline"});
    EXPECT_EQ(result.status, 66) << result.text();
    EXPECT_THAT(result.err, HasSubstr("--agent-zip"));
    result = build({"agent", "--offline", "--base", "ubuntu:1.04", "--agent-zip", folder_ + "/go-agent.zip"});
    EXPECT_EQ(result.status, 66) << result.text();
    EXPECT_THAT(result.err, HasSubstr("ubuntu:1.04"));
}

TEST_F(Builder, SaysThatAMirrorDoesNotAnswer) {
    const auto result =
        build({"agent", "--mirror", "http://127.0.0.1:1/debian", "--agent-zip", folder_ + "/go-agent.zip"});
    EXPECT_EQ(result.status, 1) << result.text();
    EXPECT_THAT(test_support::lines(result.err).back(),
                HasSubstr("agent failed: install: E: Failed to fetch http://127.0.0.1:1/debian/"));
}

TEST_F(Builder, SaysWhyABaseCannotBeMade) {
    const auto result = build({"agent", "--offline", "--base", "debian:nonesuch-slim", "--mirror",
                               "http://127.0.0.1:1/debian", "--agent-zip", folder_ + "/go-agent.zip"});
    EXPECT_EQ(result.status, 1) << result.text();
    EXPECT_THAT(
        test_support::lines(result.err).back(),
        HasSubstr("mmdebstrap could not make debian:nonesuch-slim: Failed to fetch http://127.0.0.1:1/"));
}

// Where the kernel has an emulator registered, it can.
TEST_F(Builder, SaysWhatAnotherPlatformNeeds) {
    const bool arm =
        test_support::trimmed(docker({"version", "--format", "{{.Server.Arch}}"}).out) == "arm64";
    if (std::filesystem::exists(std::string("/proc/sys/fs/binfmt_misc/qemu-") + (arm ? "x86_64" : "aarch64")))
        return;
    const auto result =
        build({"agent", "--agent-zip", folder_ + "/go-agent.zip", "--platform", arm ? "amd64" : "arm64"});
    EXPECT_EQ(result.status, 69) << result.text();
    EXPECT_THAT(result.err, HasSubstr("install qemu-user-static"));
    EXPECT_EQ(test_support::lines(result.err).size(), 1U) << result.text();
}

// A docker whose version and whose engine's API are what the test says, and which can do nothing else; and no
// apt.
class OtherDocker : public Builder {
  protected:
    test_support::CommandResult build_with(const std::string& version, const std::string& api) {
        const auto made = test_support::run_command(
            {"sh", "-ec",
             "cd " + folder_ +
                 R"sh( && mkdir -p bin && for tool in bash sh env dirname basename timeout jq sed git id cat mkdir mktemp rm; do
                ln -sf "$(command -v $tool)" bin/; done
            printf '#!/bin/sh\ncase "$*" in *APIVersion*) echo )sh" +
                 api + R"sh( ;; version*) ;; --version) echo Docker version )sh" + version +
                 R"sh(, build 0 ;; *) exit 1 ;; esac\n' >bin/docker
            chmod +x bin/docker)sh"});
        EXPECT_TRUE(made.ok()) << made.text();
        return build({"agent", "--agent-zip", folder_ + "/go-agent.zip"}, {"PATH=" + folder_ + "/bin"});
    }
};

TEST_F(OtherDocker, WithoutBuildxIsToldToInstallIt) {
    const auto result = build_with("28.0.0", "1.48");
    EXPECT_EQ(result.status, 69) << result.text();
    EXPECT_THAT(result.err, HasSubstr("install docker-buildx"));
}

TEST_F(OtherDocker, WhoseEngineHasNoBuildKitIsRefused) {
    const auto result = build_with("18.03.1-ce", "1.37");
    EXPECT_EQ(result.status, 69) << result.text();
    EXPECT_THAT(result.err, HasSubstr("this Docker engine has no BuildKit (its API is 1.37)"));
    EXPECT_EQ(test_support::lines(result.err).size(), 1U) << result.text();
}

// An engine whose disk is too small for the base image.
TEST_F(Builder, SaysThatTheDiskIsFull) {
    const std::string engine = std::string(SOURCE_ROOT) + "/tests/support/engine ";
    const std::string small = folder_ + "/engine";
    // The other engine's adapter of runc, where it has one, need not be compiled again.
    const auto started = test_support::run_command(
        {"sh", "-c",
         "mkdir " + small + " && mount -t tmpfs -o size=48m none " + small + " && { cp -p " + SOURCE_ROOT +
             "/.cache/engine/oci-runtime " + small + "; unset DOCKER_HOST; " + engine + "start --private " +
             small + " && " + engine + "env " + small + " | sed 's/^export //' >" + folder_ + "/env; }"},
        {.timeout = seconds(90), .input = "", .environment = {}});
    std::string host;
    std::ifstream(folder_ + "/env") >> host;
    const auto result = started.ok()
                            ? build({"agent", "--offline", "--agent-zip", folder_ + "/go-agent.zip"}, {host})
                            : started;
    test_support::run_command({"sh", "-c", engine + "stop " + small + "; umount " + small});
    ASSERT_TRUE(started.ok()) << started.text();
    EXPECT_EQ(result.status, 1) << result.text();
    EXPECT_THAT(test_support::lines(result.err).back(), HasSubstr("no space left on device"));
}

TEST_F(Builder, ShippedRecipesAreRight) {
    for (const auto& entry :
         std::filesystem::directory_iterator(std::string(SOURCE_ROOT) + "/images/recipes")) {
        if (entry.path().extension() != ".json") continue;
        const auto problems = test_support::run_command(
            {"jq", "-r", "-f", std::string(SOURCE_ROOT) + "/images/lib/recipe.jq", entry.path()});
        EXPECT_TRUE(problems.ok() && problems.out.empty()) << entry.path() << ": " << problems.text();
    }
}

}  // namespace
}  // namespace e2e
