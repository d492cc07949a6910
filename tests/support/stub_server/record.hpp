// What the server saw, for tests to read: one JSON object a line, flushed at once.
#pragma once

#include <cstdio>
#include <memory>
#include <mutex>
#include <string>

#include "base/json.hpp"

namespace stub_server {

class Record {
  public:
    // "" records nothing.
    explicit Record(const std::string& path);
    // Adds "t_us" (microseconds since the epoch) and "event" in front of the members given.
    void write(std::string_view event, supervisor::json::object members);

  private:
    struct Close {
        void operator()(std::FILE* file) const { std::fclose(file); }
    };
    std::mutex mutex_;
    std::unique_ptr<std::FILE, Close> file_;
};

}  // namespace stub_server
