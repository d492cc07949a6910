#include "cli/program.hpp"

#include <signal.h>
#include <unistd.h>

namespace supervisor::cli {
namespace {

service::Spec spec_of(const proc::ChildPlan& plan) {
    service::Spec spec;
    spec.name = plan.name;
    // For a fork that fails for want of processes or memory; the program's own end is final.
    spec.restart = {Milliseconds(100), Milliseconds(2'000), 10, Milliseconds(60'000), Milliseconds(60'000)};
    // An interactive shell ignores TERM; HUP is how terminals say goodbye.
    spec.stop_ladder = {{SIGTERM, Milliseconds(plan.foreground_on_terminal ? 50 : 60'000)},
                        {SIGHUP, Milliseconds(1'000)}};
    return spec;
}

}  // namespace

Program::Program(loop::EventLoop& loop, service::Processes& processes, proc::ChildPlan plan,
                 PayloadEvents events)
    : events_(std::move(events)), service_(loop, processes, spec_of(plan), hooks(plan)) {}

service::Hooks Program::hooks(proc::ChildPlan plan) {
    for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
        plan.descriptors.push_back({standard, standard});
    service::Hooks hooks;
    hooks.plan = [plan] { return plan; };
    hooks.after_exit = [this](const proc::ExitStatus& status) {
        status_ = status.shell_code();
        return service::AfterExit::StayStopped;
    };
    hooks.changed = [this](service::State state) { changed(state); };
    return hooks;
}

void Program::start() {
    service_.start();
}

void Program::stop(Deadline deadline, std::function<void()> done) {
    if (!service_.running()) {
        service_.stop(deadline);  // it may be waiting for another try
        return done();
    }
    stop_done_ = std::move(done);
    service_.stop(deadline);
}

void Program::changed(service::State state) {
    if (events_.changed) events_.changed();
    if (state == service::State::Waiting) {
        const std::string& cause = service_.snapshot().cause;
        if (cause.find("fork: ") != std::string::npos) return;  // may work in a moment
        // It could not even be executed; trying again would not help.
        status_ = cause.find("No such file") != std::string::npos ? 127 : 126;
        service_.stop(Deadline::never());
        return;
    }
    if (state == service::State::Failed) {
        status_ = 126;
        return events_.ended(status_, service_.snapshot().cause);
    }
    if (state != service::State::Stopped) return;
    if (const auto done = std::exchange(stop_done_, nullptr)) {
        status_ = service_.last_status().shell_code();
        return done();
    }
    const auto& snapshot = service_.snapshot();
    events_.ended(status_,
                  snapshot.last_exit.empty() ? snapshot.cause : service_.name() + " " + snapshot.last_exit);
}

std::string Program::not_ready_because() const {
    return service_.running() ? "" : service_.name() + " does not run";
}

void Program::describe(StatusModel& model) const {
    model.services.emplace_back(service_.name(), service_.snapshot());
}

}  // namespace supervisor::cli
