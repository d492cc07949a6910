#include "agent/job_tracker.hpp"

#include <array>

namespace supervisor::agent {
namespace {

struct Pattern {
    std::string_view logger;
    std::string_view message;  // its beginning
    std::string_view end;      // its end
    AgentEvent event;
};
constexpr std::array<Pattern, 5> kPatterns = {{
    {"BuildWork", "Executing received job ", "", AgentEvent::JobStarted},
    {"BuildWork", "Job ", " completed.", AgentEvent::JobFinished},
    {"AgentHTTPClientController", "[Agent Loop] Got new cookie", "", AgentEvent::Connected},
    {"SslInfrastructureService", "[Agent Registration] Successfully registered agent", "",
     AgentEvent::Registered},
    {"SslInfrastructureService", "[Agent Registration] Error occurred during agent registration", "",
     AgentEvent::RegistrationFailed},
}};

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// Takes `shape` off the front of `text`: '0' stands for any digit, everything else for itself.
bool take_shape(std::string_view& text, std::string_view shape) {
    if (text.size() < shape.size()) return false;
    for (std::size_t i = 0; i < shape.size(); ++i) {
        if (shape[i] == '0' ? !is_digit(text[i]) : text[i] != shape[i]) return false;
    }
    text.remove_prefix(shape.size());
    return true;
}

bool take_digits(std::string_view& text) {
    const auto end = text.find_first_not_of("0123456789");
    if (end == 0 || end == std::string_view::npos) return false;
    text.remove_prefix(end);
    return true;
}

// "jvm 1    | ": the JVM's number, padded.
void drop_wrapper_prefix(std::string_view& line) {
    auto rest = line;
    if (!take_shape(rest, "jvm ") || !take_digits(rest)) return;
    const auto bar = rest.find_first_not_of(' ');
    if (bar == std::string_view::npos || rest.substr(bar, 2) != "| ") return;
    line = rest.substr(bar + 2);
}

}  // namespace

std::string_view to_string(AgentEvent event) {
    switch (event) {
        case AgentEvent::Registered:
            return "registered";
        case AgentEvent::RegistrationFailed:
            return "registration failed";
        case AgentEvent::Connected:
            return "connected";
        case AgentEvent::JobStarted:
            return "job started";
        case AgentEvent::JobFinished:
            return "job finished";
    }
    return "?";
}

std::optional<AgentEvent> parse_agent_line(std::string_view line) {
    drop_wrapper_prefix(line);
    if (!take_shape(line, "0000-00-00 00:00:00,000 ") || line.size() < 6) return std::nullopt;
    line.remove_prefix(6);  // the level, padded to five, and a space
    if (!take_shape(line, "[scheduler-") || !take_digits(line) || !take_shape(line, "] "))
        return std::nullopt;
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    const auto logger = line.substr(0, colon);
    line.remove_prefix(colon + 1);
    if (!take_digits(line) || !take_shape(line, " - ")) return std::nullopt;
    for (const auto& pattern : kPatterns) {
        if (logger == pattern.logger && line.starts_with(pattern.message) && line.ends_with(pattern.end)) {
            return pattern.event;
        }
    }
    return std::nullopt;
}

std::optional<AgentEvent> JobTracker::feed(std::string_view line) {
    const auto event = parse_agent_line(line);
    if (event == AgentEvent::JobStarted) running_ = true;
    if (event == AgentEvent::JobFinished) running_ = false;
    if (event == AgentEvent::Connected) {
        connected_ = true;
        running_ = false;  // a new JVM
    }
    return event;
}

}  // namespace supervisor::agent
