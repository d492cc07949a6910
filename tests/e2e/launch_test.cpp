// What a launch leaves behind, what it uses and what it survives, in the image: the key that no job may find,
// the AOT cache that must fit, output without end.
#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <ostream>
#include <thread>

#include "e2e/fixture.hpp"

namespace e2e {
namespace {

using test_support::docker;
using test_support::eventually;
using test_support::trimmed;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kKey = "a-key-that-no-job-may-find";
// As a job would look for it: the words are put together there, so that its own command line is no find. The
// configuration comes first, at once: the first task of a fresh agent must not see what the second does not.
constexpr const char* kSearch =
    "word=a-key-that-no-''job-may-find; grep -rF $word /go-working-dir/config/; env | grep -F $word; "
    "for f in /proc/[0-9]*/environ /proc/[0-9]*/cmdline; do tr '\\0' '\\n' <$f | grep -qF $word && echo "
    "FOUND $f; "
    "done; grep -rlF -D skip --exclude-dir=proc --exclude-dir=sys --exclude-dir=inner $word / | sed "
    "'s/^/FOUND /'; "
    "grep . /go-working-dir/config/autoregister.properties; echo searched";

std::string consoles(const StubServer& server) {
    std::string text;
    for (const auto& line : test_support::lines(server.record())) {
        if (line.find("\"event\":\"console\"") != std::string::npos) text += line + "\n";
    }
    return text;
}

std::size_t count(const std::string& text, const std::string& part) {
    std::size_t found = 0;
    for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
    return found;
}

// Without an engine, which has no part in these and would only take time.
Arguments without_engine(const StubServer& server, const Arguments& more = {}) {
    Arguments options = {"-e", "GO_SERVER_URL=" + server.url(), "-e", "GOCD_DOCKER_MODE=plain",
                         "-e", "GOCD_LOG_LEVEL=debug"};
    options.insert(options.end(), more.begin(), more.end());
    return options;
}

class LaunchSecrets : public EndToEnd, public ::testing::WithParamInterface<const char*> {};

TEST_P(LaunchSecrets, NoJobFindsTheKeyAnywhere) {
    const StubServer server({"--key", kKey, "--job", kSearch});
    Container container(dind(without_engine(
        server, {"-e", std::string("AGENT_AUTO_REGISTER_KEY=") + kKey, "-e",
                 "AGENT_AUTO_REGISTER_RESOURCES=rare", "-e", "AGENT_AUTO_REGISTER_ENVIRONMENTS=rare", "-e",
                 std::string("GOCD_AGENT_LAUNCH=") + GetParam()})));
    ASSERT_TRUE(server.wait_for_record("job_completed", seconds(90))) << server.record() << container.logs();
    const auto seen = consoles(server);
    EXPECT_THAT(seen, HasSubstr("searched"));
    EXPECT_THAT(seen, Not(HasSubstr(kKey)));
    EXPECT_THAT(seen, Not(HasSubstr("FOUND")));
    EXPECT_THAT(seen, Not(HasSubstr("agent.auto.register")));
    EXPECT_THAT(container.logs(), Not(HasSubstr(kKey)));
}

INSTANTIATE_TEST_SUITE_P(Modes, LaunchSecrets, ::testing::Values("direct", "bootstrapper", "wrapper"),
                         [](const auto& mode) { return std::string(mode.param); });

class LaunchFile : public EndToEnd {
  protected:
    void SetUp() override {
        EndToEnd::SetUp();
        std::string pattern = "/tmp/gocd-e2e-volume.XXXXXX";
        volume_ = mkdtemp(pattern.data());
        std::filesystem::create_directory(volume_ + "/config");
        std::ofstream(volume_ + "/config/autoregister.properties")
            << "# by hand\nagent.auto.register.key=" << kKey << "\nagent.auto.register.resources=rare\n";
        test_support::run_command({"chown", "-R", "1000:0", volume_});
    }
    void TearDown() override {
        std::error_code ignored;
        if (!volume_.empty()) std::filesystem::remove_all(volume_, ignored);
    }
    std::string volume_;
};

// The user's own file says how to register, and nothing of it stays where jobs can look; still, an agent
// without a token finds it whole, in this life of the container and in the next.
TEST_F(LaunchFile, OfTheUserIsReadHiddenAndGivenBack) {
    const StubServer server({"--key", kKey, "--job", kSearch, "--repeat", "3"});
    Container container(dind(without_engine(server, {"-v", volume_ + ":/godata"})));
    ASSERT_TRUE(eventually([&] { return count(server.record(), "job_completed") == 3; }, seconds(90)))
        << server.record() << container.logs();
    EXPECT_EQ(count(consoles(server), "searched"), count(server.record(), "\"event\":\"job_completed\""));
    EXPECT_THAT(consoles(server), Not(HasSubstr(kKey)));
    EXPECT_THAT(consoles(server), Not(HasSubstr("FOUND")));
    EXPECT_THAT(consoles(server), Not(HasSubstr("rare")));
    EXPECT_THAT(server.record(), HasSubstr("\"agentAutoRegisterResources\":\"rare\""));

    container.exec({"sh", "-c", "rm /godata/config/token; pkill -9 java"});
    EXPECT_TRUE(
        eventually([&] { return count(server.record(), "\"event\":\"registered\"") == 2; }, seconds(30)))
        << server.record() << container.logs();
    container.exec({"rm", "/godata/config/token"});
    docker({"restart", "-t", "10", container.name()});
    EXPECT_TRUE(
        eventually([&] { return count(server.record(), "\"event\":\"registered\"") == 3; }, seconds(30)))
        << server.record() << container.logs();
    EXPECT_THAT(server.record(), Not(HasSubstr("\"event\":\"refused\"")));
}

TEST_F(LaunchFile, MayBeChangedByAScriptBeforeTheAgentReadsIt) {
    std::ofstream(volume_ + "/script") << "#!/bin/sh\necho agent.auto.register.resources=by-script >>"
                                          "config/autoregister.properties\n";
    test_support::run_command({"chmod", "755", volume_ + "/script"});
    const StubServer server({"--key", kKey, "--job", kSearch});
    Container container(
        dind(without_engine(server, {"-e", std::string("AGENT_AUTO_REGISTER_KEY=") + kKey, "-v",
                                     volume_ + "/script:/docker-entrypoint.d/10-script:ro"})));
    ASSERT_TRUE(server.wait_for_record("job_completed", seconds(60))) << server.record() << container.logs();
    EXPECT_THAT(server.record(), HasSubstr("\"agentAutoRegisterResources\":\"by-script\""));
    EXPECT_THAT(consoles(server), Not(HasSubstr("by-script")));
}

// E2E_SERVER_AWAY: for how many seconds a server is away.
std::chrono::milliseconds away() {
    const char* value = std::getenv("E2E_SERVER_AWAY");
    return seconds(value != nullptr ? std::atol(value) : 3);
}

std::string agents_pid(const Container& container) {
    return trimmed(container.exec({"pgrep", "-of", "agent.jar"}).out);
}

class LaunchServer : public EndToEnd {};

TEST_F(LaunchServer, ThatGoesAwayFindsTheSameAgentWhenItIsBack) {
    StubServer server({});
    Container container(dind(without_engine(server)));
    ASSERT_TRUE(server.wait_for_record("get_cookie", seconds(60))) << container.logs();
    const auto pid = agents_pid(container);
    server.go_away();
    std::this_thread::sleep_for(away());
    EXPECT_TRUE(container.exec({"gocd-supervisor", "health", "--live"}).ok()) << container.logs();
    server.come_back({"--job", "echo back again"});
    ASSERT_TRUE(server.wait_for_record("job_completed", seconds(60))) << server.record() << container.logs();
    EXPECT_EQ(agents_pid(container), pid);
    EXPECT_THAT(server.record(), Not(HasSubstr("\"event\":\"registered\"")));
    EXPECT_THAT(server.record(), Not(HasSubstr("admin/tfs-impl.jar"))) << "nothing to fetch";
}

TEST_F(LaunchServer, ThatIsDownAtTheStartIsWaitedForInFewWords) {
    StubServer server({});
    server.go_away();
    Container container(dind(without_engine(server)));
    std::this_thread::sleep_for(away());
    EXPECT_EQ(count(container.logs(), "cannot fetch the agent's files"), 1U) << container.logs();
    EXPECT_TRUE(container.exec({"gocd-supervisor", "health", "--live"}).ok()) << container.logs();
    server.come_back({"--job", "echo at last"});
    EXPECT_TRUE(server.wait_for_record("job_completed", seconds(60))) << server.record() << container.logs();
}

TEST_F(LaunchServer, ThatIsDownDoesNotHoldUpAStop) {
    StubServer server({});
    server.go_away();
    Container container(dind(without_engine(server)));
    ASSERT_TRUE(eventually([&] { return count(container.logs(), "cannot fetch the agent's files") == 1; },
                           seconds(30)))
        << container.logs();
    EXPECT_TRUE(container.stop(10).ok());
    EXPECT_EQ(container.exit_status(seconds(5)), 0) << container.logs();
}

class LaunchFiles : public EndToEnd {};

// Only a launch that looks at the files before every start gets over this one.
TEST_F(LaunchFiles, ThatWereDamagedAreRightAgainAtTheNextStart) {
    const StubServer server({});
    Container container(dind(without_engine(server)));
    ASSERT_TRUE(server.wait_for_record("get_cookie", seconds(60))) << container.logs();
    const auto damaged = container.exec_as(
        "go", {"sh", "-c",
               "cd /go-working-dir && mkdir -p data/deps-left && rm -f agent.jar tfs-impl.jar && "
               "echo damaged >agent.jar && pkill -9 java"});
    ASSERT_TRUE(damaged.ok()) << damaged.text();
    const auto cookies = [&] { return count(server.record(), "\"event\":\"get_cookie\""); };
    EXPECT_TRUE(eventually([&] { return cookies() == 2; }, seconds(30)))
        << server.record() << container.logs();
    EXPECT_TRUE(container.exec({"test", "-s", "/go-working-dir/tfs-impl.jar"}).ok());
    EXPECT_FALSE(container.exec({"test", "-e", "/go-working-dir/data/deps-left"}).ok());
}

// A JVM that ends with 0 whatever is fetched, as one does whose server announces sums that its files do not
// have.
TEST_F(LaunchFiles, ThatAreNeverTheServersAreFetchedSlowlyAfterAWhile) {
    const StubServer server({});
    Container container(dind(without_engine(server, {"-e", "GOCD_AGENT_JVM_OPTS=-version"})));
    const auto pauses = [&] {
        return count(container.logs(), "times in a row; starting again after a pause");
    };
    ASSERT_TRUE(eventually([&] { return pauses() >= 2; }, seconds(60))) << container.logs();
    const auto fetched = count(server.record(), "latest-agent.status");
    EXPECT_LE(fetched, 3 + 2 * pauses()) << server.record();
    EXPECT_TRUE(container.running());
}

TEST_F(LaunchFiles, HaveTheirPlaceInTheTimeline) {
    const StubServer server({"--job", "true"});
    Container container(dind(without_engine(server)));
    ASSERT_TRUE(server.wait_for_record("job_completed", seconds(60))) << container.logs();
    const auto chart = container.exec({"gocd-supervisor", "status", "--timeline"}).out;
    std::size_t last = 0;
    for (const char* event :
         {"exec", "fetch start", "fetched", "agent JVM start", "registered", "connected", "first job"}) {
        const auto at = chart.find(event);
        ASSERT_NE(at, std::string::npos) << event << "\n" << chart;
        EXPECT_GE(at, last) << event << "\n" << chart;
        last = at;
    }
}

struct CacheCase {
    const char* name;
    const char* before;  // run in the container before the supervisor, as root
    Arguments options;
    const char* said;
    bool used;
};
void PrintTo(const CacheCase& each, std::ostream* out) {
    *out << each.name;
}

constexpr const char* kCache = "/usr/local/share/gocd-agent/agent.aot";
const CacheCase kCacheCases[] = {
    {"Fits", ":", {}, "AOT cache: using", true},
    {"FitsWithOtherProperties", ":", {"-e", "GOCD_AGENT_JVM_OPTS=-Dmine=1"}, "AOT cache: using", true},
    {"OtherFlags", ":", {"-e", "GOCD_AGENT_JVM_OPTS=-Xmx300m"}, "was trained with other JVM flags", false},
    {"OtherJre", "sed -i s/^jre=.*/jre=24.0.1+9/ $cache.record", {}, "was trained with JRE 24.0.1+9", false},
    {"OtherJar",
     "sed -i s/^jar=.*/jar=0123456789abcdef0123456789abcdef/ $cache.record",
     {},
     "trained with another agent.jar",
     false},
    {"Truncated", "truncate -s 1000000 $cache", {}, "has another size", false},
    {"Damaged",
     "printf XXXX | dd of=$cache bs=1 seek=10000001 conv=notrunc status=none",
     {},
     "is damaged",
     false},
    {"Missing", "rm $cache", {}, "there is no AOT cache", false},
    {"SwitchedOff", ":", {"-e", "GOCD_AGENT_AOT=off"}, "is switched off", false},
};

class AotCache : public EndToEnd, public ::testing::WithParamInterface<CacheCase> {};

// The kernel's word on what the JVM uses: it maps the file as long as it lives, or lets go of it at once.
TEST_P(AotCache, IsUsedOnlyWhereItFitsAndNeverStopsAStart) {
    const StubServer server({"--job", "echo ran"});
    auto options = without_engine(server, {"--entrypoint", "sh"});
    options.insert(options.end(), GetParam().options.begin(), GetParam().options.end());
    Container container(dind(options, {"-c", std::string("cache=") + kCache + "; " + GetParam().before +
                                                 "; exec gocd-supervisor"}));
    ASSERT_TRUE(server.wait_for_record("job_completed", seconds(60))) << server.record() << container.logs();
    EXPECT_THAT(container.logs(), HasSubstr(GetParam().said));
    const auto maps = container.exec({"sh", "-c", "cat /proc/$(pgrep -of agent.jar)/maps"}).out;
    EXPECT_THAT(maps, HasSubstr("libjvm.so"));
    EXPECT_EQ(maps.find(kCache) != std::string::npos, GetParam().used) << maps;
    EXPECT_THAT(container.logs(), Not(HasSubstr("[error][aot]")));
}

INSTANTIATE_TEST_SUITE_P(Cases, AotCache, ::testing::ValuesIn(kCacheCases),
                         [](const auto& each) { return std::string(each.param.name); });

class Flood : public EndToEnd {
  protected:
    static constexpr int kLines = 100'000;
    static constexpr const char* kJob = "seq -f 'flood %.0f end' 1 100000";
    static long resident(const Container& container) {
        return std::atol(container.exec({"sed", "-n", "s/^VmRSS:[^0-9]*//p", "/proc/1/status"}).out.c_str());
    }
    static long lost(const Container& container) {
        const auto status = container.exec({"gocd-supervisor", "status", "--json"}).out;
        const std::string name = "\"dropped_log_lines\":";
        const auto at = status.find(name);
        return at == std::string::npos ? -1 : std::atol(status.c_str() + at + name.size());
    }
};

TEST_F(Flood, OfAJobsOutputLosesNoLineAndCostsNoMemory) {
    const StubServer server({"--job", std::string("sleep 2; ") + kJob});
    Container container(dind(without_engine(server)));
    ASSERT_TRUE(server.wait_for_record("\"event\":\"work\"", seconds(60))) << container.logs();
    const auto before = resident(container);
    ASSERT_TRUE(server.wait_for_record("job_completed", seconds(90))) << container.logs();
    const auto after = resident(container);
    std::vector<bool> seen(kLines + 1);
    for (const auto& line : test_support::lines(container.logs())) {
        const auto at = line.find(" - flood ");
        if (at != std::string::npos && line.ends_with(" end"))
            seen.at(std::stoul(line.substr(at + 9))) = true;
    }
    EXPECT_EQ(std::count(seen.begin(), seen.end(), true), kLines);
    EXPECT_LE(after, before + 1024) << "kB resident";
    std::cout << "PID 1 resident: " << before << " kB before, " << after << " kB after\n";
}

// A reader that is there and does not read.
TEST_F(Flood, ThatNobodyReadsHoldsUpNeitherJobNorStop) {
    const StubServer server({"--job", kJob});
    Container container(
        dind(without_engine(server, {"--entrypoint", "sh"}),
             {"-c", "mkfifo /tmp/out; sleep 1000 </tmp/out & exec gocd-supervisor >/tmp/out"}));
    ASSERT_TRUE(server.wait_for_record("job_completed", seconds(90))) << server.record() << container.logs();
    EXPECT_GT(lost(container), 0) << container.exec({"gocd-supervisor", "status", "--json"}).out;
    EXPECT_LT(resident(container), 8192);
    EXPECT_TRUE(container.stop(10).ok());
    EXPECT_EQ(container.exit_status(seconds(5)), 0);
}

}  // namespace
}  // namespace e2e
