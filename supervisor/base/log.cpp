#include "base/log.hpp"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#include <spdlog/details/null_mutex.h>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#pragma GCC diagnostic pop

#include <unistd.h>

#include <memory>

#include "base/json.hpp"

namespace supervisor::log {
namespace {

class StreamSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
  protected:
    void sink_it_(const spdlog::details::log_msg& message) override {
        spdlog::memory_buf_t line;
        formatter_->format(message, line);
        error_stream().write_line(std::string_view(line.data(), line.size()));
    }
    void flush_() override { error_stream().flush(); }
};

std::unique_ptr<spdlog::formatter> formatter_for(bool json) {
    // In JSON the whole object is put together by write(); the pattern then adds nothing.
    const char* pattern = json ? "%v" : "%Y-%m-%dT%H:%M:%S.%eZ %-5l %v";
    return std::make_unique<spdlog::pattern_formatter>(pattern, spdlog::pattern_time_type::utc, "");
}

struct State {
    State() { sink->set_formatter(formatter_for(json)); }

    std::shared_ptr<StreamSink> sink = std::make_shared<StreamSink>();
    spdlog::logger logger{"supervisor", sink};
    bool json = false;
};

State& state() {
    static State instance;
    return instance;
}

spdlog::level::level_enum to_spdlog(Level level) {
    switch (level) {
        case Level::Debug:
            return spdlog::level::debug;
        case Level::Info:
            return spdlog::level::info;
        case Level::Warn:
            return spdlog::level::warn;
        case Level::Error:
            return spdlog::level::err;
    }
    return spdlog::level::info;
}

std::string_view name_of(Level level) {
    switch (level) {
        case Level::Debug:
            return "debug";
        case Level::Info:
            return "info";
        case Level::Warn:
            return "warn";
        case Level::Error:
            return "error";
    }
    return "info";
}

std::string utc_now() {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    tm parts{};
    ::gmtime_r(&now.tv_sec, &parts);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                       parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, now.tv_nsec / 1'000'000);
}

}  // namespace

void configure(const Settings& settings) {
    state().json = settings.json;
    state().logger.set_level(to_spdlog(settings.level));
    state().sink->set_formatter(formatter_for(settings.json));
}

void write(Level level, std::string_view component, std::string_view message) {
    State& current = state();
    if (!current.logger.should_log(to_spdlog(level))) return;
    if (!current.json) {
        current.logger.log(to_spdlog(level), "{}: {}", component, message);
        return;
    }
    json::object line;
    line["time"] = utc_now();
    line["level"] = name_of(level);
    line["component"] = component;
    line["message"] = message;
    current.logger.log(to_spdlog(level), "{}", to_text(line));
}

bool debug_enabled() {
    return state().logger.should_log(spdlog::level::debug);
}

std::string service_line(std::string_view service, std::string_view line) {
    if (!state().json) return fmt::format("[{}] {}", service, line);
    json::object object;
    object["time"] = utc_now();
    object["service"] = service;
    object["line"] = line;
    return to_text(object);
}

LineWriter& output_stream() {
    static LineWriter writer(STDOUT_FILENO);
    return writer;
}

LineWriter& error_stream() {
    static LineWriter writer(STDERR_FILENO);
    return writer;
}

void drain(int milliseconds) {
    output_stream().drain(milliseconds);
    error_stream().drain(milliseconds);
}

}  // namespace supervisor::log
