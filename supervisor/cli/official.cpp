// The comparison behind `doctor --from-official`; docs/moving-from-official.md tells the same at length.
#include <fmt/core.h>

#include "agent/environment.hpp"
#include "cli/doctor.hpp"

namespace supervisor::cli {
namespace {

struct Row {
    const char* thing;  // a variable's name, or something else
    bool same;
    const char* note;
};

constexpr Row kRows[] = {
    {"GO_SERVER_URL", true, "values with & or user:password work here as well"},
    {"AGENT_AUTO_REGISTER_KEY", true, "and it is removed from every place that a job can read"},
    {"AGENT_AUTO_REGISTER_RESOURCES", true, "ignored for elastic agents, as the server demands"},
    {"AGENT_AUTO_REGISTER_ENVIRONMENTS", true, ""},
    {"AGENT_AUTO_REGISTER_HOSTNAME", true, ""},
    {"GO_EA_SERVER_URL", true, "and the other GO_EA_ variables"},
    {"AGENT_BOOTSTRAPPER_ARGS", false, "quotes count, but nothing is evaluated: no $( ), no globs"},
    {"AGENT_BOOTSTRAPPER_JVM_ARGS", false,
     "there is no bootstrapper JVM by default; proxy properties count all the same"},
    {"AGENT_STARTUP_ARGS", true,
     "replaces the JVM defaults, which here are the serial collector and C1 besides the heap sizes"},
    {"GOCD_AGENT_JVM_OPTS", true, ""},
    {"VOLUME_DIR", true, ""},
    {"GO_JAVA_HOME", true, "points to the distribution's JRE instead of a bundled one"},
    {"DOCKERD_ADDITIONAL_ARGS", false,
     "split as by a shell; no tcp://localhost:2375 unless it is asked for here"},
    {"DOCKERD_MAX_WAIT_SECS", true, "bounds the engine's start; the agent does not wait for it"},
    {"DOCKERD_INITIAL_WAIT_SECS", false,
     "has no effect: nothing sleeps here (in the official image it has none either)"},
    {"volumes /godata and /go-working-dir", true, "the same links between them"},
    {"volume /var/lib/docker", false,
     "is locked against a second engine; contained engines use the directory userns in it"},
    {"/docker-entrypoint.d", true,
     "scripts run as go, before the agent, with the same exit code 111 on failure"},
    {"another command", true, "runs in place of the agent, as user go, with the engine up"},
    {"PID 1's user", false,
     "root, because it prepares the host; agent and jobs run as go without any capability"},
    {"sudo in jobs", false, "needs --agent-allow=setuid"},
    {"start of the agent", false, "agent.jar directly; --agent-launch=wrapper is the official way"},
    {"logs", false, "the engine's are on stderr with [dockerd] in front, not in /var/log/dockerd.log"},
};

std::string line(const Row& row) {
    return fmt::format("  {:<9} {}{}{}\n", row.same ? "same" : "differs", row.thing,
                       *row.note == '\0' ? "" : ": ", row.note);
}

}  // namespace

std::string official_comparison(const std::vector<std::string>& environment) {
    std::string set;
    std::string rest;
    for (const auto& row : kRows)
        (agent::variable_or_empty(environment, row.thing).empty() ? rest : set) += line(row);
    return (set.empty() ? "" : "Set here\n" + set + "\n") + "Compared with GoCD's own agent images\n" + rest;
}

}  // namespace supervisor::cli
