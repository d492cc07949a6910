// The flags of the agent's JVM, and when an AOT cache fits them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/settings.hpp"

namespace supervisor::agent {

// The official default heap, plus the serial collector and the C1 compiler alone: an agent waits and pumps
// lines, and pays for neither a parallel collector's threads nor C2's warm-up.
std::vector<std::string> default_agent_flags();
// A small heap for a JVM that only downloads and waits.
std::vector<std::string> default_bootstrapper_flags();

// All flags of the agent's JVM in the official order: AGENT_STARTUP_ARGS or the defaults, the console switch,
// the supervisor's intervals, GOCD_AGENT_JVM_OPTS. A collector that the user chose replaces the default one
// (a JVM refuses two).
std::vector<std::string> agent_flags(const Settings& settings);
std::vector<std::string> bootstrapper_flags(const Settings& settings);

// What is recorded beside an AOT cache when it is trained, as text: "jre=…", "jar=…", "size=…", "sum=…", then
// one "flag=…" a line.
struct AotRecord {
    std::string jre;
    std::string jar;  // md5 of the agent.jar whose classes it holds
    std::uint64_t size = 0;
    std::string sum;  // of its contents, as the fetcher computes it
    std::vector<std::string> flags;
};
Result<AotRecord> parse_aot_record(std::string_view text);
// JAVA_RUNTIME_VERSION of a JRE's `release` file; "" if it does not say.
std::string jre_version(std::string_view release);

// A cache as it lies in the image. `size` is the size of the cache file now.
struct AotCache {
    std::string path;
    AotRecord record;
    std::uint64_t size = 0;
};

struct AotVerdict {
    bool use = false;
    std::string reason;
};
// Only for the flags and the JRE that it was trained with: an unfit cache makes the JVM print errors and
// costs time. Plain system properties (-D, but not -Djava. and -Djdk.) do not count as flags here: the JVM
// does not look at them when it maps a cache.
AotVerdict aot_fits(const std::optional<AotCache>& cache, const std::vector<std::string>& flags,
                    std::string_view jre);
// And only for the jar that it was trained with: a JVM may take a linked class from the cache without a look
// at the jar, so that after an upgrade of the server the old agent would run (seen with a Temurin 25); others
// compare its size and print errors (seen with Debian's). `sum` is that of the cache's contents now: a JVM
// that maps a damaged cache aborts.
AotVerdict judge_aot(const std::optional<AotCache>& cache, const std::vector<std::string>& flags,
                     std::string_view jre, std::string_view jar, std::string_view sum);

}  // namespace supervisor::agent
