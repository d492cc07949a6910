// `status`, `health` and `events`: readers of what PID 1 wrote.
#include <fmt/core.h>
#include <poll.h>
#include <signal.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

#include "base/strings.hpp"
#include "cli/status.hpp"
#include "sys/files.hpp"

namespace supervisor::cli {
namespace {

void print(const std::string& text) {
    (void)sys::write_all(STDOUT_FILENO, text);
}

std::string text_of(const json::value& value) {
    return value.is_string() ? std::string(value.get_string()) : to_text(value);
}

Result<json::object> read_status(const std::string& directory) {
    auto text = sys::read_file(directory + "/status.json");
    if (!text) return fail("the supervisor has not started here yet (no " + directory + "/status.json)");
    SUPERVISOR_TRY_ASSIGN(value, parse_json(*text));
    if (!value.is_object()) return fail("status.json is not an object");
    return std::move(value.get_object());
}

std::string member(const json::object& object, std::string_view first, std::string_view second) {
    const auto* outer = object.if_contains(first);
    const auto* inner =
        outer != nullptr && outer->is_object() ? outer->get_object().if_contains(second) : nullptr;
    return inner == nullptr ? std::string() : text_of(*inner);
}

void print_service(const json::object& service) {
    std::string line = fmt::format("{:<12} {:<9} since {}", text_of(service.at("name")),
                                   text_of(service.at("state")), text_of(service.at("since")));
    if (service.at("pid").is_int64()) line += fmt::format(", pid {}", service.at("pid").get_int64());
    if (service.at("restarts").as_int64() > 0)
        line += fmt::format(", {} restarts", service.at("restarts").get_int64());
    if (const auto last = text_of(service.at("last_exit")); !last.empty()) line += ", last " + last;
    print(line + "\n");
}

void print_summary(const json::object& status) {
    const std::string reason = text_of(status.at("reason"));
    print(fmt::format("{:<12} {}{}\n", "supervisor", text_of(status.at("phase")),
                      reason.empty() ? ", ready" : ", not ready: " + reason));
    print(fmt::format("{:<12} {} ({})\n", "mode", member(status, "mode", "name"),
                      member(status, "mode", "reason")));
    if (const auto containment = member(status, "containment", "name"); !containment.empty()) {
        print(fmt::format("{:<12} {} ({})\n", "containment", containment,
                          member(status, "containment", "reason")));
    }
    if (const auto engine = member(status, "engine", "description"); !engine.empty())
        print(fmt::format("{:<12} {}\n", "engine", engine));
    for (const auto& service : status.at("services").as_array()) print_service(service.as_object());
    print(fmt::format("{:<12} {}, {} finished\n", "job",
                      member(status, "job", "running") == "true"
                          ? "running since " + member(status, "job", "since")
                          : "none",
                      member(status, "job", "finished")));
}

// One bar a step, from its predecessor's end to its own.
void print_timeline(const json::object& status) {
    const auto& steps = status.at("timeline").as_array();
    std::int64_t last = 1;
    for (const auto& step : steps) last = std::max(last, step.at("milliseconds").as_int64());
    constexpr std::int64_t kWidth = 50;
    std::int64_t previous = 0;
    for (const auto& step : steps) {
        const auto at = step.at("milliseconds").as_int64();
        const auto begin = static_cast<std::size_t>(previous * kWidth / last);
        const auto end = static_cast<std::size_t>(at * kWidth / last);
        print(fmt::format("{:<20} {:>7} ms |{}{}\n", text_of(step.at("event")), at, std::string(begin, ' '),
                          std::string(std::max<std::size_t>(end - begin, 1), '#')));
        previous = at;
    }
}

// -1 once the file is no longer there.
Result<std::size_t> print_from(const std::string& path, std::size_t offset) {
    SUPERVISOR_TRY_ASSIGN(text, sys::read_file(path));
    if (text.size() < offset) offset = 0;  // rotated
    print(text.substr(offset));
    return text.size();
}

}  // namespace

int print_status(const std::string& directory, bool as_json, bool timeline) {
    const auto status = read_status(directory);
    if (!status) {
        print(status.error().message() + "\n");
        return 1;
    }
    try {
        if (as_json) {
            print(to_pretty_text(*status));
        } else if (timeline) {
            print_timeline(*status);
        } else {
            print_summary(*status);
        }
        return 0;
    } catch (const std::exception& exception) {
        print(std::string("status.json is of another version: ") + exception.what() + "\n");
        return 1;
    }
}

int print_health(const std::string& directory, bool only_live) {
    const auto status = read_status(directory);
    if (!status) {
        print(status.error().message() + "\n");
        return 1;
    }
    const auto* pid = status->if_contains("pid");
    if (pid == nullptr || !pid->is_int64() ||
        (::kill(static_cast<pid_t>(pid->get_int64()), 0) != 0 && errno == ESRCH)) {
        print("the supervisor is gone\n");
        return 1;
    }
    const auto* reason = status->if_contains("reason");
    const std::string text = reason == nullptr ? "no reason given" : text_of(*reason);
    print(text.empty() ? "ready\n" : text + "\n");
    return only_live || text.empty() ? 0 : 1;
}

int print_events(const std::string& directory, bool follow) {
    const std::string path = directory + "/events.jsonl";
    auto offset = print_from(path, 0);
    if (!offset) {
        print(offset.error().message() + "\n");
        return 1;
    }
    if (!follow) return 0;
    const UniqueFd watch(::inotify_init1(IN_CLOEXEC));
    if (::inotify_add_watch(watch.get(), directory.c_str(), IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
        return 1;
    char events[4096];
    while (offset && ::read(watch.get(), events, sizeof events) > 0) offset = print_from(path, *offset);
    return 0;
}

}  // namespace supervisor::cli
