// Requests as nobody should write them, made from a seed: the same seed makes the same requests.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace supervisor::broker {

// What a broker must never let out: every smuggled request, header and field carries this word.
inline constexpr const char* kContraband = "SMUGGLED";

class OddRequests {
  public:
    explicit OddRequests(std::uint64_t seed) : random_(seed) {}

    // One connection's worth of bytes: mostly one request, sometimes two, each with up to three oddities.
    std::string next();
    // 0 … limit-1.
    std::size_t pick(std::size_t limit) { return static_cast<std::size_t>(random_() % limit); }

  private:
    struct Parts {
        std::string method, target, version;
        std::vector<std::string> lines;  // of the head, without line ends
        std::string body;
        bool chunked = false;
        bool own_framing = false;  // an oddity has written the framing already
        std::string line_end = "\r\n";
        std::string tail;  // after the body
    };
    Parts plain();
    void twist(Parts& parts);
    void twist_target(Parts& parts);
    void twist_framing(Parts& parts);
    void twist_head(Parts& parts);
    void twist_json(Parts& parts);
    std::string written(const Parts& parts);
    template <std::size_t N>
    const char* any(const char* const (&list)[N]) {
        return list[pick(N)];
    }

    std::mt19937_64 random_;
};

}  // namespace supervisor::broker
