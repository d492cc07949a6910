// Heads: whatever is accepted must mean the same to a second reading.
#include <cstdint>
#include <cstdlib>

#include "broker/http/http_message.hpp"
#include "broker/http/uri.hpp"

using namespace supervisor::broker;

namespace {

void require(bool condition) {
    if (!condition) std::abort();
}

void check_head(std::string_view bytes) {
    const auto scan = scan_head(bytes);
    if (scan.state != HeadScan::State::Complete) return;
    require(scan.size <= bytes.size());
    const auto head = parse_request_head(bytes.substr(0, scan.size));
    (void)parse_response_head(bytes.substr(0, scan.size), "GET");
    if (!head) return;
    // Written anew it is read as the same again, and it contains no line that the parser did not see.
    std::string again = head->method + " " + head->target + " HTTP/1." + std::to_string(head->minor) + "\r\n";
    for (const auto& field : head->headers.fields()) {
        require((field.name + field.value).find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos);
        again += field.name + ": " + field.value + "\r\n";
    }
    const auto second = parse_request_head(again + "\r\n");
    require(second.has_value());
    require(second->body.kind == head->body.kind && second->body.length == head->body.length);
    require(second->headers.fields().size() == head->headers.fields().size());
    const bool both = head->headers.has("Content-Length") && head->headers.has("Transfer-Encoding");
    require(!both);
    if (const auto target = parse_target(head->target)) {
        for (const auto& segment : target->segments)
            require(!segment.empty() && segment != "." && segment != "..");
        std::string path;
        for (const auto& segment : target->segments) path += "/" + percent_encode(segment);
        const auto canonical = parse_target(path + target->query.text());
        // A canonical path may only gain a version prefix's meaning if it had one that was not the first
        // segment.
        if (canonical && canonical->version.empty()) require(canonical->segments == target->segments);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    check_head(bytes);
    return 0;
}
