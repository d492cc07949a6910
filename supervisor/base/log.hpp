// The supervisor's own log: one line per event on stderr, text or JSON. Never blocks (see LineWriter), uses
// no thread. This header does not include spdlog: that is log.cpp's affair alone, because it is slow to
// compile.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/line_writer.hpp"

namespace supervisor::log {

enum class Level { Debug, Info, Warn, Error };

struct Settings {
    Level level = Level::Info;
    bool json = false;
};

// Must be called once before the first line; lines written before it go to stderr with default settings.
void configure(const Settings& settings);

// `component` is the part that speaks: "supervisor", "engine", "agent", "broker".
void write(Level level, std::string_view component, std::string_view message);

inline void debug(std::string_view component, std::string_view message) {
    write(Level::Debug, component, message);
}
inline void info(std::string_view component, std::string_view message) {
    write(Level::Info, component, message);
}
inline void warn(std::string_view component, std::string_view message) {
    write(Level::Warn, component, message);
}
inline void error(std::string_view component, std::string_view message) {
    write(Level::Error, component, message);
}

bool debug_enabled();

// One line of a child's output, in the form that the settings ask for: "[dockerd] text", or a JSON object.
std::string service_line(std::string_view service, std::string_view line);

// The container's stdout and stderr. The event loop flushes them when they become writable again.
LineWriter& output_stream();
LineWriter& error_stream();

// Gives the readers a last chance, `milliseconds` at most for both streams.
void drain(int milliseconds);

}  // namespace supervisor::log
