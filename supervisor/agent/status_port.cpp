#include "agent/status_port.hpp"

#include <algorithm>

#include "base/strings.hpp"

namespace supervisor::agent {
namespace {

constexpr Milliseconds kReported{30'000};
constexpr Milliseconds kLost{300'000};  // the server's agent.connection.timeout
constexpr std::uint16_t kDefaultPort = 8152;

// The last one counts, as in a JVM.
std::string property(const std::vector<std::string>& flags, const std::string& name) {
    const std::string prefix = "-D" + name + "=";
    std::string value;
    for (const auto& flag : flags) {
        if (flag.starts_with(prefix)) value = flag.substr(prefix.size());
    }
    return value;
}

bool is_address(const std::string& text) {
    return !text.empty() &&
           std::all_of(text.begin(), text.end(), [](char c) { return c == '.' || (c >= '0' && c <= '9'); });
}

}  // namespace

std::optional<StatusPort> status_port(const std::vector<std::string>& flags) {
    if (property(flags, "go.agent.status.api.enabled") == "false") return std::nullopt;
    StatusPort found{"127.0.0.1", kDefaultPort};
    const std::string host = property(flags, "go.agent.status.api.bind.host");
    const bool loopback = host.empty() || host == "localhost" || host == "0.0.0.0";
    if (!loopback && !is_address(host)) return std::nullopt;
    if (!loopback) found.address = host;
    const std::string port = property(flags, "go.agent.status.api.bind.port");
    if (port.empty()) return found;
    const auto number = parse_unsigned(port, 65'535);
    if (!number || *number == 0) return std::nullopt;
    found.port = static_cast<std::uint16_t>(*number);
    return found;
}

HangRules::Verdict HangRules::judge(StatusAnswer answer, TimePoint now, bool job_running) {
    if (answer != StatusAnswer::Silence) {
        const bool hung = hangs();
        silent_since_.reset();
        reported_ = false;
        return hung ? Verdict::AnswersAgain : Verdict::Nothing;
    }
    if (!silent_since_) {
        silent_since_ = now;
        reported_ = false;
        return Verdict::Nothing;
    }
    const auto silent = now - *silent_since_;
    if (silent >= kLost && !job_running) return Verdict::Restart;
    if (silent < kReported || reported_) return Verdict::Nothing;
    reported_ = true;
    ++count_;
    return Verdict::Hangs;
}

}  // namespace supervisor::agent
