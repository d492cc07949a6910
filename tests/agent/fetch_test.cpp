// The fetcher against a server that does everything wrong that a server can do.
#include <gmock/gmock.h>
#include <sys/mount.h>

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include "agent/fetch_result.hpp"
#include "support.hpp"

namespace agent_level {
namespace {

namespace fs = std::filesystem;
using supervisor::agent::FetchResult;
using testing::HasSubstr;
using testing::Not;

constexpr std::size_t kPoints = 10;

std::size_t count(const std::string& text, const std::string& part) {
    std::size_t found = 0;
    for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
    return found;
}

class Fetch : public testing::Test {
  protected:
    void SetUp() override {
        fs::create_directory(work_);
        fs::create_directory(files_);
        make_file(files_ + "/agent.jar", 300'000);
        make_file(files_ + "/agent-plugins.zip", 200'000);
        make_file(files_ + "/tfs-impl.jar", 1'000);
        make_file(files_ + "/agent-launcher.jar", 2'000);
    }

    std::unique_ptr<StubServer> serve(std::vector<std::string> options = {},
                                      const std::string& name = "stub") {
        options.insert(options.begin(), {"--files", files_});
        return std::make_unique<StubServer>(directory_, std::move(options), name);
    }
    std::unique_ptr<Child> start(const std::string& url, std::vector<std::string> options = {},
                                 const Environment& environment = {}) {
        options.insert(options.begin(), {FETCHER, "--server", url, "--directory", work_});
        return std::make_unique<Child>(options, directory_ / "fetch", environment);
    }
    // Every file that has its own name is the whole right file.
    void expect_nothing_half(bool all_there) const {
        for (const auto* name : {"agent.jar", "agent-plugins.zip", "tfs-impl.jar"}) {
            const auto path = work_ + '/' + name;
            if (!all_there && !fs::exists(path)) continue;
            EXPECT_EQ(md5_of(path), md5_of(files_ + '/' + name)) << name;
        }
    }
    FetchResult expect_success(Child& fetcher) const {
        EXPECT_EQ(fetcher.wait(), 0) << fetcher.err();
        expect_nothing_half(true);
        const auto result = supervisor::agent::parse_fetch_result(fetcher.out());
        EXPECT_TRUE(result) << fetcher.out();
        return result.value_or(FetchResult{});
    }

    const TempDir directory_;
    const std::string work_ = directory_ / "work";
    const std::string files_ = directory_ / "files";
};

TEST_F(Fetch, BringsEverythingAndTellsTheSums) {
    const auto server = serve({"--extra-properties", "a=b c=d%20e"});
    const auto result = expect_success(*start(server->url()));
    EXPECT_EQ(result.fetched, 3);
    EXPECT_EQ(result.bytes_fetched, 501'000U);
    EXPECT_EQ(result.status.agent_md5, md5_of(files_ + "/agent.jar"));
    EXPECT_EQ(result.status.launcher_md5, md5_of(files_ + "/agent-launcher.jar"));
    EXPECT_EQ(result.status.plugins_md5, md5_of(files_ + "/agent-plugins.zip"));
    EXPECT_EQ(result.status.tfs_md5, md5_of(files_ + "/tfs-impl.jar"));
    EXPECT_THAT(result.status.extra_properties, testing::ElementsAre("a=b", "c=d e"));
    EXPECT_EQ(server->requests("/latest-agent.status"), 1U);
}

TEST_F(Fetch, BringsOnlyWhatDiffers) {
    const auto server = serve();
    expect_success(*start(server->url()));
    EXPECT_EQ(expect_success(*start(server->url())).in_place, 3);
    make_file(work_ + "/tfs-impl.jar", 10);
    const auto result = expect_success(*start(server->url()));
    EXPECT_EQ(result.in_place, 2);
    EXPECT_EQ(result.fetched, 1);
    EXPECT_EQ(server->requests("/admin/agent"), 1U);
    EXPECT_EQ(server->requests("/tfs-impl.jar"), 2U);
}

TEST_F(Fetch, RemovesWhatAKilledAgentLeft) {
    fs::create_directories(work_ + "/data/deps-1/lib");
    make_file(work_ + "/data/deps-1/lib/a.jar", 1'000);
    fs::create_directories(directory_ / "elsewhere/kept");
    fs::create_directory_symlink(directory_ / "elsewhere", work_ + "/exploded_agent_launcher_dependencies");
    fs::create_directories(work_ + "/pipelines/data");
    const auto server = serve();
    expect_success(*start(server->url()));
    EXPECT_FALSE(fs::exists(work_ + "/data"));
    EXPECT_FALSE(fs::is_symlink(work_ + "/exploded_agent_launcher_dependencies"));
    EXPECT_TRUE(fs::exists(directory_ / "elsewhere/kept")) << "what a link leads to is somebody else's";
    EXPECT_TRUE(fs::exists(work_ + "/pipelines/data"));
}

TEST_F(Fetch, TakesBakedFilesAndLetsTheServerWin) {
    const auto baked = directory_ / "baked";
    fs::create_directory(baked);
    for (const auto* name : {"agent.jar", "agent-plugins.zip", "tfs-impl.jar"})
        fs::copy(files_ + '/' + name, baked + '/' + name);
    ASSERT_EQ(shell("cd " + baked + " && md5sum * > md5sums"), 0);
    const auto server = serve();
    EXPECT_EQ(expect_success(*start(server->url(), {"--baked", baked})).baked, 3);
    EXPECT_EQ(fs::read_symlink(work_ + "/agent.jar"), baked + "/agent.jar");
    EXPECT_EQ(expect_success(*start(server->url(), {"--baked", baked})).in_place, 3);
    EXPECT_EQ(server->requests("/admin/agent"), 0U);

    make_file(files_ + "/agent.jar", 400'000);
    const auto upgraded = expect_success(*start(server->url(), {"--baked", baked}));
    EXPECT_EQ(upgraded.fetched, 1);
    EXPECT_FALSE(fs::is_symlink(work_ + "/agent.jar"));
    EXPECT_EQ(fs::file_size(baked + "/agent.jar"), 300'000U);
}

TEST_F(Fetch, WaitsForAServerThatIsDown) {
    const auto server = serve({"--down-for", "1200"});
    const auto fetcher = start(server->url());
    expect_success(*fetcher);
    EXPECT_EQ(count(fetcher->err(), "trying again"), 1U) << fetcher->err();
    EXPECT_THAT(fetcher->err(), HasSubstr("connect"));
}

TEST_F(Fetch, SaysEachReasonOnce) {
    const auto server = serve(
        {"--fault", "/latest-agent.status=status:503*2", "--fault", "/latest-agent.status=status:500*1"});
    const auto fetcher = start(server->url());
    expect_success(*fetcher);
    EXPECT_EQ(count(fetcher->err(), "answered 503"), 1U) << fetcher->err();
    EXPECT_EQ(count(fetcher->err(), "answered 500"), 1U);
}

struct Fault {
    const char* name;
    const char* rule;
    const char* says;
};

class FetchFault : public Fetch, public testing::WithParamInterface<Fault> {};

TEST_P(FetchFault, IsOvercome) {
    const auto server = serve({"--fault", GetParam().rule});
    const auto fetcher = start(server->url(), {"--stall-seconds", "1"});
    expect_success(*fetcher);
    EXPECT_THAT(fetcher->err(), HasSubstr(GetParam().says));
    EXPECT_LE(count(fetcher->err(), "\n"), 3U) << fetcher->err();
    for (const auto& entry : fs::directory_iterator(work_))
        EXPECT_THAT(entry.path().string(), Not(HasSubstr(".part")));
}

INSTANTIATE_TEST_SUITE_P(
    Each, FetchFault,
    testing::Values(Fault{"WrongBytes", "/admin/agent=corrupt*1", "the server announced"},
                    Fault{"HalfAFile", "/admin/agent=truncate:1000*1", "/admin/agent"},
                    Fault{"StallInAFile", "/admin/agent-plugins.zip=stall:1000*1", "Timeout"},
                    Fault{"StallBeforeTheStatus", "/latest-agent.status=delay:4000*1", "Timeout"},
                    Fault{"NoAnswer", "/latest-agent.status=drop*1", "latest-agent.status"},
                    Fault{"ServerErrorInAFile", "/tfs-impl.jar=status:502*1", "answered 502"},
                    Fault{"NoGoCDServer", "/latest-agent.status=status:200*1",
                          "is this a GoCD server's address?"},
                    Fault{"RedirectToNowhere", "/latest-agent.status=redirect:/elsewhere*1", "answered 404"},
                    Fault{"RedirectWithoutEnd",
                          "/latest-agent.status=redirect:/go/admin/latest-agent.status*6", "redirects"}),
    [](const auto& fault) { return fault.param.name; });

TEST_F(Fetch, FollowsRedirects) {
    const auto real = serve({}, "real");
    const auto server =
        serve({"--fault", "/latest-agent.status=redirect:" + real->url() + "/admin/latest-agent.status",
               "--fault", "/admin/agent=redirect:" + real->url() + "/admin/agent"});
    expect_success(*start(server->url()));
    EXPECT_EQ(real->requests("/admin/agent"), 1U);
}

TEST_F(Fetch, DownloadsSideBySide) {
    const auto server =
        serve({"--fault", "/admin/agent=delay:1500", "--fault", "/admin/agent-plugins.zip=delay:1500",
               "--fault", "/admin/tfs-impl.jar=delay:1500"});
    expect_success(*start(server->url()));
    std::vector<std::int64_t> ends;
    for (const auto& line : server->record("request")) ends.push_back(line.at("t_us").as_int64());
    ASSERT_EQ(ends.size(), 4U);
    // One after the other, the first and the last file would be 3 s apart.
    EXPECT_LT(ends[3] - ends[1], 1'400'000);
}

TEST_F(Fetch, TakesALargeFileInLittleMemory) {
    make_file(files_ + "/agent.jar", 100'000'000);
    const auto server = serve();
    const auto fetcher = start(server->url());
    EXPECT_EQ(expect_success(*fetcher).bytes_fetched, 100'201'000U);
    EXPECT_LT(fetcher->peak_kilobytes(), 40'000);
}

TEST_F(Fetch, KilledAtAnyPointLeavesNothingHalf) {
    make_file(files_ + "/agent.jar", 3'000'000);
    std::size_t killed = 0;
    for (std::size_t point = 0; point < kPoints; ++point) {
        const auto server = serve({"--fault", "/admin/agent=rate:3000000"}, "stub" + std::to_string(point));
        const auto fetcher = start(server->url());
        nap(milliseconds(5 + 130 * point));
        fetcher->signal(SIGKILL);
        killed += fetcher->wait() == 128 + SIGKILL;
        expect_nothing_half(false);
        fs::remove(work_ + "/tfs-impl.jar");
    }
    EXPECT_GE(killed, kPoints / 2);
    const auto server = serve();
    expect_success(*start(server->url()));
}

TEST_F(Fetch, StopsAtOnceWhenToldTo) {
    const auto server = serve({"--fault", "/admin/agent=stall:1000"});
    const auto fetcher = start(server->url());
    ASSERT_TRUE(eventually([&] { return fs::exists(work_ + "/.agent.jar.part"); }));
    fetcher->signal(SIGTERM);
    EXPECT_EQ(fetcher->wait(milliseconds(5000)), 128 + SIGTERM);
    expect_nothing_half(false);
}

TEST_F(Fetch, WaitsForRoomOnTheDisk) {
    if (::mount("small", work_.c_str(), "tmpfs", 0, "size=128k") != 0) {
        ASSERT_EQ(std::getenv("CI"), nullptr) << "cannot mount a tmpfs";
        GTEST_SKIP() << "cannot mount a tmpfs: needs root";
    }
    const auto server = serve();
    const auto fetcher = start(server->url());
    EXPECT_TRUE(
        eventually([&] { return fetcher->err().find("No space left on device") != std::string::npos; }));
    EXPECT_EQ(::mount("small", work_.c_str(), "tmpfs", MS_REMOUNT, "size=4m"), 0);
    expect_success(*fetcher);
    ::umount(work_.c_str());
}

TEST_F(Fetch, RefusesWrongUsage) {
    for (const auto& options : std::vector<std::vector<std::string>>{
             {FETCHER},
             {FETCHER, "--server"},
             {FETCHER, "--server", "x", "--directory", "/", "--verification", "SOME"},
             {FETCHER, "--server", "x", "--directory", "/", "--other", "x"}}) {
        Child fetcher(options, directory_ / "usage");
        EXPECT_EQ(fetcher.wait(), 64);
        EXPECT_THAT(fetcher.err(), Not(testing::IsEmpty()));
    }
}

// --- proxies ---

class FetchProxy : public Fetch {};

TEST_F(FetchProxy, ThatIsConfiguredIsUsed) {
    const auto proxy = serve({"--proxy"});
    expect_success(*start("http://ci.invalid:8153/go",
                          {"--proxy", "http://127.0.0.1:" + std::to_string(proxy->port())}));
    for (const auto& line : proxy->record("request")) EXPECT_TRUE(line.at("proxied").as_bool());
}

TEST_F(FetchProxy, OfTheEnvironmentIsUsed) {
    const auto proxy = serve({"--proxy"});
    expect_success(*start("http://ci.invalid:8153/go", {},
                          {"http_proxy=http://127.0.0.1:" + std::to_string(proxy->port())}));
    EXPECT_TRUE(proxy->record("request").front().at("proxied").as_bool());
}

TEST_F(FetchProxy, OfTheEnvironmentThatIsDeadIsPassedBy) {
    const auto server = serve();
    expect_success(*start(server->url(), {}, {"http_proxy=http://127.0.0.1:1"}));
    EXPECT_FALSE(server->record("request").front().at("proxied").as_bool());
}

TEST_F(FetchProxy, IsPassedByWhenTheServerIsExcluded) {
    const auto server = serve();
    expect_success(*start(server->url(), {"--proxy", "direct"}, {"http_proxy=http://127.0.0.1:1"}));
    EXPECT_EQ(server->requests("/latest-agent.status"), 1U);
}

// --- TLS ---

class FetchTls : public Fetch {
  protected:
    void SetUp() override {
        Fetch::SetUp();
        ASSERT_TRUE(make_certificates(directory_.path()));
    }
    std::unique_ptr<StubServer> serve_tls(const std::string& certificate,
                                          std::vector<std::string> options = {}) {
        options.insert(options.end(), {"--tls-cert", directory_ / (certificate + ".pem"), "--tls-key",
                                       directory_ / (certificate + ".key")});
        return serve(options);
    }
    std::vector<std::string> client(const std::string& name, const std::string& key) const {
        return {"--root-certificates",        directory_ / "root.pem", "--client-certificate",
                directory_ / (name + ".pem"), "--client-key",          directory_ / key};
    }
    void expect_refusal(const std::string& url, const std::vector<std::string>& options,
                        const std::string& says) {
        const auto fetcher = start(url, options);
        EXPECT_TRUE(eventually([&] { return fetcher->err().find("trying again") != std::string::npos; }));
        EXPECT_THAT(fetcher->err(), HasSubstr(says));
        EXPECT_TRUE(fetcher->running());
        EXPECT_TRUE(fs::is_empty(work_));
    }
};

TEST_F(FetchTls, TrustsAPrivateRoot) {
    const auto server = serve_tls("server");
    expect_success(*start(server->url("https"), {"--root-certificates", directory_ / "root.pem"}));
}

TEST_F(FetchTls, TrustsNobodyElse) {
    const auto server = serve_tls("server");
    expect_refusal(server->url("https"), {}, "certificate");
    expect_refusal(server->url("https"), {"--root-certificates", directory_ / "other.pem"}, "certificate");
    expect_refusal(server->url("https"), {"--root-certificates", directory_ / "none.pem"}, "CA");
}

TEST_F(FetchTls, ChecksTheNameOnlyInModeFull) {
    const auto server = serve_tls("elsewhere");
    expect_refusal(server->url("https"), {"--root-certificates", directory_ / "root.pem"}, "127.0.0.1");
    expect_refusal(server->url("https"),
                   {"--root-certificates", directory_ / "other.pem", "--verification", "NO_VERIFY_HOST"},
                   "certificate");
    expect_success(*start(server->url("https"), {"--root-certificates", directory_ / "root.pem",
                                                 "--verification", "NO_VERIFY_HOST"}));
}

TEST_F(FetchTls, ChecksNothingInModeNone) {
    const auto server = serve_tls("elsewhere");
    expect_success(*start(server->url("https"), {"--verification", "NONE"}));
}

TEST_F(FetchTls, ShowsItsCertificate) {
    const auto server = serve_tls("server", {"--client-ca", directory_ / "root.pem"});
    expect_success(*start(server->url("https"), client("client", "client.key")));
    EXPECT_THAT(text_of(server->record("request").front(), "client"), HasSubstr("CN=client"));
}

TEST_F(FetchTls, OpensALockedKey) {
    const auto server = serve_tls("server", {"--client-ca", directory_ / "root.pem"});
    auto options = client("client", "locked.key");
    options.insert(options.end(), {"--client-key-passphrase-file", directory_ / "passphrase"});
    expect_success(*start(server->url("https"), options));
}

TEST_F(FetchTls, IsRefusedWithoutOrWithTheWrongCertificate) {
    const auto server = serve_tls("server", {"--client-ca", directory_ / "root.pem"});
    expect_refusal(server->url("https"), {"--root-certificates", directory_ / "root.pem"},
                   "/latest-agent.status");
    expect_refusal(server->url("https"), client("stranger", "stranger.key"), "/latest-agent.status");
    EXPECT_TRUE(server->has("tls_failure", 2));
}

TEST_F(FetchTls, GoesThroughAProxy) {
    const auto proxy = serve_tls("elsewhere", {"--proxy"});
    expect_success(
        *start("https://elsewhere.invalid/go", {"--root-certificates", directory_ / "root.pem", "--proxy",
                                                "http://127.0.0.1:" + std::to_string(proxy->port())}));
    EXPECT_EQ(text_of(proxy->record("connect").front(), "target"), "elsewhere.invalid:443");
}

TEST_F(FetchTls, NeverFollowsToAPlainServer) {
    const auto plain = serve({}, "plain");
    const auto server =
        serve_tls("server", {"--fault", "/admin/agent=redirect:" + plain->url() + "/admin/agent"});
    const auto fetcher = start(server->url("https"), {"--root-certificates", directory_ / "root.pem"});
    EXPECT_TRUE(eventually([&] { return fetcher->err().find("trying again") != std::string::npos; }));
    EXPECT_EQ(plain->requests("/admin/agent"), 0U);
}

}  // namespace
}  // namespace agent_level
