// images/build with inputs of every kind: what it makes of them is in the image, and goes where it was told.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "e2e/fixture.hpp"

namespace e2e {
namespace {

namespace fs = std::filesystem;
using test_support::docker;
using test_support::lines;
using test_support::run_command;
using test_support::trimmed;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kTag = "gocd-agent-e2e:built";
const std::string kStandIn = std::string(SOURCE_ROOT) + "/.cache/stand-in";

std::string stand_in_zip() {
    for (const auto& entry : fs::directory_iterator(kStandIn)) {
        if (entry.path().extension() == ".zip") return entry.path();
    }
    return {};
}

test_support::CommandResult shell(const std::string& line) {
    return run_command({"sh", "-ec", line});
}

class Builds : public EndToEnd {
  protected:
    void SetUp() override {
        EndToEnd::SetUp();
        std::string pattern = "/tmp/gocd-e2e-builds.XXXXXX";
        folder_ = mkdtemp(pattern.data());
    }
    void TearDown() override {
        docker({"image", "rm", "-f", kTag});
        std::error_code ignored;
        fs::remove_all(folder_, ignored);
    }

    static test_support::CommandResult build(const Arguments& words) {
        Arguments argv{std::string(SOURCE_ROOT) + "/images/build", "--tag", kTag};
        argv.insert(argv.end(), words.begin(), words.end());
        return run_command(argv, {.timeout = seconds(280), .input = "", .environment = {}});
    }
    static std::string inside(const std::string& line) {
        return docker({"run", "--rm", "--network", "none", "--entrypoint", "sh", kTag, "-c", line}).out;
    }
    // A download site with one release of the stand-in.
    std::string site(const std::string& sha256) const {
        const std::string zip = folder_ + "/site/binaries/99.1.0-1/generic/go-agent-99.1.0-1.zip";
        fs::create_directories(fs::path(zip).parent_path());
        fs::copy_file(stand_in_zip(), zip);
        const auto sum = sha256.empty() ? shell("sha256sum " + zip + " | cut -c1-64").out : sha256;
        std::ofstream(folder_ + "/site/releases.json")
            << R"([{"go_version": "99.1.0", "go_full_version": "99.1.0-1", "generic": {"agent": {"file": )"
            << R"("generic/go-agent-99.1.0-1.zip", "sha256sum": ")" << trimmed(sum) << "\"}}}]\n";
        return folder_ + "/site";
    }

    std::string folder_;
};

TEST_F(Builds, BakesWhatARunningServerGives) {
    const StubServer server({});
    const auto built = build(
        {"agent", "--no-verify", "--no-aot", "--agent-zip", stand_in_zip(), "--bake-from", server.url()});
    ASSERT_TRUE(built.ok()) << built.text();
    EXPECT_THAT(inside("cd /usr/local/share/gocd-agent && md5sum -c md5sums 2>&1"),
                AllOf(HasSubstr("agent.jar: OK"), HasSubstr("agent-plugins.zip: OK")));
}

TEST_F(Builds, BakesWhatAServersZipCarries) {
    const std::string files = kStandIn + "/server-files";
    const auto made = shell("cd " + folder_ + " && mkdir -p defaultFiles go-server-1/lib && cp " + files +
                            "/agent.jar " + files + "/agent-launcher.jar defaultFiles/ && zip -qr " +
                            "go-server-1/lib/go.jar defaultFiles && zip -qr server.zip go-server-1");
    ASSERT_TRUE(made.ok()) << made.text();
    const auto built = build({"agent", "--no-verify", "--no-aot", "--agent-zip", stand_in_zip(),
                              "--bake-server", folder_ + "/server.zip"});
    ASSERT_TRUE(built.ok()) << built.text();
    const auto sum = shell("md5sum < " + files + "/agent.jar | cut -c1-32");
    EXPECT_THAT(inside("cat /usr/local/share/gocd-agent/md5sums"),
                HasSubstr(trimmed(sum.out) + "  agent.jar"));
}

TEST_F(Builds, DownloadsTheReleaseAndChecksThePublishedSum) {
    const FileServer server(site(""));
    const auto built =
        build({"agent", "--no-verify", "--gocd-version", "99.1.0-1", "--gocd-url", server.url()});
    ASSERT_TRUE(built.ok()) << built.text();
    EXPECT_THAT(inside("cat /go-agent/VERSION"), HasSubstr("0.0.0"));
    const auto label =
        docker({"image", "inspect", "-f", R"({{index .Config.Labels "org.gocd.agent.version"}})", kTag});
    EXPECT_EQ(label.out, "99.1.0-1\n");
}

// Docker's own packages, from a stand-in of its apt repository: the version asked for, and no trace of the
// repository.
TEST_F(Builds, TakesDockersOwnPackagesInTheVersionAskedFor) {
    const std::string repository =
        std::string(SOURCE_ROOT) + "/tests/support/apt_repository " + folder_ + "/site ";
    const auto made = shell(repository +
                            "debian trixie docker-ce-cli=5:28.1.1-1 docker-ce-cli=5:28.2.0-1 "
                            "docker-buildx-plugin=0.1 docker-compose-plugin=0.2");
    ASSERT_TRUE(made.ok()) << made.text();
    const FileServer server(folder_ + "/site");
    const Arguments options{"agent-docker", "--no-verify", "--agent-zip",  stand_in_zip(),
                            "--docker",     "docker-ce",   "--docker-url", server.url()};
    auto with = [&](const std::string& version) {
        Arguments words = options;
        words.insert(words.end(), {"--docker-version", version});
        return build(words);
    };
    const auto refused = with("99");
    EXPECT_EQ(refused.status, 1) << refused.text();
    EXPECT_THAT(
        refused.err,
        HasSubstr("agent-docker failed: install: there is no docker-ce-cli 99; there are:  5:28.2.0-1"));
    const auto built = with("28.1");
    ASSERT_TRUE(built.ok()) << built.text();
    EXPECT_EQ(inside("docker-ce-cli; docker-compose-plugin; ls /etc/apt/sources.list.d "
                     "/etc/apt/preferences.d | grep docker"),
              "docker-ce-cli 5:28.1.1-1\ndocker-compose-plugin 0.2\n");
}

TEST_F(Builds, SaysWhatDockersRepositoryLacks) {
    const auto built = build({"agent-docker", "--agent-zip", stand_in_zip(), "--docker", "docker-ce",
                              "--docker-url", "http://127.0.0.1:1"});
    EXPECT_EQ(built.status, 1) << built.text();
    EXPECT_THAT(built.err,
                HasSubstr("agent-docker failed: install: cannot download http://127.0.0.1:1/debian/gpg"));
}

TEST_F(Builds, RefusesADownloadWithAnotherSumAndAReleaseThatIsNotListed) {
    const FileServer server(site(std::string(64, 'a')));
    auto built = build({"agent", "--gocd-version", "99.1.0-1", "--gocd-url", server.url()});
    EXPECT_EQ(built.status, 1) << built.text();
    EXPECT_THAT(built.err, HasSubstr("agent failed: agent: wrong checksum of go-agent.zip"));
    built = build({"agent", "--gocd-version", "99.9.0-1", "--gocd-url", server.url()});
    EXPECT_EQ(built.status, 1) << built.text();
    EXPECT_THAT(built.err, HasSubstr("agent failed: agent: GoCD 99.9.0-1 is not in"));
    EXPECT_FALSE(docker({"image", "inspect", kTag}).ok());
}

TEST_F(Builds, RecipeIsBuiltAndVerifiedAndListed) {
    std::ofstream(folder_ + "/settings.txt") << "from the recipe\n";
    fs::create_directory(folder_ + "/folder");
    std::ofstream(folder_ + "/folder/more.txt") << "from its folder\n";
    std::ofstream(folder_ + "/recipe.json") << R"({"variant": "agent", "packages": ["make"],
        "files": [{"from": "settings.txt", "to": "/etc/build/settings.txt", "mode": "0640"},
                  {"from": "folder", "to": "/etc/build", "mode": "0600"}],
        "environment": {"FLAVOR": "a $HOME \"quoted\""}, "labels": {"org.example.team": "builders"}})";
    const auto built = build(
        {folder_ + "/recipe.json", "--agent-zip", stand_in_zip(), "--sbom", folder_ + "/list.spdx.json"});
    ASSERT_TRUE(built.ok()) << built.text();
    EXPECT_THAT(built.err, HasSubstr("verifying"));
    const auto label =
        docker({"image", "inspect", "-f", R"({{index .Config.Labels "org.gocd.agent.version"}})", kTag});
    EXPECT_EQ(label.out, "0.0.0-1\n") << "that of the zip";
    EXPECT_EQ(
        inside("make --version | head -n 1 | cut -c1-8; printenv FLAVOR; cd /etc/build; stat -c '%a %n' . *"),
        "GNU Make\na $HOME \"quoted\"\n755 .\n600 more.txt\n640 settings.txt\n");
    const auto listed =
        run_command({"jq", "-r", ".spdxVersion, (.packages[] | select(.name == \"make\") | .name)",
                     folder_ + "/list.spdx.json"});
    EXPECT_EQ(listed.out, "SPDX-2.3\nmake\n") << listed.text();
    EXPECT_THAT(shell("cat " + folder_ + "/list.spdx.txt").out, HasSubstr("\nmake "));
}

// What has been verified, and found wanting, is not tagged, and its container is gone.
TEST_F(Builds, TagsNothingThatDoesNotStart) {
    std::ofstream(folder_ + "/recipe.json")
        << R"({"variant": "agent", "environment": {"GOCD_DOCKER_MODE": "dind"}})";
    const Arguments untagged{"images", "-q", "--filter", "dangling=true"};
    const auto before = docker(untagged).out;
    const auto built = build({folder_ + "/recipe.json", "--agent-zip", stand_in_zip()});
    EXPECT_EQ(docker(untagged).out, before) << "the image stayed, without a name";
    EXPECT_EQ(built.status, 1) << built.text();
    EXPECT_THAT(lines(built.err).back(), HasSubstr("the image does not work: it ended with status 71"));
    EXPECT_FALSE(docker({"image", "inspect", kTag}).ok());
    EXPECT_THAT(docker({"ps", "-a", "--filter", "name=gocd-verify-", "-q"}).out, IsEmpty());
}

// In a copy of the tree. Only counts are compared: seconds are the machine's.
TEST_F(Builds, OneTouchedSourceIsAllThatIsCompiledAgain) {
    const std::string tree = folder_ + "/tree";
    const auto made = shell("mkdir " + tree + " && cd " + SOURCE_ROOT +
                            " && cp -a --parents CMakeLists.txt CMakePresets.json VERSION LICENSE supervisor "
                            "images tests/support/stub_server .dockerignore Dockerfile.agent " +
                            tree + " && echo 'extern const int kTouched; const int kTouched = '$$';' >>" +
                            tree + "/supervisor/cli/options.cpp");
    ASSERT_TRUE(made.ok()) << made.text();
    const auto built = run_command(
        {tree + "/images/build", "agent", "--tag", kTag, "--no-verify", "--agent-zip", stand_in_zip()},
        {.timeout = seconds(290), .input = "", .environment = {}});
    ASSERT_TRUE(built.ok()) << built.text();
    std::printf("%.1f s\n", static_cast<double>(built.took.count()) / 1000);
    EXPECT_THAT(built.err, HasSubstr("→ compiled 1 files, "))
        << "more than that: the compiler cache was empty";
    const auto cached = shell("cd " + tree + R"sh(/.cache && for stage in toolchain runtime trainer; do
        step=$(sed -n "s/^\(#[0-9]*\) \[$stage .*/\1/p" build-agent.log | head -n 1)
        grep -qx "$step CACHED" build-agent.log || echo "$stage was built again"; done)sh");
    EXPECT_TRUE(cached.ok() && cached.out.empty()) << cached.text();
}

// An archive that any tool reads: every blob under its own digest; and the same image for docker load.
TEST_F(Builds, WritesAnOciArchive) {
    const std::string archive = folder_ + "/agent.oci.tar";
    const auto built =
        build({"agent", "--no-verify", "--agent-zip", stand_in_zip(), "--output", "oci:" + archive});
    ASSERT_TRUE(built.ok()) << built.text();
    const auto id = docker({"image", "inspect", "-f", "{{.Id}}", kTag}).out;
    const auto wrong = shell("mkdir " + folder_ + "/oci && tar -xC " + folder_ + "/oci -f " + archive +
                             " && cd " + folder_ + "/oci/blobs/sha256 && sha256sum * | awk '$1 != $2'");
    EXPECT_TRUE(wrong.ok() && wrong.out.empty()) << wrong.text();
    const auto missing = shell("cd " + folder_ +
                               "/oci && manifest=$(jq -r '.manifests[0].digest' index.json | tr : /) && "
                               "jq -r '.config, .layers[] | .digest, .size' blobs/$manifest | tr : / | while "
                               "read -r digest; do read -r size; "
                               "[ \"$(stat -c %s blobs/$digest)\" = \"$size\" ] || echo $digest; done");
    EXPECT_TRUE(missing.ok() && missing.out.empty()) << missing.text();
    docker({"image", "rm", "-f", kTag});
    const auto loaded = docker({"load", "-i", archive});
    ASSERT_TRUE(loaded.ok()) << loaded.text();
    EXPECT_EQ(docker({"image", "inspect", "-f", "{{.Id}}", kTag}).out, id);
    // Where the base has no /etc/hosts, BuildKit dates /etc by mounting there; the base's own layer is not
    // ours.
    const auto dated =
        shell("cd " + folder_ +
              "/oci && for layer in $(jq -r '.[0].Layers[1:][]' manifest.json); do "
              "TZ=UTC tar --full-time -tvf $layer; done | awk '$6 == \"etc/\" { print $4 }' | sort -u");
    EXPECT_EQ(dated.out, "2020-01-01\n") << dated.text();
}

// The same builds for people who use buildx alone: read by the buildx of the image, and held against the
// Dockerfiles.
TEST_F(Builds, BakeFileNamesWhatTheDockerfilesHave) {
    const std::string root = SOURCE_ROOT;
    const auto printed =
        docker({"run", "--rm", "-v", root + "/images:/src/images:ro", "-w", "/src", "--entrypoint", "docker",
                dind_image(), "buildx", "bake", "-f", "images/docker-bake.hcl", "--print"});
    ASSERT_TRUE(printed.ok()) << printed.text();
    std::ofstream(folder_ + "/bake.json") << printed.out;
    const std::string bake = folder_ + "/bake.json";
    EXPECT_EQ(shell("jq -r '.group.default.targets[]' " + bake).out, "dind\nagent-docker\nagent\n");
    const auto wrong = shell("cd " + root +
                             " && jq -r '.target[] | . as $t | .args | to_entries[] | [$t.dockerfile, "
                             "$t.target, .key, .value] | @tsv' " +
                             bake + R"sh( | while read -r file target key value; do
            grep -q " AS $target$" $file || echo "$file has no target $target"
            grep -q "^ARG $key=$value$" $file || echo "$file has no ARG $key=$value"
            [ "$key" != VERSION ] || [ "$value" = "$(cat VERSION)" ] || echo "version $value"
        done)sh");
    EXPECT_TRUE(wrong.ok() && wrong.out.empty()) << wrong.text();
}

// Ours against the packages alone: what the runtime stage and the base have. The agent and what a server
// gives are GoCD's.
TEST_F(Builds, OurFilesAddLittleToTheSizeOfThePackages) {
    const auto history = docker(
        {"history", "--no-trunc", "--human=false", "--format", "{{.Size}} {{.CreatedBy}}", dind_image()});
    std::vector<std::string> layers = lines(history.out);
    double reference = 0;
    double all = 0;
    bool packages_seen = false;
    for (const auto& layer : layers) {
        const double size = std::stod(layer);
        packages_seen = packages_seen || layer.find("stages/runtime") != std::string::npos;
        all += size;
        if (packages_seen) reference += size;
    }
    ASSERT_GT(reference, 1e8) << history.out;
    const auto gocd =
        docker({"run", "--rm", "--entrypoint", "sh", dind_image(), "-c",
                "du -cb -s /go-agent /usr/local/share/gocd-agent 2>/dev/null | tail -n 1 | cut -f1"});
    const double without_gocd = all - std::stod(gocd.out);
    std::printf("packages %.1f MB; with our files %.1f MB: %.4f; with GoCD's %.1f MB: %.4f\n",
                reference / 1e6, without_gocd / 1e6, without_gocd / reference, all / 1e6, all / reference);
    EXPECT_LE(without_gocd / reference, 1.02);
}

}  // namespace
}  // namespace e2e
