// images/build with wrong inputs: a one-line cause, a status of its own, nothing tagged.
#include <gmock/gmock.h>

#include <cstdlib>
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
        // Both ends of a zip, and nothing between: enough for the builder, not for unzip.
        std::ofstream(folder_ + "/go-agent.zip") << "PK\3\4 not a zip PK\5\6\n";
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

TEST_F(Builder, SaysThatARecipeIsNotThere) {
    const auto result = build({folder_ + "/none.json"});
    EXPECT_EQ(result.status, 66) << result.text();
    EXPECT_THAT(result.err, HasSubstr("the recipe " + folder_ + "/none.json is not there"));
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

// Before anything is pulled or built, each in one line: there is no such base.
TEST_F(Builder, LooksAtWordsBeforeItBuilds) {
    std::ofstream(folder_ + "/page.zip") << "<html>404 Not Found</html>\n";
    std::ofstream(folder_ + "/half.zip") << "PK\3\4 the second half is missing";
    std::filesystem::create_directory(folder_ + "/empty");
    const std::string sum(64, 'a');
    struct Case {
        Arguments words;
        int status;
        std::string says;
    };
    const std::vector<Case> cases = {
        {{"--agent-zip", ""}, 64, "--agent-zip needs a value"},
        {{"--agent-zip", "--no-verify"}, 64, "--agent-zip needs a value"},
        {{"--agent-zip", folder_}, 66, folder_ + ": not a file"},
        {{"--agent-zip", folder_ + "/page.zip"}, 65, "page.zip is not a whole zip"},
        {{"--agent-zip", folder_ + "/half.zip"}, 65, "half.zip is not a whole zip"},
        {{"--sha256", "abc"}, 64, "--sha256 abc: 64 hexadecimal digits"},
        {{"--sha256", sum + "a"}, 64, "64 hexadecimal digits"},
        {{"--tag", "Not A Tag"}, 64, "--tag Not A Tag is not the name of an image"},
        {{"--tag", "name:"}, 64, "--tag name: is not the name of an image"},
        {{"--base", "debian:trixie slim"}, 64, "--base debian:trixie slim is not the name of an image"},
        {{"--with", "make;reboot"}, 64, "--with: make;reboot is not the name of a package"},
        {{"--with", "*"}, 64, "--with: * is not the name of a package"},
        {{"--with", ","}, 64, "--with , names no package"},
        {{"--mirror", "mirror"}, 64, "--mirror mirror is not a URL"},
        {{"--snapshot"}, 64, "give --mirror"},
        {{"--bake-jars", folder_ + "/empty"}, 66, "there is no agent.jar in it"},
        {{"--output", "oci:" + folder_}, 66, "is a folder"},
        {{"--output", "oci:/proc/image.tar"}, 66, "/proc/image.tar cannot be written"},
        {{"--sbom", "/no/such/folder/list.json"}, 66, "no folder /no/such/folder"},
    };
    for (const auto& [options, status, says] : cases) {
        Arguments words{"agent",      "--offline",   "--base",
                        "nonesuch:1", "--agent-zip", folder_ + "/go-agent.zip"};
        words.insert(words.end(), options.begin(), options.end());
        const auto result = build(words);
        EXPECT_EQ(result.status, status) << result.text();
        EXPECT_THAT(result.err, HasSubstr(says));
        EXPECT_EQ(test_support::lines(result.err).size(), 1U) << result.text();
    }
}

TEST_F(Builder, TakesADateThatToolsKnow) {
    const Arguments words{"agent",      "--offline",   "--base",
                          "nonesuch:1", "--agent-zip", folder_ + "/go-agent.zip"};
    for (const char* date : {"", "yesterday", "-1", "99999999999"}) {
        const auto result = build(words, {std::string("SOURCE_DATE_EPOCH=") + date});
        EXPECT_EQ(result.status, 64) << result.text();
        EXPECT_THAT(result.err, HasSubstr(std::string("SOURCE_DATE_EPOCH=") + date + ": seconds since 1970"));
    }
    EXPECT_EQ(build(words, {"SOURCE_DATE_EPOCH=1700000000"}).status, 66) << "only the base is missing";
}

// Upper case is the same sum, and names with blanks are names.
TEST_F(Builder, TakesSumsInUpperCaseAndNamesWithBlanks) {
    const std::string zip = folder_ + "/an agent.zip";
    std::filesystem::copy_file(folder_ + "/go-agent.zip", zip);
    const auto sum =
        test_support::run_command({"sh", "-c", "sha256sum <\"$0\" | cut -c1-64 | tr a-f A-F", zip});
    const auto result = build({"agent", "--offline", "--base", "nonesuch:1", "--agent-zip", zip, "--sha256",
                               test_support::trimmed(sum.out)});
    EXPECT_EQ(result.status, 66) << result.text();
    EXPECT_THAT(result.err, HasSubstr("nonesuch:1"));
}

// Each of these went into the Dockerfile, or out of the build's folder.
TEST_F(Builder, RefusesWhatARecipeCannotSay) {
    std::ofstream(folder_ + "/file") << "x";
    const std::vector<std::pair<std::string, std::string>> cases = {
        {"", "one JSON object is expected, not 0"},
        {R"({"variant": "agent"} {"variant": "dind"})", "one JSON object is expected, not 2"},
        {R"({"variant": "agent", "packages": ["make\nRUN reboot"]})",
         R"(packages[0]: "make\nRUN reboot" is not)"},
        {R"({"variant": "agent", "jre": "a b"})", "jre: the name of a package is expected"},
        {R"({"variant": "agent", "base": ""})", "base: the name of an image is expected"},
        {R"({"variant": "agent", "description": "a\nb"})", "description: text without line ends"},
        {R"({"variant": "agent", "environment": {"A\n": "b"}})", R"(environment.A\n: not a variable name)"},
        {R"({"variant": "agent", "environment": {"A": "b\nc"}})", "environment.A: text without line ends"},
        {R"({"variant": "agent", "labels": {"": "b"}})", "labels.: not the name of a label"},
        {R"({"variant": "agent", "files": [{"from": "file", "to": "/../../etc/file"}]})",
         "files[0].to: an absolute path without .. is expected"},
        {R"({"variant": "agent", "files": [{"from": "", "to": "/etc"}]})", "files[0].from: a path below"},
        {R"({"variant": "agent", "files": [{"from": "file", "to": "/etc/"}]})", "to names a folder, /etc/"},
    };
    for (const auto& [text, says] : cases) {
        const auto result = build({recipe(text), "--offline", "--agent-zip", folder_ + "/go-agent.zip"});
        EXPECT_EQ(result.status, 65) << text << result.text();
        EXPECT_THAT(result.err, HasSubstr("recipe.json: ")) << text;
        EXPECT_THAT(result.err, HasSubstr(says)) << text;
        EXPECT_EQ(test_support::lines(result.err).size(), 1U) << result.text();
    }
}

TEST_F(Builder, SaysThatAServersArchiveIsNone) {
    std::ofstream(folder_ + "/page.zip") << "<html>404 Not Found</html>\n";
    const auto result =
        build({"agent", "--agent-zip", folder_ + "/go-agent.zip", "--bake-server", folder_ + "/page.zip"});
    EXPECT_EQ(result.status, 65) << result.text();
    EXPECT_THAT(result.err, HasSubstr("--bake-server " + folder_ + "/page.zip is not a zip"));
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
                 R"sh( && mkdir -p bin && for tool in bash sh env dirname basename timeout jq sed git id cat mkdir mktemp rm head od tr tail grep; do
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

// A docker whose build does what the test says; it has no images, and is gone when there is a file "dead"
// beside it.
class StandInDocker : public Builder {
  protected:
    test_support::CommandResult build_that(const std::string& does, Arguments argv = {}) {
        std::filesystem::create_directory(folder_ + "/bin");
        std::ofstream(folder_ + "/bin/docker") << R"sh(#!/bin/sh
            cd "${0%/*}" || exit
            [ ! -e dead ] || exit 1
            case "$*" in
                *Arch*) echo amd64 ;;
                image\ inspect*) exit 1 ;;
                buildx\ build*) for each; do context=$each; done; )sh"
                                               << does << " ;;\nesac\n";
        std::filesystem::permissions(folder_ + "/bin/docker", std::filesystem::perms::owner_all);
        const Arguments words{std::string(SOURCE_ROOT) + "/images/build",
                              "agent",
                              "--tag",
                              kTag,
                              "--agent-zip",
                              folder_ + "/go-agent.zip"};
        argv.insert(argv.end(), words.begin(), words.end());
        return test_support::run_command(
            argv, {.timeout = seconds(50),
                   .input = "",
                   .environment = {"PATH=" + folder_ + "/bin:" + std::getenv("PATH")}});
    }
};

// The signal reaches the script alone, as that of a CI server's runner does.
TEST_F(StandInDocker, EndsAtOnceWhenItIsInterrupted) {
    const auto result = build_that(R"(printf '%s\n' $$ "$context" >seen; exec sleep 100)",
                                   {"timeout", "--foreground", "--preserve-status", "-s", "TERM", "5"});
    EXPECT_EQ(result.status, 143) << result.text();
    EXPECT_THAT(result.err, HasSubstr("interrupted; nothing was tagged"));
    std::string pid;
    std::string context;
    std::ifstream(folder_ + "/bin/seen") >> pid >> context;
    EXPECT_THAT(context, HasSubstr("/.cache/context."));
    EXPECT_FALSE(std::filesystem::exists(context));
    EXPECT_FALSE(std::filesystem::exists("/proc/" + pid + "/fd")) << "the build goes on";
}

TEST_F(StandInDocker, IsNamedWhenItEndsDuringABuild) {
    const auto result = build_that("touch dead; echo the id is missing; exit 1");
    EXPECT_EQ(result.status, 69) << result.text();
    EXPECT_THAT(test_support::lines(result.text()).back(), HasSubstr("no longer answers"));
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
