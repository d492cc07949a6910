// The stand-in agent as the supervisor starts it, in every launch mode, against the stub server.
#include <gmock/gmock.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <utility>

#include "agent/directories.hpp"
#include "agent/job_tracker.hpp"
#include "agent/launch.hpp"
#include "base/strings.hpp"
#include "support.hpp"

namespace agent_level {
namespace {

namespace fs = std::filesystem;
using namespace supervisor::agent;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

const std::string kServerFiles = std::string(STANDIN_DIR) + "/server-files";

// Ports and intervals that suit tests: several agents may run on this machine.
const char* const kTestOptions =
    "GOCD_AGENT_JVM_OPTS=-Dgo.agent.status.api.bind.port=0 -Dagent.ping.delay=100 -Dagent.ping.interval=300 "
    "-Dagent.instruction.delay=100 -Dagent.instruction.interval=300 -Dstandin.registration.interval=300";

class Launch : public testing::Test {
  protected:
    void SetUp() override {
        ASSERT_TRUE(fs::exists(kServerFiles + "/agent.jar"))
            << "the stand-in agent is not built: is there a JDK?";
        ASSERT_EQ(shell("cd " + directory_.path() + " && unzip -q " + STANDIN_DIR +
                        "/go-agent-*.zip && mv go-agent-* home && mkdir work"),
                  0);
    }

    std::unique_ptr<StubServer> serve(std::vector<std::string> options, const std::string& name = "stub") {
        options.insert(options.begin(), {"--files", files_});
        return std::make_unique<StubServer>(directory_, std::move(options), name);
    }

    // What the supervisor does before a launch.
    void prepare(const std::string& url, LaunchMode mode, Environment container = {}) {
        container.insert(container.begin(), {"GO_SERVER_URL=" + url, "AGENT_AUTO_REGISTER_KEY=sesame",
                                             "AGENT_AUTO_REGISTER_RESOURCES=docker", kTestOptions,
                                             "AGENT_BOOTSTRAPPER_JVM_ARGS=-Dsleep.for.download=200 "
                                             "-Dagent.bootstrapper.wait.time.before.relaunch.in.ms=200"});
        auto settings = read_settings(container);
        ASSERT_TRUE(settings) << settings.error().message();
        settings_ = std::move(*settings);
        settings_.working_directory = directory_ / "work";
        settings_.volume_directory = directory_ / "volume";
        settings_.agent_home = directory_ / "home";
        settings_.java_home = JAVA_HOME;
        settings_.launch = mode;
        environment_ = agent_environment(container, {"go", "/home/go"});
        auto prepared = prepare_directories(settings_, mode, owner_);
        ASSERT_TRUE(prepared) << prepared.error().message();
        prepared_ = std::move(*prepared);
        const auto written = write_autoregister(settings_, owner_);
        ASSERT_TRUE(written) << written.error().message();
    }

    FetchResult fetch() {
        const auto command = fetcher_command(settings_, access(), facts_, FETCHER, environment_);
        Child fetcher(command.argv, directory_ / "fetcher", command.environment, command.working_directory);
        EXPECT_EQ(fetcher.wait(), 0) << fetcher.err();
        const auto result = parse_fetch_result(fetcher.out());
        EXPECT_TRUE(result) << fetcher.out();
        return result.value_or(FetchResult{});
    }

    ServerAccess access() const { return *read_server_access(settings_); }

    Command command(LaunchMode mode) {
        if (mode == LaunchMode::Bootstrapper) return bootstrapper_command(settings_, environment_);
        if (mode == LaunchMode::Wrapper) return wrapper_command(settings_, environment_);
        return direct_command(settings_, access(), facts_, fetch(), environment_).command;
    }

    std::unique_ptr<Child> launch(LaunchMode mode, const std::string& name = "agent") {
        const auto planned = command(mode);
        return std::make_unique<Child>(planned.argv, directory_ / name, planned.environment,
                                       planned.working_directory);
    }

    // Does what the supervisor does when the agent says so; true once `event` was seen.
    bool sees(const Child& agent, AgentEvent event) {
        return eventually([&] {
            const auto text = agent.out();
            bool seen = false;
            for (const auto line : supervisor::split_lines(text))
                seen = seen || parse_agent_line(line) == event;
            return seen;
        });
    }

    // A server with another agent.jar than the cache's: its classes would come out of the cache all the same.
    void expect_no_stale_class(const std::string& cache) {
        files_ = directory_ / "newer";
        fs::copy(kServerFiles, files_);
        ASSERT_EQ(shell("cd " + files_ + " && echo other > other && zip -q agent.jar other && rm other"), 0);
        const auto server = serve({}, "newer-server");
        const auto url = std::exchange(settings_.server_url, server->url());
        const auto launched = direct_command(settings_, access(), facts_, fetch(), environment_);
        EXPECT_THAT(launched.aot.reason, HasSubstr("another agent.jar"));
        EXPECT_THAT(launched.command.argv, Not(Contains("-XX:AOTCache=" + cache)));
        settings_.server_url = url;
        files_ = kServerFiles;
    }

    std::string autoregister() const { return read_text(directory_ / "work/config/autoregister.properties"); }

    const TempDir directory_;
    std::string files_ = kServerFiles;
    const Owner owner_{geteuid(), getegid()};
    Settings settings_;
    Environment environment_;
    Prepared prepared_;
    LaunchFacts facts_;
};

class LaunchEach : public Launch, public testing::WithParamInterface<LaunchMode> {};

TEST_P(LaunchEach, TakesAJobAndStopsOnTerm) {
    const auto server = serve({"--key", "sesame", "--job", "echo job says $((6 * 7)); pwd; env"});
    prepare(server->url(), GetParam());
    const auto agent = launch(GetParam());
    ASSERT_TRUE(eventually([&] { return server->has("job_completed"); })) << agent->out() << agent->err();
    EXPECT_EQ(text_of(server->record("job_completed").front(), "result"), "Passed");
    EXPECT_THAT(server->console(), HasSubstr("job says 42"));
    EXPECT_THAT(server->console(), HasSubstr("GO_SERVER_URL=" + server->url()));
    EXPECT_EQ(text_of(server->record("registered").front(), "agentAutoRegisterResources"), "docker");
    for (const auto event :
         {AgentEvent::Registered, AgentEvent::Connected, AgentEvent::JobStarted, AgentEvent::JobFinished}) {
        EXPECT_TRUE(sees(*agent, event)) << to_string(event) << " is not in\n" << agent->out();
    }
    // The script that starts the wrapper hands no signal on: the wrapper itself gets it.
    if (GetParam() == LaunchMode::Wrapper) {
        EXPECT_EQ(shell("kill -TERM $(cat " + (directory_ / "home/run/go-agent.pid") + ")"), 0);
        EXPECT_EQ(agent->wait(), 0) << agent->out();
    } else {
        agent->signal(SIGTERM);
        EXPECT_EQ(agent->wait(), 143) << agent->out();
    }
}

INSTANTIATE_TEST_SUITE_P(Mode, LaunchEach,
                         testing::Values(LaunchMode::Direct, LaunchMode::Bootstrapper, LaunchMode::Wrapper),
                         [](const auto& mode) { return std::string(to_string(mode.param)); });

// The words are put together in the job, so that its own command line does not count as a find.
const char* const kKeySearch =
    "while [ ! -e $ROOT/scrubbed ]; do sleep 0.05; done; word=ses''ame; env | grep $word; "
    "grep -rl $word $ROOT/work/ $ROOT/volume $ROOT/home; for process in $PPID $$; do "
    "cat /proc/$process/environ /proc/$process/cmdline | grep -a -o $word; done; echo searched";

TEST_F(Launch, LeavesNoKeyWhereAJobCanLook) {
    write_text(directory_ / "jobs.json", std::string("[{\"commands\": [[\"sh\", \"-c\", \"") + kKeySearch +
                                             "\"]], \"environment\": {\"ROOT\": \"" + directory_.path() +
                                             "\"}}]");
    const auto server = serve({"--jobs", directory_ / "jobs.json"});
    prepare(server->url(), LaunchMode::Direct);
    EXPECT_THAT(autoregister(), HasSubstr("sesame"));
    const auto agent = launch(LaunchMode::Direct);
    ASSERT_TRUE(sees(*agent, AgentEvent::Connected)) << agent->out();
    EXPECT_EQ(text_of(server->record("registered").front(), "agentAutoRegisterKey"), "sesame");
    EXPECT_THAT(autoregister(), HasSubstr("#agent.auto.register.key=sesame"));  // the agent's own doing
    ASSERT_TRUE(write_autoregister(settings_, owner_));
    write_text(directory_ / "scrubbed", "");
    ASSERT_TRUE(eventually([&] { return server->has("job_completed"); })) << agent->out();
    EXPECT_THAT(server->console(), HasSubstr("searched"));
    EXPECT_THAT(server->console(), Not(HasSubstr("sesame")));
    EXPECT_THAT(server->console(), Not(HasSubstr(directory_ / "work/config")));
    EXPECT_THAT(server->console(), Not(HasSubstr(directory_ / "volume/config")));
}

TEST_F(Launch, DirectAgentEndsWithZeroWhenTheServerHasNewerFiles) {
    files_ = directory_ / "files";
    fs::copy(kServerFiles, files_);
    const auto server = serve({});
    prepare(server->url(), LaunchMode::Direct);
    const auto first = launch(LaunchMode::Direct);
    ASSERT_TRUE(sees(*first, AgentEvent::Connected)) << first->out();
    write_text(files_ + "/tfs-impl.jar", "a newer one");
    EXPECT_EQ(first->wait(), 0) << first->out();
    const auto second = launch(LaunchMode::Direct, "again");
    EXPECT_TRUE(sees(*second, AgentEvent::Connected)) << second->out();
    EXPECT_EQ(read_text(directory_ / "work/tfs-impl.jar"), "a newer one");
    EXPECT_EQ(server->record("registered").size(), 1U);
}

TEST_F(Launch, HandsTheServersExtraPropertiesToTheAgentsJvm) {
    const auto server = serve({"--extra-properties", "a=b c=d%20e"});
    prepare(server->url(), LaunchMode::Direct);
    const auto agent = launch(LaunchMode::Direct);
    ASSERT_TRUE(sees(*agent, AgentEvent::Connected)) << agent->out();
    const auto arguments = read_text("/proc/" + std::to_string(agent->pid()) + "/cmdline");
    EXPECT_THAT(arguments, HasSubstr(std::string("\0-Da=b\0-Dc=d e\0-Dagent.", 23)));
}

TEST_F(Launch, AWrongKeyIsSeenAndTriedAgain) {
    const auto server = serve({"--key", "another"});
    prepare(server->url(), LaunchMode::Direct);
    const auto agent = launch(LaunchMode::Direct);
    EXPECT_TRUE(sees(*agent, AgentEvent::RegistrationFailed)) << agent->out();
    EXPECT_TRUE(eventually([&] { return server->has("refused", 3); }));
    EXPECT_TRUE(agent->running());
    EXPECT_THAT(text_of(server->record("refused").front(), "agentAutoRegisterKey"), "sesame");
}

TEST_F(Launch, PendingAndForbiddenAgentsComeInLater) {
    const auto server =
        serve({"--fault", "POST /admin/agent=status:202*2", "--fault", "POST /admin/agent=status:403*1"});
    prepare(server->url(), LaunchMode::Direct);
    const auto agent = launch(LaunchMode::Direct);
    EXPECT_TRUE(sees(*agent, AgentEvent::Connected)) << agent->out();
    EXPECT_EQ(server->requests("/agent/token"), 2U);  // 403 made it ask for a new one
}

TEST_F(Launch, ACancelledJobEndsWithItsProcesses) {
    const auto server = serve({"--job", "echo begun; exec sleep 300", "--cancel-after", "500"});
    prepare(server->url(), LaunchMode::Direct);
    const auto agent = launch(LaunchMode::Direct);
    ASSERT_TRUE(eventually([&] { return server->has("job_completed"); })) << agent->out();
    EXPECT_EQ(text_of(server->record("job_completed").front(), "result"), "Cancelled");
}

TEST_F(Launch, OutlivesAServerThatIsAwayForAWhile) {
    auto server = serve({});
    prepare(server->url(), LaunchMode::Direct);
    const auto agent = launch(LaunchMode::Direct);
    ASSERT_TRUE(sees(*agent, AgentEvent::Connected)) << agent->out();
    const auto address = "127.0.0.1:" + std::to_string(server->port());
    server.reset();
    // LAUNCH_SERVER_AWAY: for how many seconds.
    const auto* away = std::getenv("LAUNCH_SERVER_AWAY");
    nap(milliseconds(1000 * (away != nullptr ? std::atol(away) : 2)));
    server = serve({"--listen", address, "--job", "echo back again"}, "second");
    ASSERT_TRUE(eventually([&] { return server->has("job_completed"); })) << agent->out();
    EXPECT_FALSE(server->has("registered"));
}

TEST_F(Launch, ShowsItsCertificateToATlsServer) {
    ASSERT_TRUE(make_certificates(directory_.path()));
    const auto server =
        serve({"--job", "echo encrypted", "--tls-cert", directory_ / "server.pem", "--tls-key",
               directory_ / "server.key", "--client-ca", directory_ / "root.pem"});
    prepare(server->url("https"), LaunchMode::Auto,
            {"AGENT_BOOTSTRAPPER_ARGS=-rootCertFile " + (directory_ / "root.pem") + " -sslCertificateFile " +
             (directory_ / "client.pem") + " -sslPrivateKeyFile " + (directory_ / "locked.key") +
             " -sslPrivateKeyPassphraseFile " + (directory_ / "passphrase")});
    const auto agent = launch(LaunchMode::Direct);
    ASSERT_TRUE(eventually([&] { return server->has("job_completed"); })) << agent->out();
    for (const auto& request : server->record("request"))
        EXPECT_THAT(text_of(request, "client"), HasSubstr("CN=client"));
}

TEST_F(Launch, GoesThroughAProxy) {
    const auto proxy = serve({"--proxy", "--job", "echo proxied"});
    const auto properties = "-Dhttp.proxyHost=127.0.0.1 -Dhttp.proxyPort=" + std::to_string(proxy->port());
    prepare("http://ci.invalid:8153/go", LaunchMode::Direct,
            {"AGENT_STARTUP_ARGS=" + properties, "AGENT_BOOTSTRAPPER_JVM_ARGS=" + properties});
    const auto agent = launch(LaunchMode::Direct);
    ASSERT_TRUE(eventually([&] { return proxy->has("job_completed"); })) << agent->out() << agent->err();
    for (const auto& request : proxy->record("request")) EXPECT_TRUE(request.at("proxied").as_bool());
}

TEST_F(Launch, AnElasticAgentTellsItsIds) {
    const auto server = serve({"--job", "true"});
    prepare(server->url(), LaunchMode::Direct,
            {"GO_EA_SERVER_URL=" + server->url(), "GO_EA_AUTO_REGISTER_KEY=once",
             "GO_EA_AUTO_REGISTER_ELASTIC_AGENT_ID=agent 7", "GO_EA_AUTO_REGISTER_ELASTIC_PLUGIN_ID=plugin"});
    const auto agent = launch(LaunchMode::Direct);
    ASSERT_TRUE(eventually([&] { return server->has("job_completed"); })) << agent->out();
    const auto registered = server->record("registered").front();
    EXPECT_EQ(text_of(registered, "elasticAgentId"), "agent 7");
    EXPECT_EQ(text_of(registered, "agentAutoRegisterKey"), "once");
    EXPECT_EQ(text_of(registered, "agentAutoRegisterResources"), "");
}

TEST_F(Launch, BootstrapperRefusesAFreshLockUnlessItWasRemoved) {
    const auto server = serve({});
    prepare(server->url(), LaunchMode::Bootstrapper);
    settings_.bootstrapper_jvm_args.emplace_back("-Dlockfile.sleep.before.lastmodified.check.millis=100");
    write_text(directory_ / "work/.agent-bootstrapper.running", "");
    EXPECT_EQ(launch(LaunchMode::Bootstrapper)->wait(), 173);
    prepared_.lock.reset();
    prepare(server->url(), LaunchMode::Bootstrapper);
    const auto agent = launch(LaunchMode::Bootstrapper, "again");
    EXPECT_TRUE(sees(*agent, AgentEvent::Connected)) << agent->out();
}

TEST_F(Launch, ASecondTermMakesTheWrapperGiveUpItsJvm) {
    const auto server = serve({});
    prepare(server->url(), LaunchMode::Wrapper);
    const auto agent = launch(LaunchMode::Wrapper);
    ASSERT_TRUE(sees(*agent, AgentEvent::Connected)) << agent->out();
    agent->signal(SIGTERM);  // the outer shell alone: nothing happens
    nap(milliseconds(300));
    const auto wrapper = "$(cat " + (directory_ / "home/run/go-agent.pid") + ")";
    ASSERT_TRUE(agent->running());
    ASSERT_EQ(shell("kill -0 " + wrapper), 0);
    EXPECT_EQ(shell("kill -TERM " + wrapper + " && sleep 0.1 && kill -TERM " + wrapper), 0);
    EXPECT_TRUE(
        eventually([&] { return agent->out().find("Forcing immediate shutdown") != std::string::npos; }));
    EXPECT_TRUE(eventually(
        [&] { return processes_in(directory_ / "work").size() == 1; }));  // the agent's JVM, an orphan
}

// Where this machine has a JRE that can train a cache; the images have one always, and the e2e tests use
// theirs.
#ifdef AOT_JAVA_HOME
TEST_F(Launch, AotCacheIsTrainedAndUsedOnlyWhereItFits) {
    const auto baked = directory_ / "baked";
    fs::copy(kServerFiles, baked);
    ASSERT_EQ(shell("cd " + baked + " && md5sum * > md5sums"), 0);
    // As the image's stages do it: the settings, the training, the sum.
    const auto settings = directory_ / "settings";
    const auto cache = directory_ / "usr/local/share/gocd-agent/agent.aot";
    fs::create_directories(settings);
    fs::create_directories(fs::path(cache).parent_path());
    ASSERT_EQ(
        shell(FETCHER " --default-jvm-flags > " + settings +
              "/jvm-flags && " FETCHER " --console-logging > " + settings + "/agent-logback-include.xml"),
        0);
    Child training({IMAGE_STAGES "/train-aot", baked, cache, settings}, directory_ / "training",
                   {"GO_JAVA_HOME=" + std::string(AOT_JAVA_HOME),
                    "PATH=" TOOLS_PATH ":" + std::string(std::getenv("PATH"))});
    ASSERT_EQ(training.wait(milliseconds(120'000)), 0) << training.err();
    EXPECT_EQ(shell("SOURCE_DATE_EPOCH=0 PATH=" TOOLS_PATH ":$PATH " IMAGE_STAGES "/record-aot " +
                    directory_.path() + " " + (directory_ / "out") + " && mv " + (directory_ / "out") +
                    "/usr/local/share/gocd-agent/agent.aot.record " + cache + ".record"),
              0);
    EXPECT_THAT(training.out(), HasSubstr("without the cache"));

    const auto server = serve({"--job", "true"});
    prepare(server->url(), LaunchMode::Direct);
    settings_.java_home = AOT_JAVA_HOME;
    facts_ = read_launch_facts(settings_, FETCHER, baked, cache);
    ASSERT_TRUE(facts_.aot);
    EXPECT_TRUE(direct_command(settings_, access(), facts_, fetch(), environment_).aot.use);
    expect_no_stale_class(cache);
    settings_.jvm_opts.emplace_back("-Xlog:class+load:file=" + (directory_ / "classes"));
    EXPECT_FALSE(direct_command(settings_, access(), facts_, fetch(), environment_).aot.use);
    facts_.aot->record.flags.push_back(settings_.jvm_opts.back());  // as if trained with it
    const auto launched = direct_command(settings_, access(), facts_, fetch(), environment_);
    EXPECT_TRUE(launched.aot.use) << launched.aot.reason;
    const Child agent(launched.command.argv, directory_ / "agent", launched.command.environment,
                      launched.command.working_directory);
    ASSERT_TRUE(eventually([&] { return server->has("job_completed"); })) << agent.out();
    const auto classes = read_text(directory_ / "classes");
    EXPECT_THAT(classes, HasSubstr("standin.Agent source: shared objects file"));
    EXPECT_THAT(agent.out(), Not(HasSubstr("[aot]")));

    // One byte in the middle: a JVM that maps it would abort.
    auto bytes = read_text(cache);
    bytes[bytes.size() / 2] = static_cast<char>(~bytes[bytes.size() / 2]);
    write_text(cache, bytes);
    facts_ = read_launch_facts(settings_, FETCHER, baked, cache);
    settings_.jvm_opts.pop_back();
    EXPECT_THAT(direct_command(settings_, access(), facts_, fetch(), environment_).aot.reason,
                HasSubstr("damaged"));

    fs::resize_file(cache, 1000);
    facts_ = read_launch_facts(settings_, FETCHER, baked, cache);
    EXPECT_FALSE(direct_command(settings_, access(), facts_, fetch(), environment_).aot.use);
}
#endif

}  // namespace
}  // namespace agent_level
