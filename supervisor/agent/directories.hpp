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

// Without auto-register variables, a config/autoregister.properties that the user brought (or an earlier
// official start left, be it in comments) says how to register. It is taken into `settings`, and a copy is
// kept in `saved`, which only root can read: after the registration the file itself holds nothing of it any
// more. Call it before prepare_directories(). A copy that cannot be kept is an error that nothing else
// depends on.
Result<> adopt_registration(Settings& settings, const Owner& owner, const std::string& saved);

// What a script of /docker-entrypoint.d may have written into config/autoregister.properties.
void read_back_registration(Settings& settings, const Owner& owner);

// Writes config/autoregister.properties: whole while there is no token, else without anything that is secret
// or used up. A file that says the same already is left as it is. Call it before every start of the agent,
// and again whenever the agent has changed file or token.
Result<> write_autoregister(const Settings& settings, const Owner& owner);

// After something has changed file or token: does what write_autoregister() does, unless the agent is in the
// middle of its registration. (It keeps its token before it is accepted, and turns the file into comments
// afterwards.)
Result<> follow_registration(const Settings& settings, const Owner& owner);

// A launcher that was killed leaves its lock, which would keep the next one from starting. Call it before
// every start, as long as the lock of prepare_directories() is held. True when there was one.
Result<bool> remove_launcher_lock(const Settings& settings, const Owner& owner);

// Facts for choose_launch() and direct_command(). `fetcher` is the path of gocd-agent-fetch, `aot_cache` that
// of the cache (its record lies beside it, with ".record" added).
LaunchFacts read_launch_facts(const Settings& settings, const std::string& fetcher,
                              const std::string& baked_directory, const std::string& aot_cache);

}  // namespace supervisor::agent
