#include "ns/box.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cctype>
#include <fstream>
#include <sstream>

#include "support/command.hpp"

namespace ns_test {
namespace {

constexpr int kNamespaces = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET;

// fork() into new namespaces.
pid_t fork_into_namespaces() {
    return static_cast<pid_t>(::syscall(SYS_clone, kNamespaces | SIGCHLD, 0, 0, 0, 0));
}

supervisor::UniqueFd memory_file(const char* name) {
    supervisor::UniqueFd fd(::memfd_create(name, MFD_CLOEXEC));
    // PID 1 and its children write side by side.
    (void)::fcntl(fd.get(), F_SETFL, O_APPEND);
    return fd;
}

std::string contents(int fd) {
    std::string text;
    char chunk[65536];
    for (off_t offset = 0;;) {
        const auto got = ::pread(fd, chunk, sizeof chunk, offset);
        if (got <= 0) return text;
        text.append(chunk, static_cast<std::size_t>(got));
        offset += got;
    }
}

void set_up_stdio(const BoxOptions& options, int out, int err) {
    if (::setsid() < 0) setup_failed("start a session");
    if (options.terminal >= 0) {
        if (::ioctl(options.terminal, TIOCSCTTY, 0) != 0) setup_failed("take the terminal");
        for (int number = 0; number <= 2; ++number) (void)::dup2(options.terminal, number);
        return;
    }
    const int null = ::open("/dev/null", O_RDONLY);
    (void)::dup2(null, 0);
    (void)::dup2(options.standard_output >= 0 ? options.standard_output : out, 1);
    (void)::dup2(options.standard_error >= 0 ? options.standard_error : err, 2);
    (void)::close(null);
}

[[noreturn]] void execute(const BoxOptions& options) {
    std::vector<char*> arguments{const_cast<char*>("gocd-supervisor")};
    for (const auto& word : options.arguments) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    std::vector<char*> environment{const_cast<char*>("PATH=/usr/bin:/bin:/opt")};
    for (const auto& entry : options.environment) environment.push_back(const_cast<char*>(entry.c_str()));
    environment.push_back(nullptr);
    for (int fd = 3; fd < 1024; ++fd) (void)::close(fd);
    if (options.before_exec) options.before_exec();
    (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that is killed leaves nothing behind
    ::execve(kSupervisor, arguments.data(), environment.data());
    setup_failed("execute gocd-supervisor");
}

int count_other_processes() {
    int count = 0;
    DIR* directory = ::opendir("/proc");
    while (const dirent* entry = ::readdir(directory)) {
        if (std::isdigit(static_cast<unsigned char>(entry->d_name[0])) != 0) ++count;
    }
    ::closedir(directory);
    return count - 1;  // this one
}

// Reaps what comes to it, reports what is left when the supervisor has ended, and ends with its status.
[[noreturn]] void be_init(pid_t child, int report) {
    int status = 0;
    for (;;) {
        const pid_t ended = ::waitpid(-1, &status, 0);
        if (ended == child) break;
    }
    const int left = count_other_processes();
    (void)!::write(report, &left, sizeof left);
    ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

std::string read_text(const std::string& path) {
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

}  // namespace

std::vector<std::string> plain(const std::vector<std::string>& program,
                               const std::vector<std::string>& options) {
    std::vector<std::string> words{"--mode=plain"};
    words.insert(words.end(), options.begin(), options.end());
    words.emplace_back("--");
    words.insert(words.end(), program.begin(), program.end());
    return words;
}

Box::Box(const BoxOptions& options)
    : out_(memory_file("stdout")), err_(memory_file("stderr")), report_(memory_file("report")) {
    first_ = fork_into_namespaces();
    if (first_ == 0) {
        enter_root(options.root, options.agent_script);
        set_up_stdio(options, out_.get(), err_.get());
        if (!options.under_an_init) execute(options);
        (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
        const pid_t child = ::fork();
        if (child == 0) execute(options);
        be_init(child, report_.get());
    }
    supervisor_ = first_;
    if (options.under_an_init && first_ > 0) find_supervisor();
}

Box::~Box() {
    if (first_ <= 0 || status_) return;
    (void)::kill(first_, SIGKILL);
    (void)::waitpid(first_, nullptr, 0);
}

void Box::find_supervisor() {
    const std::string children =
        "/proc/" + std::to_string(first_) + "/task/" + std::to_string(first_) + "/children";
    // It may have ended before it was seen.
    (void)test_support::eventually(
        [&] {
            return ((std::istringstream(read_text(children)) >> supervisor_) && supervisor_ > 0) || ended();
        },
        30s);
}

void Box::signal(int number) const {
    (void)::kill(supervisor_, number);
}

bool Box::ended() {
    if (status_) return true;
    int status = 0;
    if (::waitpid(first_, &status, WNOHANG) != first_) return false;
    status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    int left = -1;
    if (::pread(report_.get(), &left, sizeof left, 0) == sizeof left) processes_left_ = left;
    return true;
}

int Box::wait(std::chrono::milliseconds limit) {
    return test_support::eventually([this] { return ended(); }, limit) ? *status_ : -1;
}

std::string Box::out() const {
    return contents(out_.get());
}

std::string Box::err() const {
    return contents(err_.get());
}

bool Box::says(const std::string& text, std::chrono::milliseconds within) const {
    return test_support::eventually([&] { return out().find(text) != std::string::npos; }, within);
}

bool Box::complains(const std::string& text, std::chrono::milliseconds within) const {
    return test_support::eventually([&] { return err().find(text) != std::string::npos; }, within);
}

int Box::count_out(const std::string& text) const {
    const std::string all = out();
    int count = 0;
    for (auto at = all.find(text); at != std::string::npos; at = all.find(text, at + text.size())) ++count;
    return count;
}

std::string Box::inside(const std::string& path) const {
    return "/proc/" + std::to_string(supervisor_) + "/root" + path;
}

supervisor::json::object Box::status() const {
    auto value = supervisor::parse_json(read_text(inside("/run/gocd-supervisor/status.json")));
    return value && value->is_object() ? value->get_object() : supervisor::json::object();
}

bool Box::status_holds(const std::function<bool(const supervisor::json::object&)>& predicate,
                       std::chrono::milliseconds within) const {
    return test_support::eventually(
        [&] {
            signal(SIGUSR1);
            const auto now = status();
            return !now.empty() && predicate(now);
        },
        within);
}

long Box::resident() const {
    std::istringstream status(read_text("/proc/" + std::to_string(supervisor_) + "/status"));
    for (std::string line; std::getline(status, line);) {
        if (line.rfind("VmRSS:", 0) == 0) return std::stol(line.substr(6));
    }
    return -1;
}

std::string Box::text() const {
    return "stdout:\n" + out() + "\nstderr:\n" + err();
}

}  // namespace ns_test
