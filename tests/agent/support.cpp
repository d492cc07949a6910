#include "support.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "base/strings.hpp"

namespace agent_level {
namespace {

std::vector<char*> pointers(const std::vector<std::string>& texts) {
    std::vector<char*> result;
    for (const auto& text : texts) result.push_back(const_cast<char*>(text.c_str()));
    result.push_back(nullptr);
    return result;
}

void redirect(int fd, const std::string& path) {
    const int file = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
    ::dup2(file, fd);
}

Environment with_path(Environment environment) {
    for (const auto* name : {"PATH", "HOME"}) {
        if (const char* value = std::getenv(name))
            environment.insert(environment.begin(), std::string(name) + '=' + value);
    }
    return environment;
}

}  // namespace

std::vector<pid_t> processes_in(const std::string& directory) {
    std::vector<pid_t> found;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
        std::error_code gone;
        const auto process = std::atoi(entry.path().filename().c_str());
        const auto place =
            process == 0 ? std::string() : std::filesystem::read_symlink(entry.path() / "cwd", gone).string();
        if (place == directory || place.starts_with(directory + '/')) found.push_back(process);
    }
    return found;
}

TempDir::TempDir() {
    std::string pattern = std::filesystem::temp_directory_path().string() + "/agent-level-XXXXXX";
    path_ = ::mkdtemp(pattern.data());
}

TempDir::~TempDir() {
    for (const auto process : processes_in(path_)) ::kill(process, SIGKILL);
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

std::string read_text(const std::string& path) {
    std::ostringstream out;
    out << std::ifstream(path, std::ios::binary).rdbuf();
    return out.str();
}

void write_text(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
}

std::string md5_of(const std::string& path) {
    const TempDir directory;
    Child md5sum({"md5sum", path}, directory / "md5");
    md5sum.wait();
    return md5sum.out().substr(0, 32);
}

void make_file(const std::string& path, std::size_t size) {
    std::mt19937_64 random(42);
    std::string text(size, '\0');
    for (std::size_t i = 0; i + 8 <= size; i += 8) {
        const auto word = random();
        std::copy_n(reinterpret_cast<const char*>(&word), 8, text.begin() + static_cast<std::ptrdiff_t>(i));
    }
    write_text(path, text);
}

int shell(const std::string& command) {
    const TempDir directory;
    Child child({"sh", "-c", command}, directory / "sh");
    return child.wait();
}

bool make_certificates(const std::string& directory) {
    return shell("cd " + directory + R"( && set -e
        key='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'
        root() { openssl req -x509 $key -keyout $1.key -out $1.pem -days 2 -subj "/CN=$1"; }
        leaf() {
            openssl req $key -keyout $1.key -out $1.csr -subj "/CN=$1"
            printf 'subjectAltName=%s\n' "$3" > $1.ext
            openssl x509 -req -in $1.csr -CA $2.pem -CAkey $2.key -CAcreateserial -out $1.pem -days 2 -extfile $1.ext
        }
        root root; root other
        leaf server root IP:127.0.0.1; leaf elsewhere root DNS:elsewhere.invalid
        leaf client root DNS:client; leaf stranger other DNS:stranger
        printf 'open sesame\n' > passphrase
        openssl pkcs8 -topk8 -in client.key -out locked.key -passout file:passphrase)") == 0;
}

void nap(milliseconds time) {
    std::this_thread::sleep_for(time);
}

Child::Child(const std::vector<std::string>& argv, const std::string& output_prefix,
             const Environment& environment, const std::string& directory)
    : prefix_(output_prefix) {
    const auto variables = with_path(environment);
    auto words = pointers(argv);
    auto entries = pointers(variables);
    // Now, and not by the child: whoever waits for a line must not find one of an earlier process.
    write_text(prefix_ + ".out", "");
    write_text(prefix_ + ".err", "");
    pid_ = ::fork();
    if (pid_ != 0) return;
    ::setpgid(0, 0);
    redirect(STDOUT_FILENO, prefix_ + ".out");
    redirect(STDERR_FILENO, prefix_ + ".err");
    if (::chdir(directory.c_str()) == 0) ::execvpe(words[0], words.data(), entries.data());
    ::_exit(127);
}

Child::~Child() {
    if (running()) ::kill(pid_, SIGKILL);
    ::kill(-pid_, SIGKILL);
    wait();
}

void Child::signal(int number) const {
    ::kill(pid_, number);
}

bool Child::running() {
    if (status_) return false;
    int status = 0;
    rusage usage = {};
    if (::wait4(pid_, &status, WNOHANG, &usage) != pid_) return true;
    status_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    peak_ = usage.ru_maxrss;
    return false;
}

int Child::wait(milliseconds limit) {
    return eventually([this] { return !running(); }, limit) ? *status_ : -1;
}

StubServer::StubServer(const TempDir& directory, std::vector<std::string> options, const std::string& name)
    : prefix_(directory / name) {
    options.insert(options.begin(),
                   {STUB_SERVER, "--port-file", prefix_ + ".port", "--record", prefix_ + ".record"});
    child_ = std::make_unique<Child>(options, prefix_);
    eventually([this] { return !read_text(prefix_ + ".port").empty() || !child_->running(); });
    port_ = std::atoi(read_text(prefix_ + ".port").c_str());
    if (port_ == 0) throw std::runtime_error("the stub server did not start: " + child_->err());
}

std::string StubServer::url(const std::string& scheme, const std::string& host) const {
    return scheme + "://" + host + ':' + std::to_string(port_) + "/go";
}

std::vector<supervisor::json::object> StubServer::record(const std::string& event) const {
    std::vector<supervisor::json::object> lines;
    const auto text = read_text(prefix_ + ".record");
    for (const auto line : supervisor::split_lines(text)) {
        const auto value = supervisor::parse_json(line);
        if (!value) continue;  // the last line may be half-written
        if (event.empty() || text_of(value->as_object(), "event") == event)
            lines.push_back(value->as_object());
    }
    return lines;
}

std::size_t StubServer::requests(const std::string& path_suffix) const {
    std::size_t count = 0;
    for (const auto& line : record("request")) count += text_of(line, "path").ends_with(path_suffix);
    return count;
}

std::string StubServer::console() const {
    std::string text;
    for (const auto& line : record("console")) text += text_of(line, "text");
    return text;
}

std::string text_of(const supervisor::json::object& object, const std::string& name) {
    const auto* value = object.if_contains(name);
    return value != nullptr && value->is_string() ? std::string(value->as_string().c_str()) : std::string();
}

}  // namespace agent_level
