// The server's side of the agent protocol: a request in, an answer out, and what has to be remembered
// between. Thread-safe: every connection has a thread of its own, and an agent pings while it waits for work.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.hpp"
#include "files.hpp"
#include "options.hpp"
#include "record.hpp"
#include "stream.hpp"

namespace stub_server {

struct Answer {
    int status = 200;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
    // Served instead of `body`, without a copy.
    std::shared_ptr<const ServedFile> file;
};

class GoServer {
  public:
    GoServer(const Options& options, Record& record);

    Answer handle(const Request& request);
    // True once --exit-after-jobs jobs were reported and their last console piece had its chance to arrive.
    bool finished() const;

  private:
    using Clock = std::chrono::steady_clock;
    struct RunningJob {
        const Job* job = nullptr;
        Clock::time_point since;
    };

    Answer status();
    Answer download(const std::string& name);
    Answer token(const Request& request);
    Answer registration(const Request& request);
    Answer remoting(const std::string& action, const Request& request);
    Answer work(const std::string& uuid);
    Answer console(const Request& request);
    std::string instruction(const std::string& uuid);
    void completed(const std::string& uuid, const supervisor::json::object& call);
    std::pair<std::string, std::string> extra_properties() const;

    const Options& options_;
    Record& record_;
    Files files_;
    mutable std::mutex mutex_;
    std::uint64_t handed_out_ = 0;
    std::uint64_t completed_ = 0;
    std::optional<Clock::time_point> last_completed_;
    std::map<std::string, RunningJob> running_;  // by the agent's uuid
};

}  // namespace stub_server
