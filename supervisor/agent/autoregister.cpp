#include "agent/autoregister.hpp"

#include "base/strings.hpp"

namespace supervisor::agent {
namespace {

constexpr std::string_view kKey = "agent.auto.register.key";
constexpr std::string_view kResources = "agent.auto.register.resources";
constexpr std::string_view kEnvironments = "agent.auto.register.environments";
constexpr std::string_view kHostname = "agent.auto.register.hostname";
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

// A comment's text: what the line says without its marks.
std::string_view uncommented(std::string_view line) {
    line = trim(line);
    while (line.starts_with('#') || line.starts_with('!')) line = trim(line.substr(1));
    return line;
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
    add(text, kKey, registration.key.reveal());
    add(text, kResources, registration.resources);
    add(text, kEnvironments, registration.environments);
    add(text, kHostname, registration.hostname);
    return text + render_registered(registration);
}

std::string render_registered(const Registration& registration) {
    std::string text;
    add(text, kAgentId, registration.elastic_agent_id);
    add(text, kPluginId, registration.elastic_plugin_id);
    return text;
}

Registration parse_registration(std::string_view text, Comments comments) {
    std::string comment_text;
    for (const auto line : split_lines(text)) comment_text.append(uncommented(line)).append("\n");
    const auto value = [&](std::string_view key) {
        auto live = find_property(text, key);
        if (!live && comments == Comments::Count) live = find_property(comment_text, key);
        return live.value_or(std::string());
    };
    return {.key = Secret(value(kKey)),
            .resources = value(kResources),
            .environments = value(kEnvironments),
            .hostname = value(kHostname),
            .elastic_agent_id = value(kAgentId),
            .elastic_plugin_id = value(kPluginId)};
}

bool holds_registration_data(std::string_view text) {
    for (const auto line : split_lines(text)) {
        const auto property = uncommented(line);
        for (const auto key : {kKey, kResources, kEnvironments, kHostname}) {
            if (property.starts_with(key)) return true;
        }
    }
    return false;
}

bool belongs_to_other_agent(std::string_view existing_properties, const Registration& registration) {
    const auto known = find_property(existing_properties, kAgentId).value_or(std::string());
    return known != registration.elastic_agent_id && (!known.empty() || registration.elastic());
}

}  // namespace supervisor::agent
