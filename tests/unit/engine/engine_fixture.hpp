// An engine whose processes, clock and helpers are the test's.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "engine/engine.hpp"
#include "support/fake_processes.hpp"
#include "sys/files.hpp"

namespace supervisor::engine {

using ms = Milliseconds;
using testing::HasSubstr;

class EngineTest : public testing::Test {
  protected:
    EngineTest() {
        char name[] = "/tmp/engine_test.XXXXXX";
        directory = ::mkdtemp(name);
        EngineSetup setup;
        setup.socket_path = directory + "/docker.sock";
        setup.socket_access = {::getuid(), ::getgid(), 0660};
        setup.notify_access = {::getuid(), ::getgid(), 0600};
        setup.run_directory = directory;
        setup.containerd_command = {"/usr/bin/containerd", "--config", "containerd.toml"};
        setup.dockerd_command = {"/usr/bin/dockerd", "--debug"};
        setup.environment = {"PATH=/usr/bin"};
        setup.expected_driver = "overlay2";
        setup.start_timeout = ms(30'000);
        setup.check_interval = ms(6'000);
        setup.place = [](proc::ChildPlan& plan) { plan.oom_score_adjust = -500; };
        setup.helper = [](const std::vector<std::string>& words) {
            proc::ChildPlan plan;
            plan.name = words.at(0);
            plan.arguments = words;
            return plan;
        };
        EngineEvents events;
        events.changed = [this](EngineState state) { trace += std::string(to_text(state)) + " "; };
        events.failed = [this](const std::string& text) { failures.push_back(text); };
        engine = std::make_unique<Engine>(*loop, processes, std::move(setup), std::move(events));
    }
    ~EngineTest() override {
        engine.reset();
        std::filesystem::remove_all(directory);
    }

    void turn() { ASSERT_TRUE(loop->turn(ms(0))); }
    void advance(int milliseconds) {
        clock->advance(ms(milliseconds));
        turn();
        turn();  // what the first turn deferred
    }
    // The process of that name, -1 when there is none.
    pid_t pid_of(const std::string& name) const {
        for (const auto& [pid, process] : processes.running) {
            if (process.plan.name == name) return pid;
        }
        return -1;
    }
    const proc::ChildPlan& plan_of(const std::string& name) const {
        return processes.running.at(pid_of(name)).plan;
    }
    // READY=1 through the real socket.
    void says_ready(const std::string& name) {
        const std::string path = directory + "/" + name + ".notify";
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, path.data(), path.size());
        const UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        ASSERT_EQ(::sendto(socket.get(), "READY=1\n", 8, 0, reinterpret_cast<const sockaddr*>(&address),
                           sizeof address),
                  8);
        turn();
    }
    void answers(Health health, const std::string& line) {
        const pid_t helper = pid_of("internal-engine-check");
        ASSERT_GT(helper, 0) << "no check is under way";
        processes.running.at(helper).output.result(line);
        processes.exits(helper, static_cast<int>(health));
        turn();
    }
    // Twice in a row: once may be load.
    void loses_its_containerd() {
        answers(Health::ContainerdSick, "dockerd has lost its containerd");
        advance(500);
        answers(Health::ContainerdSick, "dockerd has lost its containerd");
    }
    void dies(const std::string& name, int signal_number = SIGKILL) {
        processes.end(pid_of(name), {proc::ExitStatus::Kind::Signaled, signal_number, false});
        turn();
    }
    void exits(const std::string& name, int code, const std::string& last_line = {}) {
        const pid_t pid = pid_of(name);
        if (!last_line.empty()) processes.running.at(pid).output.observer(last_line);
        processes.exits(pid, code);
        turn();
        turn();
    }
    void bring_up() {
        ASSERT_TRUE(engine->listen());
        engine->start();
        says_ready("containerd");
        says_ready("dockerd");
        answers(Health::Well, "Docker 26.1.5, storage driver overlay2");
        ASSERT_EQ(engine->state(), EngineState::Ready);
    }
    void stop(int budget) {
        engine->stop(Deadline::after(*clock, ms(budget)), [this] { ++stops; });
    }
    std::vector<int> signals_to(pid_t pid) const {
        std::vector<int> numbers;
        for (const auto& [to, number] : processes.signals) {
            if (to == pid) numbers.push_back(number);
        }
        return numbers;
    }

    std::string directory;
    std::shared_ptr<ManualClock> clock = std::make_shared<ManualClock>();
    std::unique_ptr<loop::EventLoop> loop = std::move(loop::EventLoop::create(clock).value());
    support::FakeProcesses processes;
    std::unique_ptr<Engine> engine;
    std::string trace;
    std::vector<std::string> failures;
    int stops = 0;
};

}  // namespace supervisor::engine
