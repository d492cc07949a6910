#include "cli/status.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.hpp"
#include "base/strings.hpp"
#include "sys/files.hpp"

namespace supervisor::cli {
namespace {

constexpr std::size_t kMaxEventBytes = 512 * 1024;

json::object service_json(const std::string& name, const service::Snapshot& snapshot) {
    json::object out;
    out["name"] = name;
    out["state"] = service::to_text(snapshot.state);
    out["since"] = utc_text(snapshot.since);
    out["pid"] = snapshot.pid > 0 ? json::value(snapshot.pid) : json::value(nullptr);
    out["restarts"] = snapshot.restarts;
    out["last_exit"] = snapshot.last_exit;
    out["cause"] = snapshot.cause;
    return out;
}

json::array timeline_json(const StatusModel& model) {
    json::array out;
    for (const auto& [name, at] : model.timeline) {
        json::object entry;
        entry["event"] = name;
        entry["milliseconds"] = at.count();
        out.push_back(std::move(entry));
    }
    return out;
}

}  // namespace

const char* phase_name(Phase phase) {
    switch (phase) {
        case Phase::Starting:
            return "starting";
        case Phase::Running:
            return "running";
        case Phase::Draining:
            return "draining";
        case Phase::Stopping:
            return "stopping";
        case Phase::Stopped:
            return "stopped";
    }
    return "unknown";
}

std::string utc_text(std::chrono::system_clock::time_point time) {
    const auto since_epoch = std::chrono::duration_cast<Milliseconds>(time.time_since_epoch()).count();
    const auto seconds = static_cast<time_t>(since_epoch / 1000);
    tm parts{};
    ::gmtime_r(&seconds, &parts);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                       parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, since_epoch % 1000);
}

json::object to_json(const StatusModel& model) {
    json::object out;
    out["schema"] = 1;
    out["version"] = model.version;
    out["pid"] = model.pid;
    out["phase"] = phase_name(model.phase);
    out["ready"] = model.not_ready_because.empty();
    out["reason"] = model.not_ready_because;
    out["mode"] = json::object{{"name", model.mode}, {"reason", model.mode_reason}};
    out["containment"] = json::object{{"name", model.containment}, {"reason", model.containment_reason}};
    out["engine"] = json::object{{"state", model.engine_state}, {"description", model.engine}};
    out["agent"] = json::object{
        {"launch", model.agent_launch}, {"connected", model.agent_connected}, {"hangs", model.agent_hangs}};
    json::array relaxed;
    for (const auto& name : model.relaxed) relaxed.emplace_back(name);
    out["relaxed"] = std::move(relaxed);
    out["job"] = json::object{
        {"running", model.job.running}, {"since", model.job.since}, {"finished", model.job.finished}};
    json::array services;
    for (const auto& [name, snapshot] : model.services) services.push_back(service_json(name, snapshot));
    out["services"] = std::move(services);
    out["timeline"] = timeline_json(model);
    out["orphans_reaped"] = model.orphans_reaped;
    if (!model.broker.empty()) {
        json::object counts;
        for (const auto& [name, count] : model.broker) counts[name] = count;
        out["broker"] = std::move(counts);
    }
    out["dropped_log_lines"] = log::output_stream().dropped_lines() + log::error_stream().dropped_lines();
    return out;
}

StatusWriter::StatusWriter(loop::EventLoop& loop, std::string directory, std::function<StatusModel()> model)
    : loop_(loop), directory_(std::move(directory)), model_(std::move(model)) {}

void StatusWriter::touch() {
    if (std::exchange(pending_, true)) return;
    loop_.defer([this] { write_now(); });
}

void StatusWriter::write_now() {
    pending_ = false;
    const auto written =
        sys::replace_file(directory_ + "/status.json", to_text(to_json(model_())) + "\n", 0644);
    if (!written) failed(written.error());
}

void StatusWriter::event(const std::string& what, const std::string& detail) {
    log::info("supervisor", detail.empty() ? what : what + ": " + detail);
    json::object line;
    line["time"] = utc_text(std::chrono::system_clock::now());
    line["event"] = what;
    line["detail"] = detail;
    append(to_text(line) + "\n");
    touch();
}

void StatusWriter::append(const std::string& line) {
    const std::string path = directory_ + "/events.jsonl";
    auto file = sys::open_file(path, O_WRONLY | O_CREAT | O_APPEND, 0644);
    if (!file) return failed(file.error());
    struct stat status {};
    if (::fstat(file->get(), &status) == 0 && static_cast<std::size_t>(status.st_size) > kMaxEventBytes) {
        (void)::rename(path.c_str(), (path + ".1").c_str());
        file = sys::open_file(path, O_WRONLY | O_CREAT | O_APPEND, 0644);
        if (!file) return failed(file.error());
    }
    if (auto written = sys::write_all(file->get(), line); !written) failed(written.error());
}

void StatusWriter::failed(const Error& error) {
    if (std::exchange(complained_, true)) return;
    log::warn("supervisor", "status cannot be written and will be out of date: " + error.message());
}

void StatusWriter::remove() {
    for (const char* name : {"/status.json", "/events.jsonl", "/events.jsonl.1"})
        (void)sys::remove_file(directory_ + name);
}

}  // namespace supervisor::cli
