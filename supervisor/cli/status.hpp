// What is seen from outside: a snapshot in status.json and a list of events in events.jsonl, both in the
// run-time directory. PID 1 only writes them; `status`, `events`, `health` and the metrics server are other
// processes that read.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "loop/event_loop.hpp"
#include "service/service.hpp"

namespace supervisor::cli {

inline constexpr const char* kRunDirectory = "/run/gocd-supervisor";

enum class Phase { Starting, Running, Draining, Stopping, Stopped };
const char* phase_name(Phase phase);

struct JobStatus {
    bool running = false;
    std::uint64_t finished = 0;
    std::string since;  // of the job that runs
};

// The documented schema of `status --json` (docs/status.md) is made from exactly this.
struct StatusModel {
    std::string version;
    pid_t pid = 0;
    Phase phase = Phase::Starting;
    std::string mode;
    std::string mode_reason;
    std::string not_ready_because = "starting";  // empty: ready
    std::string containment;
    std::string containment_reason;
    std::string engine_state;
    std::string engine;  // "Docker 26.1.5, storage driver overlay2"
    std::string agent_launch;
    bool agent_connected = false;
    std::uint64_t agent_hangs = 0;
    std::vector<std::string> relaxed;
    JobStatus job;
    std::vector<std::pair<std::string, service::Snapshot>> services;
    std::vector<std::pair<std::string, Milliseconds>> timeline;  // since PID 1's exec
    std::uint64_t orphans_reaped = 0;
    std::vector<std::pair<std::string, std::uint64_t>> broker;  // counts, empty without a broker
};

json::object to_json(const StatusModel& model);
std::string utc_text(std::chrono::system_clock::time_point time);

// Writes the snapshot at most once a turn of the loop, and events as they come. A full or read-only /run
// costs the files, never the supervisor: the first failure is logged, later ones are not.
class StatusWriter {
  public:
    StatusWriter(loop::EventLoop& loop, std::string directory, std::function<StatusModel()> model);

    // Something changed: write before the loop waits again.
    void touch();
    // Appends one event and logs it. `what` is a short constant ("engine ready"), `detail` free text or
    // empty.
    void event(const std::string& what, const std::string& detail = {});
    void write_now();
    void remove();

  private:
    void append(const std::string& line);
    void failed(const Error& error);

    loop::EventLoop& loop_;
    std::string directory_;
    std::function<StatusModel()> model_;
    bool pending_ = false;
    bool complained_ = false;
};

// The commands. Each prints to stdout and returns the exit code.
int print_status(const std::string& directory, bool as_json, bool timeline);
int print_health(const std::string& directory, bool only_live);
int print_events(const std::string& directory, bool follow);

}  // namespace supervisor::cli
