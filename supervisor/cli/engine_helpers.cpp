#include "cli/engine_helpers.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include "base/strings.hpp"
#include "engine/check.hpp"
#include "engine/containers.hpp"
#include "engine/data_directory.hpp"
#include "engine/prune.hpp"
#include "sys/files.hpp"
#include "sys/priority.hpp"

namespace supervisor::cli {
namespace {

constexpr Milliseconds kCheckBudget{11'000};
constexpr Milliseconds kWorkBudget{110'000};
constexpr int kBaselineDescriptor = 3;
constexpr const char* kBaselinePath = "/proc/self/fd/3";

void say(const std::string& line) {
    (void)sys::write_all(STDOUT_FILENO, line + "\n");
}

int failed(const Error& error) {
    say(error.message());
    return 1;
}

}  // namespace

int engine_check(const std::vector<std::string>& words) {
    const SteadyClock clock;
    const engine::ApiClient client(words.at(1), clock);
    const engine::CheckRequest request{words.size() > 2 ? words[2] : std::string()};
    const auto result = engine::check_engine(client, request, Deadline::after(clock, kCheckBudget));
    say(result.reason);
    return static_cast<int>(result.health);
}

int engine_kill(const std::vector<std::string>& words) {
    const SteadyClock clock;
    const auto budget = parse_unsigned(words.at(2), 600'000).value_or(1'000);
    const auto killed =
        engine::kill_all_containers(words.at(1), clock, Deadline::after(clock, Milliseconds(budget)));
    if (!killed) return failed(killed.error());
    if (*killed > 0) say(std::to_string(*killed) + (*killed == 1 ? " inner container" : " inner containers"));
    return 0;
}

int engine_prune(const std::vector<std::string>& words) {
    const SteadyClock clock;
    engine::PruneRequest request;
    request.high_water_percent = static_cast<unsigned>(parse_unsigned(words.at(3), 100).value_or(85));
    request.disk_use = [&] { return engine::disk_use(words.at(2)); };
    request.said = say;
    const auto pruned = engine::prune_to_watermark(engine::ApiClient(words.at(1), clock), request,
                                                   Deadline::after(clock, kWorkBudget));
    return pruned ? 0 : failed(pruned.error());
}

int job_baseline(const std::vector<std::string>& words) {
    const SteadyClock clock;
    const auto objects =
        engine::list_objects(engine::ApiClient(words.at(1), clock), Deadline::after(clock, kWorkBudget));
    if (!objects) return failed(objects.error());
    std::string text;
    for (const auto& object : *objects) text += object + "\n";
    if (::ftruncate(kBaselineDescriptor, 0) != 0 || ::lseek(kBaselineDescriptor, 0, SEEK_SET) != 0) return 1;
    return sys::write_all(kBaselineDescriptor, text) ? 0 : 1;
}

int job_cleanup(const std::vector<std::string>& words) {
    const SteadyClock clock;
    const auto text = sys::read_file(kBaselinePath);
    if (!text) return failed(text.error());
    std::set<std::string> before;
    for (const auto& line : split_lines(*text)) before.emplace(line);
    const engine::CleanupScope scope{words.at(2) == "all"};
    const auto removed = engine::remove_new_objects(engine::ApiClient(words.at(1), clock), before, scope,
                                                    Deadline::after(clock, kWorkBudget));
    if (!removed) return failed(removed.error());
    if (*removed > 0) say(fmt::format("removed {} objects that the job had left", *removed));
    return 0;
}

int remove_data(const std::vector<std::string>& words) {
    sys::yield_to_others();
    int status = 0;
    for (auto directory = words.begin() + 1; directory != words.end(); ++directory) {
        const auto removed = engine::remove_discarded_slot(*directory);
        if (!removed) {
            status = failed(removed.error());
        } else if (*removed) {
            say("removed " + *directory + ", which the data pool had discarded");
        }
    }
    return status;
}

}  // namespace supervisor::cli
