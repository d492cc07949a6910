// Processes, directories and certificates for this level's tests. Everything is gone when its owner goes.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.hpp"

namespace agent_level {

using Environment = std::vector<std::string>;
using std::chrono::milliseconds;

// Whoever has its working directory at or below `directory`.
std::vector<pid_t> processes_in(const std::string& directory);

// Gone with everything below it, and with the processes that work there.
class TempDir {
  public:
    TempDir();
    ~TempDir();
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;
    const std::string& path() const { return path_; }
    std::string operator/(const std::string& name) const { return path_ + '/' + name; }

  private:
    std::string path_;
};

std::string read_text(const std::string& path);
void write_text(const std::string& path, const std::string& text);
// By md5sum(1): another implementation than the one under test.
std::string md5_of(const std::string& path);
// A file of this size with contents that do not compress.
void make_file(const std::string& path, std::size_t size);
// Runs a shell command; its exit status.
int shell(const std::string& command);

// In `directory`, as NAME.pem and NAME.key: the roots root and other; server (127.0.0.1), elsewhere (another
// name) and client, signed by root; stranger, signed by other; locked.key, the client's key behind the words
// in `passphrase`.
bool make_certificates(const std::string& directory);

// Calls `condition` until it holds or the time is up.
template <class Condition>
bool eventually(Condition condition, milliseconds limit = milliseconds(30'000));
void nap(milliseconds time);

// A process with its output in files; killed with its process group when the object goes.
class Child {
  public:
    Child(const std::vector<std::string>& argv, const std::string& output_prefix,
          const Environment& environment = {}, const std::string& directory = "/");
    ~Child();
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    void signal(int number) const;
    pid_t pid() const { return pid_; }
    // The exit status, 128 + n for a signal, -1 when it still runs after the limit.
    int wait(milliseconds limit = milliseconds(60'000));
    bool running();
    std::string out() const { return read_text(prefix_ + ".out"); }
    std::string err() const { return read_text(prefix_ + ".err"); }
    // Largest resident size, after wait().
    long peak_kilobytes() const { return peak_; }

  private:
    std::string prefix_;
    pid_t pid_ = -1;
    std::optional<int> status_;
    long peak_ = 0;
};

class StubServer {
  public:
    // Waits until it has announced its port (a server that is still down has one too).
    StubServer(const TempDir& directory, std::vector<std::string> options, const std::string& name = "stub");
    std::string url(const std::string& scheme = "http", const std::string& host = "127.0.0.1") const;
    int port() const { return port_; }
    // The lines of its record, those of one kind only if asked.
    std::vector<supervisor::json::object> record(const std::string& event = {}) const;
    bool has(const std::string& event, std::size_t count = 1) const { return record(event).size() >= count; }
    // Number of requests for paths that end so.
    std::size_t requests(const std::string& path_suffix) const;
    std::string console() const;
    Child& process() { return *child_; }

  private:
    std::string prefix_;
    int port_ = 0;
    std::unique_ptr<Child> child_;
};

std::string text_of(const supervisor::json::object& object, const std::string& name);

template <class Condition>
bool eventually(Condition condition, milliseconds limit) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > end) return false;
        nap(milliseconds(20));
    }
    return true;
}

}  // namespace agent_level
