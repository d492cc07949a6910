#include "cli/internal.hpp"

#include <unistd.h>

#include "base/log.hpp"
#include "base/strings.hpp"
#include "broker/broker.hpp"
#include "cli/docker_side.hpp"
#include "engine/check.hpp"
#include "engine/containers.hpp"
#include "sys/files.hpp"

namespace supervisor::cli {
namespace {

constexpr Milliseconds kCheckBudget{5'000};

void say(const std::string& line) {
    (void)sys::write_all(STDOUT_FILENO, line + "\n");
}

// internal-engine-check SOCKET [DRIVER]
int engine_check(const std::vector<std::string>& words) {
    const SteadyClock clock;
    const engine::ApiClient client(words.at(1), clock);
    const engine::CheckRequest request{words.size() > 2 ? words[2] : std::string()};
    const auto result = engine::check_engine(client, request, Deadline::after(clock, kCheckBudget));
    say(result.reason);
    return static_cast<int>(result.health);
}

// internal-engine-kill SOCKET MILLISECONDS
int engine_kill(const std::vector<std::string>& words) {
    const SteadyClock clock;
    const auto budget = parse_unsigned(words.at(2), 600'000).value_or(1'000);
    const auto killed =
        engine::kill_all_containers(words.at(1), clock, Deadline::after(clock, Milliseconds(budget)));
    say(killed ? std::to_string(*killed) + " containers" : killed.error().message());
    return killed ? 0 : 1;
}

// internal-broker DESCRIPTOR: the configuration is there as JSON.
int run_broker(const std::vector<std::string>& words) {
    const auto text = sys::read_file("/proc/self/fd/" + words.at(1));
    auto config = text ? broker::config_from_json(*text) : Result<broker::Config>(fail(text.error()));
    if (!config) {
        log::error("broker", config.error().message());
        return kExitInternal;
    }
    return broker::run(std::move(*config));
}

struct Entry {
    std::string_view name;
    std::size_t least_words;
    int (*run)(const std::vector<std::string>& words);
};

constexpr Entry kEntries[] = {
    {"internal-engine-check", 2, engine_check},
    {"internal-engine-kill", 3, engine_kill},
    {"internal-broker", 2, run_broker},
};

}  // namespace

int run_internal(const std::vector<std::string>& words) {
    for (const auto& entry : kEntries) {
        if (entry.name == words.at(0) && words.size() >= entry.least_words) return entry.run(words);
    }
    say("no such internal command: " + printable(words.at(0)));
    return kExitUsage;
}

}  // namespace supervisor::cli
