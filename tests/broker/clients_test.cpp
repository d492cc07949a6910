// Real clients, once straight to the engine and once through the broker: what they print has to be the same.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "support/docker.hpp"

namespace {

using test_support::docker;
using test_support::run_command;
using test_support::trimmed;
namespace fs = std::filesystem;

const std::string kImage = "clients-busybox:test";
const std::string kRegistryImage = "clients-registry:test";
const std::string kRegistry = "127.0.0.1:5987";
const std::string kScripts = SOURCE_ROOT "/tests/broker/clients/";

void write_file(const fs::path& path, const std::string& text) {
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
}

std::string engine_socket() {
    const char* host = ::getenv("DOCKER_HOST");
    return host == nullptr ? "/var/run/docker.sock" : std::string(host).substr(std::string("unix://").size());
}

// The broker as a process of its own, in front of the engine.
class BrokerProcess {
  public:
    explicit BrokerProcess(const fs::path& folder) : socket_(folder / "broker.sock") {
        const auto work = (folder / "work").string();
        write_file(folder / "broker.json",
                   R"({"mode":"dood","host_socket":")" + engine_socket() + R"(","listen_path":")" + socket_ +
                       R"(","agent_id":"clients","incarnation":"1","mounts":[{"destination":")" + work +
                       R"(","source":")" + work + R"("}]})");
        pid_ = ::fork();
        if (pid_ == 0) {
            const auto log = (folder / "broker.log").string();
            if (std::freopen(log.c_str(), "w", stdout) != nullptr) ::dup2(1, 2);
            const auto config = (folder / "broker.json").string();
            ::execl(BROKER_MAIN, BROKER_MAIN, config.c_str(), nullptr);
            ::_exit(127);
        }
        test_support::eventually(
            [&] {
                return run_command({"grep", "-q", "serving", (folder / "broker.log").string()}).ok();
            },
            std::chrono::seconds(20));
    }
    BrokerProcess(const BrokerProcess&) = delete;
    BrokerProcess& operator=(const BrokerProcess&) = delete;
    ~BrokerProcess() {
        ::kill(pid_, SIGTERM);
        ::waitpid(pid_, nullptr, 0);
        (void)run_command({BROKER_MAIN, "--sweep", engine_socket(), "clients"});
    }
    [[nodiscard]] const std::string& socket() const { return socket_; }

  private:
    std::string socket_;
    pid_t pid_ = -1;
};

// A root directory with one program and the libraries that it needs, as an image.
void import_program(const fs::path& folder, const std::string& program, const std::string& image,
                    const std::string& command) {
    const auto root = folder / "root";
    write_file(root / "etc/config.yml",
               "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: /data\nhttp:\n  addr: " +
                   kRegistry + "\n");
    const auto made = run_command(
        {"sh", "-ec",
         "mkdir -p $0/bin $0/tmp; cp -L $1 $0/bin/; "
         "for lib in $(ldd $1 2>/dev/null | grep -o '/[^ ]*'); do mkdir -p $0$(dirname $lib); cp -L $lib "
         "$0$lib; "
         "done; if [ $(basename $1) = busybox ]; then chroot $0 /bin/busybox --install -s /bin; fi; "
         "tar -C $0 -c . | docker import --change \"CMD $2\" - $3",
         root.string(), program, command, image});
    ASSERT_TRUE(made.ok()) << made.text();
    fs::remove_all(root);
}

std::string program_path(const std::string& name) {
    return trimmed(run_command({"sh", "-c", "command -v " + name + " || true"}).out);
}

// Every docker of this machine: Debian's, and another one that comes earlier in PATH.
std::set<std::string> docker_clients() {
    std::set<std::string> out;
    for (const auto& path : {program_path("docker"), std::string("/usr/bin/docker")}) {
        if (fs::exists(path)) out.insert(fs::canonical(path).string());
    }
    return out;
}

class RealClients : public testing::Test {
  protected:
    // The scripts prune what nobody uses.
    void SetUp() override {
        if (!fs::exists(fs::path(engine_socket()).parent_path() / "range"))
            GTEST_SKIP() << "needs a private engine (tests/support/engine start --private), whose unused "
                            "containers, volumes and caches nobody misses";
    }
    static void SetUpTestSuite() {
        char pattern[] = "/tmp/broker-clients-XXXXXX";
        folder_ = ::mkdtemp(pattern);
        import_program(folder_, program_path("busybox"), kImage, "[\"sh\"]");
        registry_ = program_path("docker-registry");
        if (registry_.empty()) return;
        import_program(folder_, registry_, kRegistryImage,
                       "[\"/bin/docker-registry\",\"serve\",\"/etc/config.yml\"]");
    }
    static void TearDownTestSuite() {
        (void)docker({"rm", "-f", "-v", "clients-registry"});
        (void)docker({"rmi", "-f", kRegistryImage, kImage});
        fs::remove_all(folder_);
    }

    // Runs a script and returns what it printed, with everything masked that differs from run to run.
    static std::string output(const std::string& script, const std::string& socket,
                              std::vector<std::string> environment) {
        const auto work = fs::path(folder_) / "work";
        fs::remove_all(work);
        fs::create_directories(work);
        for (const auto& variable :
             {"DOCKER_HOST=unix://" + socket, "IMAGE=" + kImage, "WORK=" + work.string()})
            environment.push_back(variable);
        const auto interpreter = script.ends_with(".py") ? "/usr/bin/python3" : "bash";
        const auto result = run_command({interpreter, kScripts + script},
                                        {.timeout = std::chrono::seconds(240), .environment = environment});
        EXPECT_EQ(result.err, "");
        write_file(fs::path(folder_) / "raw", result.out);
        return run_command({"sed", "-E", "-f", kScripts + "normalise.sed", folder_ + "/raw"}).out;
    }

    static void compare(const std::string& script, const std::vector<std::string>& environment = {}) {
        const auto direct = output(script, engine_socket(), environment);
        std::string brokered;
        {
            const BrokerProcess broker(folder_);
            brokered = output(script, broker.socket(), environment);
        }
        ASSERT_GT(test_support::lines(direct).size(), 10U) << direct;
        if (direct == brokered) return;
        write_file(fs::path(folder_) / "direct", direct);
        write_file(fs::path(folder_) / "brokered", brokered);
        ADD_FAILURE() << run_command({"diff", "-u", folder_ + "/direct", folder_ + "/brokered"}).out;
    }

    static void compare_clis(const std::string& script) {
        for (const auto& cli : docker_clients()) {
            // Engines since 29 take no client from before 25.
            if (run_command({cli, "ps"}).err.find("is too old") != std::string::npos) continue;
            SCOPED_TRACE(cli + " " + trimmed(run_command({cli, "--version"}).out));
            std::vector<std::string> environment{"CLI=" + cli};
            if (!registry_.empty()) environment.push_back("REGISTRY=" + kRegistry);
            compare(script, environment);
        }
    }

    static std::string folder_;
    static std::string registry_;
};
std::string RealClients::folder_;
std::string RealClients::registry_;

TEST_F(RealClients, DockerCliContainers) {
    compare_clis("containers.sh");
}
TEST_F(RealClients, DockerCliImagesAndARegistry) {
    ASSERT_NE(registry_, "") << "install docker-registry";
    // In the engine's own network, where it takes a registry without TLS.
    ASSERT_TRUE(
        docker({"run", "-d", "--name", "clients-registry", "--network", "host", kRegistryImage}).ok());
    compare_clis("images.sh");
    (void)docker({"rm", "-f", "-v", "clients-registry"});
}
TEST_F(RealClients, DockerCliNetworksAndVolumes) {
    compare_clis("networks.sh");
}
TEST_F(RealClients, DockerCliSystemAndEvents) {
    compare_clis("system.sh");
}
TEST_F(RealClients, DockerComposeOfPython) {
    compare("compose.sh", {"COMPOSE=docker-compose"});
}
TEST_F(RealClients, DockerPy) {
    compare("docker_py.py");
}
TEST_F(RealClients, Curl) {
    compare("raw.sh");
}

}  // namespace
