// Chunked bodies: cut anywhere they are the same body and end at the same byte, and what is accepted is
// nothing but sizes in hexadecimal digits, each with that many bytes after it.
#include <cstdint>
#include <string>

#include "broker/http/http_body.hpp"
#include "fuzz.hpp"

using namespace supervisor::broker;

namespace {

struct Outcome {
    std::string payload;
    std::size_t consumed = 0;
    bool done = false;
    bool malformed = false;
};

Outcome read(std::string_view bytes, std::size_t step) {
    BodyReader reader({Framing::Chunked, 0});
    Outcome out;
    while (out.consumed < bytes.size() && !reader.done() && !reader.malformed()) {
        const auto piece = reader.next(bytes.substr(out.consumed, step));
        out.payload.append(piece.payload);
        out.consumed += piece.consumed;
    }
    out.done = reader.done();
    out.malformed = reader.malformed();
    return out;
}

// A second reader, which takes whole bodies only.
bool read_plainly(std::string_view bytes, std::string& payload, std::size_t& size) {
    for (size = 0;;) {
        const auto end = bytes.find("\r\n", size);
        if (end == std::string_view::npos || end == size || end - size > 16) return false;
        const std::string digits(bytes.substr(size, end - size));
        if (digits.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos) return false;
        const auto length = std::stoull(digits, nullptr, 16);
        if (length > bytes.size() || bytes.size() - end - 2 < length + 2) return false;
        payload.append(bytes.substr(end + 2, length));
        if (bytes.substr(end + 2 + length, 2) != "\r\n") return false;
        size = end + 2 + length + 2;
        if (length == 0) return true;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto bytes = text_of_input(data, size);
    const auto whole = read(bytes, bytes.size());
    const auto cut = read(bytes, 1 + size % 7);
    require(whole.payload == cut.payload && whole.done == cut.done && whole.malformed == cut.malformed);
    require(whole.consumed == cut.consumed || whole.malformed);
    if (!whole.done) return 0;
    std::string payload;
    std::size_t end = 0;
    require(read_plainly(bytes, payload, end));
    require(payload == whole.payload && end == whole.consumed);
    return 0;
}
