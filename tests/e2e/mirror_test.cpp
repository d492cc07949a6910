// images/packages/install with a mirror in place of the sources that a base has: in a container of the base,
// with a signed stand-in of a mirror.
#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "e2e/fixture.hpp"

namespace e2e {
namespace {

namespace fs = std::filesystem;
using test_support::docker;
using test_support::lines;
using test_support::run_command;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kBase = "debian:trixie-slim";

class Mirror : public EndToEnd {
  protected:
    void SetUp() override {
        EndToEnd::SetUp();
        std::string pattern = "/tmp/gocd-e2e-mirror.XXXXXX";
        folder_ = mkdtemp(pattern.data());
        ASSERT_TRUE(docker({"image", "inspect", kBase}).ok()) << "tests/e2e/prepare makes it";
        std::ofstream(folder_ + "/list.txt") << "no-such-package | first-choice\n";
    }
    void TearDown() override {
        std::error_code ignored;
        fs::remove_all(folder_, ignored);
    }

    // A mirror whose lists are valid until that date; empty: for ever.
    std::string mirror(const std::string& valid_until) {
        const auto made =
            run_command({std::string(SOURCE_ROOT) + "/tests/support/apt_repository", folder_ + "/site",
                         "debian", "trixie", "first-choice=1.0", "by-name=2.0"},
                        {.environment = {"COMPONENT=main", "VALID_UNTIL=" + valid_until}});
        EXPECT_TRUE(made.ok()) << made.text();
        server_ = std::make_unique<FileServer>(folder_ + "/site");
        return server_->url() + "/debian";
    }

    test_support::CommandResult install(const std::string& url, const Arguments& options = {}) const {
        Arguments words{"run", "--rm",
                        "-v",  std::string(SOURCE_ROOT) + "/images/packages:/run/packages:ro",
                        "-v",  folder_ + ":/run/test:ro",
                        "-e",  "APT_MIRROR=" + url};
        if (const auto parent = test_support::cgroup_parent(); !parent.empty())
            words.push_back("--cgroup-parent=" + parent);
        words.insert(words.end(), options.begin(), options.end());
        words.insert(words.end(), {kBase, "sh", "-ec",
                                   "[ ! -e /run/test/site ] || cp /run/test/site/debian/gpg "
                                   "/etc/apt/trusted.gpg.d/mirror.asc; "
                                   "/run/packages/install /run/test/list.txt -- by-name >/dev/null; "
                                   "first-choice; by-name; ls /tmp /etc/apt/sources.list.d"});
        return docker(words);
    }

    std::string folder_;
    std::unique_ptr<FileServer> server_;
};

TEST_F(Mirror, IsAllThatAptKnowsAndLeavesNoTrace) {
    const auto installed = install(mirror(""));
    ASSERT_TRUE(installed.ok()) << installed.text();
    EXPECT_EQ(installed.out, "first-choice 1.0\nby-name 2.0\n/etc/apt/sources.list.d:\n\n/tmp:\n");
}

TEST_F(Mirror, ThatExpiredIsNamedAndTakenAsASnapshot) {
    const auto url = mirror("2020-01-01");
    const auto refused = install(url);
    EXPECT_EQ(refused.status, 1) << refused.text();
    EXPECT_THAT(lines(refused.err).back(), AllOf(HasSubstr("install: E: Release file for " + url),
                                                 HasSubstr("is expired"), HasSubstr("--snapshot")));
    const auto installed = install(url, {"-e", "APT_SNAPSHOT=yes"});
    EXPECT_TRUE(installed.ok()) << installed.text();
}

// A base that is made: with an mmdebstrap that only runs the hooks. The mirror is that of this build.
TEST_F(Mirror, IsNotInTheBaseThatIsMadeFromIt) {
    const std::string tool = R"sh(#!/bin/bash
        root=$(mktemp -d); mkdir -p "$root"/etc/apt/sources.list.d "$root"/var/cache/apt "$root"/var/lib/apt/lists
        echo here >"$root/etc/hostname"; echo "${@: -1}" >"$root/etc/apt/sources.list"
        for word; do case $word in --customize-hook=*) sh -c "${word#*=}" sh "$root" ;; esac; done
        for word; do case $word in *.tar.new) tar -C "$root" -cf "$word" . ;; esac; done
        rm -rf "$root")sh";
    fs::create_directory(folder_ + "/bin");
    std::ofstream(folder_ + "/bin/mmdebstrap") << tool;
    fs::permissions(folder_ + "/bin/mmdebstrap", fs::perms::owner_all);
    std::ofstream(folder_ + "/go-agent.zip") << "PK\3\4PK\5\6";
    const std::string tar = std::string(SOURCE_ROOT) + "/.cache/base/debian-stand-in.tar";
    const auto built =
        run_command({std::string(SOURCE_ROOT) + "/images/build", "agent", "--tag",
                     "gocd-agent-e2e:never-built", "--offline", "--base", "debian:stand-in", "--mirror",
                     "http://127.0.0.1:1/debian", "--agent-zip", folder_ + "/go-agent.zip"},
                    {.timeout = seconds(100),
                     .input = "",
                     .environment = {"PATH=" + folder_ + "/bin:" + std::getenv("PATH")}});
    EXPECT_EQ(built.status, 1) << "there is no shell in that base";
    EXPECT_TRUE(docker({"image", "rm", "debian:stand-in"}).ok()) << built.text();
    const auto file = [&](const std::string& name) {
        return run_command({"tar", "-xOf", tar, "./etc/" + name}).out;
    };
    EXPECT_EQ(file("apt/sources.list"),
              "deb http://deb.debian.org/debian stand-in main\n"
              "deb http://deb.debian.org/debian stand-in-updates main\n"
              "deb http://deb.debian.org/debian-security stand-in-security main\n");
    for (const char* name : {"hostname", "hosts", "resolv.conf"}) EXPECT_EQ(file(name), "") << name;
    fs::remove(tar);
    fs::remove(tar + ".log");
}

}  // namespace
}  // namespace e2e
