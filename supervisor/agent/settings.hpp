// What the user of an agent image says through the official variables, read into plain data.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/environment.hpp"
#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"

namespace supervisor::agent {

// What the agent tells the server when it registers.
struct Registration {
    Secret key;
    std::string resources;  // never for an elastic agent: the server refuses one that has some
    std::string environments;
    std::string hostname;
    std::string elastic_agent_id;
    std::string elastic_plugin_id;

    // The plugin's id decides, as in the agent itself.
    bool elastic() const { return !elastic_plugin_id.empty(); }
    // Nothing to say: a configuration file that the user brought counts then.
    bool empty() const;
    bool operator==(const Registration& other) const;
    // Takes over what `other` says.
    void merge(const Registration& other);
};

enum class LaunchMode { Auto, Direct, Bootstrapper, Wrapper };

// "auto", "direct", "bootstrapper", "wrapper".
Result<LaunchMode> parse_launch_mode(std::string_view text);
std::string_view to_string(LaunchMode mode);

struct Settings {
    std::string server_url;  // ends in /go
    Registration registration;

    std::vector<std::string> bootstrapper_args;      // AGENT_BOOTSTRAPPER_ARGS
    std::vector<std::string> bootstrapper_jvm_args;  // AGENT_BOOTSTRAPPER_JVM_ARGS
    // AGENT_STARTUP_ARGS replaces the default JVM flags, GOCD_AGENT_JVM_OPTS adds to either.
    std::optional<std::vector<std::string>> startup_args;
    std::vector<std::string> jvm_opts;
    // JAVA_TOOL_OPTIONS, JDK_JAVA_OPTIONS and _JAVA_OPTIONS: every JVM of the container reads them by itself.
    std::vector<std::string> inherited_jvm_flags;

    std::string volume_directory = "/godata";           // VOLUME_DIR
    std::string working_directory = "/go-working-dir";  // where the agent runs
    std::string agent_home = "/go-agent";               // the unpacked zip
    std::string java_home;                              // GO_JAVA_HOME, else JAVA_HOME; "" means java in PATH

    // The supervisor's own options; their defaults are the official behaviour.
    LaunchMode launch = LaunchMode::Auto;
    bool use_aot = true;
    std::optional<Milliseconds> ping_interval;
    std::optional<Milliseconds> instruction_interval;

    // Where the agent keeps guid.txt and token: -Dcruise.config.dir if its JVM gets that, else config in the
    // working directory. autoregister.properties is always in the latter.
    std::string identity_directory() const;
};

// Reads the official variables. An elastic agent is one whose GO_EA_SERVER_URL is set;
// AGENT_AUTO_REGISTER_KEY, _RESOURCES and _ENVIRONMENTS do not count for it. Words are split as a shell
// would, nothing is evaluated. Fails on a missing or unfit server URL and on an open quote, and names the
// variable.
Result<Settings> read_settings(const Environment& container);

}  // namespace supervisor::agent
