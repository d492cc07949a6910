// A string that cannot be printed, formatted or compared by accident. Whoever needs the text says reveal().
#pragma once

#include <string>
#include <utility>

namespace supervisor {

class Secret {
  public:
    Secret() = default;
    explicit Secret(std::string value) : value_(std::move(value)) {}
    bool empty() const noexcept { return value_.empty(); }
    const std::string& reveal() const noexcept { return value_; }

  private:
    std::string value_;
};

}  // namespace supervisor
