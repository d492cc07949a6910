// gocd-agent-fetch: brings the agent's files up to date and tells the supervisor the result. A process of its
// own, with the agent's account, so that neither TLS nor anything a server sends is parsed by PID 1. Tries
// until it succeeds or is told to stop; SIGTERM keeps its default effect, because nothing half-done can be
// mistaken for a file.
#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <thread>

#include "agent/console_logging.hpp"
#include "agent/fetch/content_sum.hpp"
#include "agent/fetch/fetcher.hpp"
#include "agent/fetch/options.hpp"
#include "agent/jvm_flags.hpp"
#include "base/strings.hpp"

namespace supervisor::agent::fetch {
namespace {

constexpr Milliseconds kFirstPause{250};
constexpr Milliseconds kLongestPause{10'000};

// For people; the supervisor puts its prefix in front.
void say(const std::string& line) {
    std::fprintf(stderr, "%s\n", line.c_str());
}

FetchResult fetch_until_done(const Options& options) {
    Fetcher fetcher(options);
    std::array<std::string, 2> last_reasons;  // with the environment's proxy, and without
    auto pause = kFirstPause;
    for (int attempt = 0;; ++attempt) {
        // The agent itself ignores the proxy variables: when they lead nowhere, the direct way may be the
        // right one.
        auto result = fetcher.attempt(attempt % 2 == 0);
        if (result) return std::move(*result);
        auto& last = last_reasons[static_cast<std::size_t>(attempt % 2)];
        if (const auto& reason = result.error().message();
            reason != last_reasons[0] && reason != last_reasons[1]) {
            say("cannot fetch the agent's files: " + printable(reason, 1000) + "; trying again");
        }
        last = result.error().message();
        std::this_thread::sleep_for(pause);
        pause = std::min(2 * pause, kLongestPause);
    }
}

int run(const Options& options) {
    const auto start = std::chrono::steady_clock::now();
    // Beside the work for the server: reading the file also brings it into memory for the JVM.
    auto checked = std::async(std::launch::async, [&] {
        return options.check.empty() ? std::string() : content_sum(options.check).value_or(std::string());
    });
    auto result = fetch_until_done(options);
    result.checked_sum = checked.get();
    const auto took = std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now() - start);
    say("agent files: " + std::to_string(result.in_place) + " in place, " + std::to_string(result.baked) +
        " from the image, " + std::to_string(result.fetched) + " fetched (" +
        format_size(result.bytes_fetched) + "), after " + format_duration(took));
    std::printf("%s\n", render_fetch_result(result).c_str());
    return std::fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int print_sum(const std::string& path) {
    const auto sum = content_sum(path);
    if (!sum) say("gocd-agent-fetch: " + sum.error().message());
    return sum && std::printf("%s\n", sum->c_str()) > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int print(const Options& options) {
    const auto what = options.print;
    if (what == Options::Print::Sum) return print_sum(options.check);
    if (what == Options::Print::ConsoleLogging) return std::printf("%s", kConsoleLogging.data()) < 0;
    for (const auto& flag : agent_flags({})) std::printf("%s\n", flag.c_str());
    return std::fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace
}  // namespace supervisor::agent::fetch

int main(int argc, char** argv) {
    using namespace supervisor::agent::fetch;
    std::signal(SIGPIPE, SIG_IGN);
    const auto options = parse_options({argv + 1, argv + argc});
    if (!options) {
        say("gocd-agent-fetch: " + options.error().message());
        return 64;
    }
    return options->print == Options::Print::Nothing ? run(*options) : print(*options);
}
