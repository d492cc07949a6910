// A container without Docker: gocd-supervisor in its own pid, mount, uts, ipc and network namespaces.
// What is in it ends with the Box, also when the test fails.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "base/unique_fd.hpp"
#include "ns/box_root.hpp"

namespace ns_test {

using namespace std::chrono_literals;

struct BoxOptions {
    std::vector<std::string> arguments;    // of gocd-supervisor
    std::vector<std::string> environment;  // on top of PATH
    RootOptions root;
    std::string agent_script = "#!/bin/sh\nexit 1\n";
    // PID 1 is a small init of the test's, and gocd-supervisor its child.
    bool under_an_init = false;
    // Where stdout and stderr go; -1: a memory file each, which out() and err() read.
    int standard_output = -1;
    int standard_error = -1;
    int terminal = -1;  // becomes the controlling terminal and all of stdio
    // The last thing before exec: limits, filters, another user.
    std::function<void()> before_exec;
};

// Arguments for running a program without Docker.
std::vector<std::string> plain(const std::vector<std::string>& program,
                               const std::vector<std::string>& options = {});

class Box {
  public:
    explicit Box(const BoxOptions& options);
    ~Box();
    Box(const Box&) = delete;
    Box& operator=(const Box&) = delete;

    // gocd-supervisor's pid as the test sees it.
    pid_t pid() const { return supervisor_; }
    void signal(int number) const;

    // Its exit status as a shell would tell it; -1 when it did not end in time.
    int wait(std::chrono::milliseconds limit = 60s);
    bool ended();
    // Under an init: how many processes there were besides it when the supervisor had ended.
    int processes_left() const { return processes_left_; }

    std::string out() const;
    std::string err() const;
    // Waits until the text is there.
    bool says(const std::string& text, std::chrono::milliseconds within = 30s) const;
    bool complains(const std::string& text, std::chrono::milliseconds within = 30s) const;
    int count_out(const std::string& text) const;

    // status.json; empty when it is not there.
    supervisor::json::object status() const;
    // Asks for a new status first and waits for it.
    bool status_holds(const std::function<bool(const supervisor::json::object&)>& predicate,
                      std::chrono::milliseconds within = 30s) const;
    // A path inside, as the test sees it.
    std::string inside(const std::string& path) const;
    // VmRSS in kilobytes.
    long resident() const;
    // Everything that was said, for messages of assertions.
    std::string text() const;

  private:
    void find_supervisor();

    supervisor::UniqueFd out_;
    supervisor::UniqueFd err_;
    supervisor::UniqueFd report_;
    pid_t first_ = -1;  // PID 1 of the box
    pid_t supervisor_ = -1;
    std::optional<int> status_;
    int processes_left_ = -1;
};

}  // namespace ns_test
