// How the agent is started: from settings and facts to command lines. Pure; whoever spawns maps a Command on
// a child that runs as the agent's account.
//
// Direct launch is two children, one after the other: the fetcher, whose last stdout line is a FetchResult,
// and then the agent's JVM. With the bootstrapper and the wrapper it is one child, which fetches by itself.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/environment.hpp"
#include "agent/fetch_result.hpp"
#include "agent/jvm_flags.hpp"
#include "agent/server_access.hpp"
#include "agent/settings.hpp"

namespace supervisor::agent {

struct Command {
    std::vector<std::string> argv;
    Environment environment;
    std::string working_directory;
};

// What of the image matters here.
struct LaunchFacts {
    bool has_fetcher = false;       // gocd-agent-fetch is there
    bool has_bootstrapper = false;  // lib/agent-bootstrapper.jar
    bool has_wrapper = false;       // bin/go-agent
    std::string baked_directory;    // "" when nothing was baked in
    std::optional<AotCache> aot;
    std::string jre;            // jre_version() of the JRE in use
    std::string agent_version;  // for the server's agent list; "" is told as UNKNOWN
};

struct LaunchChoice {
    LaunchMode mode = LaunchMode::Direct;  // never Auto
    std::string reason;                    // one line for the log
    std::vector<std::string> warnings;     // what was asked for and will not be followed
};

// auto means direct, and the bootstrapper where direct cannot do what was asked.
Result<LaunchChoice> choose_launch(const Settings& settings, const ServerAccess& access,
                                   const LaunchFacts& facts);

// `environment` is agent_environment() in all of these.
Command fetcher_command(const Settings& settings, const ServerAccess& access, const LaunchFacts& facts,
                        const std::string& fetcher, const Environment& environment);

// A script of /docker-entrypoint.d. As for the shell that starts them in the official image, one without a
// first line that names its interpreter is a shell script.
std::vector<std::string> hook_command(const std::string& path);

struct DirectLaunch {
    Command command;
    AotVerdict aot;
};
DirectLaunch direct_command(const Settings& settings, const ServerAccess& access, const LaunchFacts& facts,
                            const FetchResult& fetched, const Environment& environment);

// The agent's flags are in AGENT_STARTUP_ARGS, which its launcher reads and which jobs then see.
Command bootstrapper_command(const Settings& settings, const Environment& environment);

// `bin/go-agent console`. The wrapper reads its arguments from wrapper-config/wrapper-properties.conf: the
// text that has to be there.
Command wrapper_command(const Settings& settings, const Environment& environment);
std::string wrapper_properties(const Settings& settings);

}  // namespace supervisor::agent
