#pragma once
// What every end-to-end case starts from: an engine, the image under test, a stub GoCD server on the host.

#include <gtest/gtest.h>
#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "support/docker.hpp"

namespace e2e {

using std::chrono::seconds;
using test_support::Arguments;
using test_support::Container;
using test_support::ContainerOptions;

// $E2E_IMAGE, or what tests/e2e/prepare builds.
std::string dind_image();

// Folder on the host with busybox.tar, the image that inner engines load.
std::string inner_folder();

// Where a container of this engine reaches a server that listens on the host.
std::string host_address();

// The engine's socket on this machine; empty when it is somewhere else.
std::string engine_socket();

// A privileged container of the DinD image with the inner images at /inner.
ContainerOptions dind(const Arguments& options = {}, const Arguments& command = {});

// `gocd-supervisor health` says yes.
bool becomes_healthy(const Container& container, std::chrono::milliseconds within = seconds(60));

// Loads inner-busybox:test into the inner engine.
::testing::AssertionResult load_inner_image(const Container& container);

// gocd-stub-server on the host, with the stand-in agent's files; ended with the test.
class StubServer {
  public:
    explicit StubServer(Arguments options);
    StubServer(const StubServer&) = delete;
    StubServer& operator=(const StubServer&) = delete;
    ~StubServer();

    // http://ADDRESS:PORT/go as a container sees it; empty when the server did not start.
    [[nodiscard]] const std::string& url() const { return url_; }
    // What the agents sent so far: one JSON object a line.
    [[nodiscard]] std::string record() const;
    bool wait_for_record(const std::string& text, std::chrono::milliseconds within) const;

    // Ends it; nobody listens there any more.
    void go_away();
    // Starts it again at the same address with these options; what it recorded is gone.
    void come_back(const Arguments& options);

  private:
    void start(const std::string& port, const Arguments& options);

    std::string folder_;
    std::string url_;
    pid_t pid_ = -1;
};

// The files of a folder over HTTP, for builds and containers on this machine's engine; ended with the test.
class FileServer {
  public:
    explicit FileServer(const std::string& folder);
    FileServer(const FileServer&) = delete;
    FileServer& operator=(const FileServer&) = delete;
    ~FileServer();
    [[nodiscard]] const std::string& url() const { return url_; }

  private:
    pid_t pid_ = -1;
    std::string url_;
};

class EndToEnd : public ::testing::Test {
  protected:
    void SetUp() override;
};

}  // namespace e2e
