// HTTP/1.1 heads as the broker understands them. There is one parser, and what goes out is always written
// anew from these structs: no byte of a client's head reaches the daemon as it came.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace supervisor::broker {

bool equals_ignoring_case(std::string_view a, std::string_view b);

struct HeaderField {
    std::string name;
    std::string value;
};

class Headers {
  public:
    void add(std::string_view name, std::string_view value) {
        fields_.push_back({std::string(name), std::string(value)});
    }
    void reserve(std::size_t count) { fields_.reserve(count); }
    void set(std::string_view name, std::string_view value);
    void remove(std::string_view name);
    // Removes every field but the first of that name.
    void keep_only(std::string_view name);
    // First field of that name (any case), "" when there is none.
    std::string_view get(std::string_view name) const;
    bool has(std::string_view name) const { return count(name) > 0; }
    std::size_t count(std::string_view name) const;
    // The Connection or Transfer-Encoding header lists this token.
    bool lists(std::string_view name, std::string_view token) const;
    const std::vector<HeaderField>& fields() const { return fields_; }

  private:
    std::vector<HeaderField> fields_;
};

enum class Framing { None, Length, Chunked, UntilEof };

struct BodyFraming {
    Framing kind = Framing::None;
    std::uint64_t length = 0;
};

struct RequestHead {
    std::string method;
    std::string target;
    int minor = 1;  // HTTP/1.<minor>
    Headers headers;
    BodyFraming body;
    bool keep_alive = true;
    bool expects_continue = false;
    std::string upgrade;  // lower case; empty unless the Connection header asks for it
};

struct ResponseHead {
    int status = 0;
    std::string reason;
    Headers headers;
    BodyFraming body;
    bool keep_alive = true;
};

constexpr std::size_t kMaxHeadBytes = 64 * 1024;
constexpr std::size_t kMaxHeaderFields = 100;

struct HeadScan {
    enum class State { Incomplete, Complete, Malformed } state;
    std::size_t size = 0;  // of the head with its empty line, when Complete
};
// Looks for the end of a head. A line that does not end in CR LF makes it Malformed at once.
HeadScan scan_head(std::string_view bytes);

// Puts a head together that may come in pieces; one that comes whole is not copied.
class HeadReader {
  public:
    // Cuts off `bytes` what belongs to the head. Once that is Complete, head() has it: until reset(), and not
    // longer than `bytes` lives.
    HeadScan::State take(std::string_view& bytes);
    std::string_view head() const { return head_; }
    // For the next head.
    void reset();

  private:
    std::string pieces_;
    std::string_view head_;
};

// `head` is what scan_head measured. Stricter than the daemon: see the list in docs/broker.md.
Result<RequestHead> parse_request_head(std::string_view head);
// `request_method` decides whether a body follows (HEAD has none).
Result<ResponseHead> parse_response_head(std::string_view head, std::string_view request_method);

std::string_view reason_phrase(int status);

}  // namespace supervisor::broker
