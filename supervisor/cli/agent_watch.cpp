#include "cli/agent_watch.hpp"

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include <cerrno>
#include <string_view>

#include "base/strings.hpp"
#include "base/unique_fd.hpp"

namespace supervisor::cli {
namespace {

using agent::StatusAnswer;
using Verdict = agent::HangRules::Verdict;

constexpr Milliseconds kInterval{10'000};
constexpr int kPatience = 5'000;  // milliseconds; an answer takes one
constexpr std::string_view kRequest =
    "GET /health/latest/isConnectedToServer HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

proc::ChildPlan helper_plan(const agent::StatusPort& port) {
    constexpr uid_t kNobody = 65534;
    proc::ChildPlan plan;
    plan.name = "internal-agent-check";
    plan.executable = "/proc/self/exe";
    plan.arguments = {"gocd-supervisor", plan.name, port.address, std::to_string(port.port)};
    plan.identity = proc::Identity{kNobody, kNobody, {}};
    plan.capabilities = proc::Capabilities::None;
    plan.no_new_privileges = true;
    return plan;
}

bool ready(int socket, short events) {
    pollfd entry{socket, events, 0};
    return ::poll(&entry, 1, kPatience) > 0;
}

}  // namespace

void AgentWatch::start(const std::vector<std::string>& flags) {
    port_ = agent::status_port(flags);
    rules_.reset();
    connected_.reset();
    ask_later();
}

void AgentWatch::stop() {
    timer_.cancel();
    if (helper_ > 0) (void)processes_.signal(helper_, SIGKILL);
}

void AgentWatch::ask_later() {
    if (port_) timer_ = loop_.after(kInterval, [this] { ask(); });
}

void AgentWatch::ask() {
    ask_later();
    if (helper_ > 0) return;
    const auto pid = processes_.start(helper_plan(*port_), {},
                                      [this](const proc::ExitStatus& status) { answered(status); });
    if (pid) helper_ = *pid;  // a fork that fails tells nothing about the agent
}

void AgentWatch::answered(const proc::ExitStatus& status) {
    helper_ = -1;
    if (!timer_ || status.kind != proc::ExitStatus::Kind::Exited || status.value > 3) return;
    const auto answer = static_cast<StatusAnswer>(status.value);
    const auto before = connected_;
    if (answer == StatusAnswer::Connected || answer == StatusAnswer::NotConnected)
        connected_ = answer == StatusAnswer::Connected;
    follow(rules_.judge(answer, loop_.clock().now(), events_.job_running()));
    if (connected_ != before) events_.changed();
}

void AgentWatch::follow(Verdict verdict) {
    switch (verdict) {
        case Verdict::Nothing:
            return;
        case Verdict::Hangs:
            return events_.said("agent does not answer");
        case Verdict::AnswersAgain:
            return events_.said("agent answers again");
        case Verdict::Restart:
            return events_.restart("has not answered on its status port for 5 minutes");
    }
}

int agent_check(const std::vector<std::string>& words) {
    const auto say = [](StatusAnswer answer) { return static_cast<int>(answer); };
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(parse_unsigned(words.at(2), 65'535).value_or(0)));
    if (::inet_pton(AF_INET, words.at(1).c_str(), &address.sin_addr) != 1)
        return say(StatusAnswer::NobodyThere);
    const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
        errno != EINPROGRESS) {
        return say(StatusAnswer::NobodyThere);
    }
    if (!ready(socket.get(), POLLOUT)) return say(StatusAnswer::Silence);
    if (::send(socket.get(), kRequest.data(), kRequest.size(), MSG_NOSIGNAL) < 0)
        return say(StatusAnswer::NobodyThere);
    if (!ready(socket.get(), POLLIN)) return say(StatusAnswer::Silence);
    char text[64];
    const auto got = ::recv(socket.get(), text, sizeof text, 0);
    const std::string_view head(text, got > 0 ? static_cast<std::size_t>(got) : 0);
    if (!head.starts_with("HTTP/1.")) return say(StatusAnswer::NobodyThere);
    return say(head.substr(8, 4) == " 200" ? StatusAnswer::Connected : StatusAnswer::NotConnected);
}

}  // namespace supervisor::cli
