#pragma once
// The docker CLI from a test, and containers that do not outlive it.

#include <chrono>
#include <string>
#include <vector>

#include "support/command.hpp"

namespace test_support {

using Arguments = std::vector<std::string>;

// Runs `docker ARGS…` against the engine of the environment (DOCKER_HOST).
CommandResult docker(const Arguments& args, std::chrono::milliseconds timeout = std::chrono::seconds(60));

// Why no test can use an engine here; empty when one answers.
std::string engine_problem();

// The cgroup parent that this test process gives to all its containers, so that what stays behind can be
// seen. Empty where the engine does not take one (systemd driver).
std::string cgroup_parent();

// Engines make the parent and never remove it. Removes it where it is empty.
void remove_cgroup_parent();

struct ContainerOptions {
    Arguments options;            // `docker run` options, such as --privileged
    std::string image;            // default: the image under test
    Arguments command;            // after the image
    std::string name_hint = "c";  // readable part of the generated name
};

// A container started in the background; destroyed with its anonymous volumes.
class Container {
  public:
    explicit Container(const ContainerOptions& options);
    Container(const Container&) = delete;
    Container& operator=(const Container&) = delete;
    ~Container();

    [[nodiscard]] const std::string& name() const { return name_; }
    // `docker run` itself failed: its text, else empty.
    [[nodiscard]] const std::string& start_failure() const { return failure_; }

    CommandResult exec(const Arguments& command,
                       std::chrono::milliseconds timeout = std::chrono::seconds(60)) const;
    CommandResult exec_as(const std::string& user, const Arguments& command,
                          std::chrono::milliseconds timeout = std::chrono::seconds(60)) const;
    CommandResult stop(int seconds) const;
    void signal(const std::string& name) const;
    // Stdout and stderr, in the order they came.
    [[nodiscard]] std::string logs() const;
    [[nodiscard]] std::string inspect(const std::string& format) const;
    [[nodiscard]] bool running() const;
    // The exit status, or -1 when it still runs after `within`.
    [[nodiscard]] int exit_status(std::chrono::milliseconds within) const;
    bool wait_for_log(const std::string& text, std::chrono::milliseconds within) const;
    // Removes it now, volumes included.
    void remove();

  private:
    std::string name_;
    std::string failure_;
    bool removed_ = false;
};

// A named volume, removed at the end.
class Volume {
  public:
    explicit Volume(const std::string& name_hint);
    Volume(const Volume&) = delete;
    Volume& operator=(const Volume&) = delete;
    ~Volume();
    [[nodiscard]] const std::string& name() const { return name_; }

  private:
    std::string name_;
};

class Network {
  public:
    explicit Network(const std::string& name_hint, const Arguments& options = {});
    Network(const Network&) = delete;
    Network& operator=(const Network&) = delete;
    ~Network();
    [[nodiscard]] const std::string& name() const { return name_; }

  private:
    std::string name_;
};

}  // namespace test_support
