#include "agent/settings.hpp"

#include <array>
#include <utility>

#include "base/shell_words.hpp"
#include "base/strings.hpp"

namespace supervisor::agent {
namespace {

constexpr std::array<std::pair<std::string_view, LaunchMode>, 4> kLaunchModes = {{
    {"auto", LaunchMode::Auto},
    {"direct", LaunchMode::Direct},
    {"bootstrapper", LaunchMode::Bootstrapper},
    {"wrapper", LaunchMode::Wrapper},
}};

// The rule of the official bootstrapper: http or https, and the path ends in /go or /go/.
Result<std::string> checked_server_url(std::string_view variable, std::string url) {
    if (url.empty()) {
        return fail(
            Error("GO_SERVER_URL is not set")
                .advice("give the server's address, for example -e GO_SERVER_URL=https://ci.example.com/go"));
    }
    while (url.ends_with('/')) url.pop_back();
    const bool scheme = url.starts_with("http://") || url.starts_with("https://");
    if (!scheme || !url.ends_with("/go") || url.find_first_of(" \t\r\n") != std::string::npos) {
        return fail(std::string(variable) + " '" + printable(url) +
                    "' is no address of a GoCD server: accepted is http(s)://HOST[:PORT]/go");
    }
    return url;
}

Registration elastic_registration(const Environment& container) {
    return {.key = Secret(variable_or_empty(container, "GO_EA_AUTO_REGISTER_KEY")),
            .resources = {},
            .environments = variable_or_empty(container, "GO_EA_AUTO_REGISTER_ENVIRONMENT"),
            .hostname = variable_or_empty(container, "AGENT_AUTO_REGISTER_HOSTNAME"),
            .elastic_agent_id = variable_or_empty(container, "GO_EA_AUTO_REGISTER_ELASTIC_AGENT_ID"),
            .elastic_plugin_id = variable_or_empty(container, "GO_EA_AUTO_REGISTER_ELASTIC_PLUGIN_ID")};
}

Registration static_registration(const Environment& container) {
    return {.key = Secret(variable_or_empty(container, "AGENT_AUTO_REGISTER_KEY")),
            .resources = variable_or_empty(container, "AGENT_AUTO_REGISTER_RESOURCES"),
            .environments = variable_or_empty(container, "AGENT_AUTO_REGISTER_ENVIRONMENTS"),
            .hostname = variable_or_empty(container, "AGENT_AUTO_REGISTER_HOSTNAME"),
            .elastic_agent_id = {},
            .elastic_plugin_id = {}};
}

Result<std::vector<std::string>> words_of(const Environment& container, std::string_view name) {
    auto words = split_shell_words(variable_or_empty(container, name));
    if (!words) return fail(words.error(), name);
    return words;
}

// JVM arguments: the official launcher writes a space inside a word as %20.
Result<std::vector<std::string>> jvm_words_of(const Environment& container, std::string_view name) {
    SUPERVISOR_TRY_ASSIGN(words, words_of(container, name));
    for (auto& word : words) word = replace_all(word, "%20", " ");
    return std::move(words);
}

Result<> read_arguments(const Environment& container, Settings& settings) {
    SUPERVISOR_TRY_ASSIGN(args, words_of(container, "AGENT_BOOTSTRAPPER_ARGS"));
    SUPERVISOR_TRY_ASSIGN(jvm_args, words_of(container, "AGENT_BOOTSTRAPPER_JVM_ARGS"));
    SUPERVISOR_TRY_ASSIGN(jvm_opts, jvm_words_of(container, "GOCD_AGENT_JVM_OPTS"));
    settings.bootstrapper_args = std::move(args);
    settings.bootstrapper_jvm_args = std::move(jvm_args);
    settings.jvm_opts = std::move(jvm_opts);
    for (const auto* name : {"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"}) {
        const auto value = variable_or_empty(container, name);
        for (const auto word : split_words(value)) settings.inherited_jvm_flags.emplace_back(word);
    }
    if (find_variable(container, "AGENT_STARTUP_ARGS")) {
        SUPERVISOR_TRY_ASSIGN(startup_args, jvm_words_of(container, "AGENT_STARTUP_ARGS"));
        settings.startup_args = std::move(startup_args);
    }
    return {};
}

}  // namespace

bool Registration::empty() const {
    return key.empty() && resources.empty() && environments.empty() && hostname.empty() &&
           elastic_agent_id.empty() && elastic_plugin_id.empty();
}

bool Registration::operator==(const Registration& other) const {
    return key.reveal() == other.key.reveal() && resources == other.resources &&
           environments == other.environments && hostname == other.hostname &&
           elastic_agent_id == other.elastic_agent_id && elastic_plugin_id == other.elastic_plugin_id;
}

void Registration::merge(const Registration& other) {
    if (!other.key.empty()) key = other.key;
    const auto take = [](std::string& mine, const std::string& theirs) {
        if (!theirs.empty()) mine = theirs;
    };
    take(resources, other.resources);
    take(environments, other.environments);
    take(hostname, other.hostname);
    take(elastic_agent_id, other.elastic_agent_id);
    take(elastic_plugin_id, other.elastic_plugin_id);
}

std::string Settings::identity_directory() const {
    constexpr std::string_view kProperty = "-Dcruise.config.dir=";
    std::string directory = "config";
    for (const auto& flags :
         {inherited_jvm_flags, startup_args.value_or(std::vector<std::string>()), jvm_opts}) {
        for (const auto& flag : flags) {
            if (flag.starts_with(kProperty)) directory = flag.substr(kProperty.size());
        }
    }
    return directory.starts_with('/') ? directory : working_directory + '/' + directory;
}

Result<LaunchMode> parse_launch_mode(std::string_view text) {
    for (const auto& [name, mode] : kLaunchModes) {
        if (name == text) return mode;
    }
    return fail("'" + printable(text) +
                "' is no way to launch the agent: accepted are auto, direct, bootstrapper, wrapper");
}

std::string_view to_string(LaunchMode mode) {
    for (const auto& [name, known] : kLaunchModes) {
        if (known == mode) return name;
    }
    return "?";
}

Result<Settings> read_settings(const Environment& container) {
    Settings settings;
    const auto elastic_url = variable_or_empty(container, "GO_EA_SERVER_URL");
    const bool elastic = !elastic_url.empty();
    SUPERVISOR_TRY_ASSIGN(
        url, checked_server_url(elastic ? "GO_EA_SERVER_URL" : "GO_SERVER_URL",
                                elastic ? elastic_url : variable_or_empty(container, "GO_SERVER_URL")));
    settings.server_url = std::move(url);
    settings.registration = elastic ? elastic_registration(container) : static_registration(container);
    SUPERVISOR_TRY(read_arguments(container, settings));
    if (auto volume = variable_or_empty(container, "VOLUME_DIR"); !volume.empty()) {
        settings.volume_directory = std::move(volume);
    }
    settings.java_home = variable_or_empty(container, "GO_JAVA_HOME");
    if (settings.java_home.empty()) settings.java_home = variable_or_empty(container, "JAVA_HOME");
    return settings;
}

}  // namespace supervisor::agent
