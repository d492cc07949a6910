// Sends an answer, with the fault that the options ask for.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "go_server.hpp"
#include "options.hpp"
#include "stream.hpp"

namespace stub_server {

// Hands out the faults, each as often as it may happen.
class Faults {
  public:
    explicit Faults(std::vector<Fault> faults) : faults_(std::move(faults)) {}
    std::optional<Fault> take(const Request& request);

  private:
    std::mutex mutex_;
    std::vector<Fault> faults_;
};

// False when the connection must be closed. `sent` becomes the number of body bytes written.
bool respond(Stream& stream, const Request& request, Answer& answer, const std::optional<Fault>& fault,
             std::uint64_t& sent);

}  // namespace stub_server
