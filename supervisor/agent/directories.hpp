// The agent's directories and files before it starts: VOLUME_DIR/{config,logs,pipelines} and links to them in
// the working directory, logging configuration, auto-registration, the wrapper's properties. Jobs can write
// to all of these places, so everything here is done with the agent's own rights.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "agent/launch.hpp"
#include "agent/settings.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace supervisor::agent {

struct Owner {
    uid_t user = 1000;
    gid_t group = 0;
};

struct Prepared {
    // Keeps other supervisors off the working directory; hold it as long as the agent may run.
    UniqueFd lock;
    // config/token was there: the agent will not register again.
    bool registered = false;
    // What was found and done that is worth a log line.
    std::vector<std::string> notes;
};

// Makes everything ready for a launch in this mode. Safe to repeat (a restart of the container, on old
// volumes). Existing directories and logging configurations are kept; a link that leads nowhere is replaced.
// An empty VOLUME_DIR or working directory of root's (a bind mount whose source the engine made) is given to
// the agent.
// A leftover .agent-bootstrapper.running is removed, because the lock says that we are alone.
// guid and token of another elastic agent are removed: the server would refuse them for ever.
Result<Prepared> prepare_directories(const Settings& settings, LaunchMode mode, const Owner& owner);

// Writes config/autoregister.properties: whole while there is no token, else without anything that is secret
// or used up. Call it before every start of the agent, and again when it says Registered and Connected.
Result<> write_autoregister(const Settings& settings, const Owner& owner);

// Facts for choose_launch() and direct_command(). `fetcher` is the path of gocd-agent-fetch, `aot_cache` that
// of the cache (its record lies beside it, with ".record" added).
LaunchFacts read_launch_facts(const Settings& settings, const std::string& fetcher,
                              const std::string& baked_directory, const std::string& aot_cache);

}  // namespace supervisor::agent
