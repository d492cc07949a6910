#include "cli/main.hpp"

#include <unistd.h>

#include <cstring>
#include <exception>
#include <string_view>

#include "base/log.hpp"
#include "base/memory_reserve.hpp"
#include "broker/broker.hpp"
#include "cli/doctor.hpp"
#include "cli/internal.hpp"
#include "cli/options.hpp"
#include "cli/status.hpp"
#include "cli/supervisor.hpp"
#include "sys/files.hpp"

namespace supervisor::cli {
namespace {

constexpr std::string_view kUnexpected = "gocd-supervisor: unexpected exception: ";

std::vector<std::string> to_list(char** words) {
    std::vector<std::string> list;
    for (; *words != nullptr; ++words) list.emplace_back(*words);
    return list;
}

int print(const std::string& text) {
    return sys::write_all(STDOUT_FILENO, text) ? 0 : 1;
}

int run_supervisor(Invocation invocation, std::vector<std::string> environment, loop::Signals signals,
                   TimePoint executed_at) {
    log::configure(invocation.config.general.log);
    Supervisor supervisor(std::move(invocation), std::move(environment), std::move(signals), executed_at);
    return supervisor.run();
}

int dispatch(Invocation invocation, std::vector<std::string> environment, loop::Signals signals,
             TimePoint executed_at) {
    switch (invocation.command) {
        case Command::Run:
            return run_supervisor(std::move(invocation), std::move(environment), std::move(signals),
                                  executed_at);
        case Command::Status:
            return print_status(kRunDirectory, invocation.has_flag("--json"),
                                invocation.has_flag("--timeline"));
        case Command::Events:
            return print_events(kRunDirectory, invocation.has_flag("--follow"));
        case Command::Health:
            return print_health(kRunDirectory, invocation.has_flag("--live"));
        case Command::Help:
            return print(help_text());
        case Command::Version:
            return print("gocd-supervisor " SUPERVISOR_VERSION "\n");
        case Command::Reference:
            return print(reference_markdown());
        case Command::Completion:
            return print(completion_script());
        case Command::Internal:
            return run_internal(invocation.command_flags);
        case Command::Doctor:
            return run_doctor(invocation, environment);
        case Command::Sweep:
            return broker::sweep({.host_socket = invocation.config.broker.host_socket});
    }
    return kExitUsage;
}

int start(const std::vector<std::string>& arguments, char** environment, TimePoint executed_at) {
    // Before anything else: a signal that finds PID 1 with its default disposition is lost.
    auto signals = loop::Signals::block_all();
    if (!signals) {
        log::error("supervisor", signals.error().message());
        return kExitInternal;
    }
    std::vector<std::string> variables = to_list(environment);
    auto invocation = parse(arguments, variables);
    if (!invocation) {
        log::error("supervisor", invocation.error().message());
        log::drain(1'000);
        return kExitUsage;
    }
    // Only PID 1's own life is made of signals; every other command must die of Ctrl-C.
    if (invocation->command != Command::Run) signals->release();
    return dispatch(std::move(*invocation), std::move(variables), std::move(*signals), executed_at);
}

}  // namespace

int main_program(char** arguments, char** environment) noexcept {
    const auto executed_at = SteadyClock().now();
    keep_memory_reserve();
    try {
        return start(to_list(arguments), environment, executed_at);
    } catch (const std::exception& exception) {
        // Without the log, which may be what threw.
        (void)!::write(STDERR_FILENO, kUnexpected.data(), kUnexpected.size());
        (void)!::write(STDERR_FILENO, exception.what(), std::strlen(exception.what()));
        (void)!::write(STDERR_FILENO, "\n", 1);
        return kExitInternal;
    }
}

}  // namespace supervisor::cli
