// Processes that exist only on paper: tests say when they end and see which signals they got.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "service/processes.hpp"

namespace supervisor::support {

class FakeProcesses final : public service::Processes {
  public:
    struct Running {
        proc::ChildPlan plan;
        service::Output output;
        OnExit on_exit;
    };

    Result<pid_t> start(const proc::ChildPlan& plan, const service::Output& output, OnExit on_exit) override {
        if (!refusal.empty()) return fail(refusal);
        running[++last_pid] = {plan, output, std::move(on_exit)};
        ++starts;
        return last_pid;
    }
    Result<> signal(pid_t pid, int number) override {
        signals.emplace_back(pid, number);
        if (number == 9 && dies_of_kill) end(pid, {proc::ExitStatus::Kind::Signaled, 9, false});
        return {};
    }
    Result<> signal_group(pid_t pid, int number) override { return signal(-pid, number); }
    void kill_rest_of_group(pid_t pid) override { signals.emplace_back(-pid, 9); }

    void end(pid_t pid, const proc::ExitStatus& status) {
        const auto found = running.find(pid);
        if (found == running.end()) return;
        const auto on_exit = std::move(found->second.on_exit);
        running.erase(found);
        on_exit(status);
    }
    void exits(pid_t pid, int code) { end(pid, {proc::ExitStatus::Kind::Exited, code, false}); }

    std::map<pid_t, Running> running;
    std::vector<std::pair<pid_t, int>> signals;
    std::string refusal;
    pid_t last_pid = 100;
    int starts = 0;
    bool dies_of_kill = true;
};

}  // namespace supervisor::support
