#include "agent/autoregister.hpp"

#include "base/strings.hpp"

namespace supervisor::agent {
namespace {

constexpr std::string_view kAgentId = "agent.auto.register.elasticAgent.agentId";
constexpr std::string_view kPluginId = "agent.auto.register.elasticAgent.pluginId";

void add(std::string& text, std::string_view key, std::string_view value) {
    if (!value.empty()) text.append(key).append("=").append(escape_property(value)).append("\n");
}

std::string unescape(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\' || i + 1 == text.size()) {
            out += text[i];
            continue;
        }
        const char next = text[++i];
        out += next == 'n' ? '\n' : next == 'r' ? '\r' : next == 't' ? '\t' : next == 'f' ? '\f' : next;
    }
    return out;
}

}  // namespace

std::string escape_property(std::string_view value) {
    std::string out;
    for (const char c : value) {
        switch (c) {
            case '\\':
                out += "\\\\";
                break;
            case '\n':
                out += "\\n";
                break;
            case '\r':
                out += "\\r";
                break;
            case '\t':
                out += "\\t";
                break;
            case '\f':
                out += "\\f";
                break;
            case ' ':
                out += out.empty() ? "\\ " : " ";  // leading blanks would be dropped
                break;
            default:
                out += c;
        }
    }
    return out;
}

std::optional<std::string> find_property(std::string_view text, std::string_view key) {
    std::optional<std::string> found;
    for (const auto line : split_lines(text)) {
        auto rest = trim(line);
        if (!rest.starts_with(key)) continue;
        rest = trim(rest.substr(key.size()));
        if (rest.empty() || (rest.front() != '=' && rest.front() != ':')) continue;
        found = unescape(trim(rest.substr(1)));
    }
    return found;
}

std::string render_for_registration(const Registration& registration) {
    std::string text;
    add(text, "agent.auto.register.key", registration.key.reveal());
    add(text, "agent.auto.register.resources", registration.resources);
    add(text, "agent.auto.register.environments", registration.environments);
    add(text, "agent.auto.register.hostname", registration.hostname);
    return text + render_registered(registration);
}

std::string render_registered(const Registration& registration) {
    std::string text;
    add(text, kAgentId, registration.elastic_agent_id);
    add(text, kPluginId, registration.elastic_plugin_id);
    return text;
}

bool belongs_to_other_agent(std::string_view existing_properties, const Registration& registration) {
    const auto known = find_property(existing_properties, kAgentId).value_or(std::string());
    return known != registration.elastic_agent_id && (!known.empty() || registration.elastic());
}

}  // namespace supervisor::agent
