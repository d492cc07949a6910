#include "e2e/fixture.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

extern char** environ;

namespace e2e {

namespace fs = std::filesystem;
using test_support::docker;
using test_support::eventually;
using test_support::trimmed;

namespace {

std::string environment(const char* name, std::string otherwise) {
    const char* value = std::getenv(name);
    return value != nullptr ? value : std::move(otherwise);
}

std::string file_text(const fs::path& file) {
    std::ifstream in(file);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

const fs::path kSource = SOURCE_ROOT;

}  // namespace

std::string dind_image() {
    return environment("E2E_IMAGE", "gocd-agent-dind:test");
}

std::string inner_folder() {
    return kSource / ".cache/inner";
}

std::string host_address() {
    // tests/support/engine leaves the address range of a private engine beside its socket.
    const std::string host = environment("DOCKER_HOST", "");
    const std::string prefix = "unix://";
    if (host.starts_with(prefix)) {
        const std::string range =
            trimmed(file_text(fs::path(host.substr(prefix.size())).parent_path() / "range"));
        if (!range.empty()) return range + ".255.1";
    }
    return trimmed(
        docker({"network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}"}).out);
}

std::string engine_socket() {
    const std::string host = environment("DOCKER_HOST", "unix:///var/run/docker.sock");
    const std::string prefix = "unix://";
    return host.starts_with(prefix) ? host.substr(prefix.size()) : "";
}

ContainerOptions dind(const Arguments& options, const Arguments& command) {
    ContainerOptions result{.options = {"--privileged", "-v", inner_folder() + ":/inner:ro"},
                            .image = dind_image(),
                            .command = command,
                            .name_hint = "dind"};
    result.options.insert(result.options.end(), options.begin(), options.end());
    return result;
}

bool becomes_healthy(const Container& container, std::chrono::milliseconds within) {
    return eventually([&] { return container.exec({"gocd-supervisor", "health"}).ok(); }, within);
}

::testing::AssertionResult load_inner_image(const Container& container) {
    const auto loaded = container.exec({"docker", "load", "-i", "/inner/busybox.tar"});
    if (loaded.ok()) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << "docker load inside: " << loaded.text() << "\n"
                                         << container.logs();
}

StubServer::StubServer(Arguments options) {
    std::string pattern = "/tmp/gocd-e2e-server.XXXXXX";
    folder_ = mkdtemp(pattern.data());
    start("0", options);
    if (eventually([&] { return !trimmed(file_text(folder_ + "/port")).empty(); }, seconds(10))) {
        url_ = "http://" + host_address() + ":" + trimmed(file_text(folder_ + "/port")) + "/go";
    }
}

void StubServer::start(const std::string& port, const Arguments& options) {
    Arguments argv{environment("E2E_STUB_SERVER", STUB_SERVER),
                   "--listen",
                   "0.0.0.0:" + port,
                   "--port-file",
                   folder_ + "/port",
                   "--record",
                   folder_ + "/record",
                   "--files",
                   kSource / ".cache/stand-in/server-files"};
    argv.insert(argv.end(), options.begin(), options.end());
    std::vector<char*> pointers;
    for (std::string& word : argv) pointers.push_back(word.data());
    pointers.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, (folder_ + "/log").c_str(), O_WRONLY | O_CREAT, 0644);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    posix_spawnp(&pid_, pointers[0], &actions, nullptr, pointers.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
}

void StubServer::go_away() {
    if (pid_ <= 0) return;
    kill(pid_, SIGTERM);
    if (!eventually([&] { return waitpid(pid_, nullptr, WNOHANG) != 0; }, seconds(5))) {
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
    }
    pid_ = -1;
}

void StubServer::come_back(const Arguments& options) {
    const auto port = trimmed(file_text(folder_ + "/port"));
    fs::remove(folder_ + "/record");
    start(port, options);
}

StubServer::~StubServer() {
    go_away();
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
}

FileServer::FileServer(const std::string& folder) {
    const std::string log = folder + ".log";
    std::string program =
        "import functools, http.server as h\n"
        "s = h.ThreadingHTTPServer(('0.0.0.0', 0), functools.partial(h.SimpleHTTPRequestHandler, "
        "directory='" +
        folder + "'))\nprint(s.server_port, flush=True)\ns.serve_forever()\n";
    char python[] = "python3";
    char option[] = "-c";
    char* argv[] = {python, option, program.data(), nullptr};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    posix_spawnp(&pid_, python, &actions, nullptr, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    std::string port;
    eventually([&] { return static_cast<bool>(std::ifstream(log) >> port); }, seconds(20));
    url_ = "http://" + host_address() + ":" + port;
}

FileServer::~FileServer() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
}

std::string StubServer::record() const {
    return file_text(folder_ + "/record");
}

bool StubServer::wait_for_record(const std::string& text, std::chrono::milliseconds within) const {
    return eventually([&] { return record().find(text) != std::string::npos; }, within);
}

void EndToEnd::SetUp() {
    if (const std::string problem = test_support::engine_problem(); !problem.empty()) GTEST_SKIP() << problem;
    if (!docker({"image", "inspect", dind_image()}).ok()) {
        GTEST_SKIP() << "the image " << dind_image()
                     << " is not there: run tests/e2e/prepare, or tests/run e2e";
    }
}

}  // namespace e2e
