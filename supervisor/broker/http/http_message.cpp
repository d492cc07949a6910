#include "broker/http/http_message.hpp"

#include <algorithm>
#include <array>

#include "base/strings.hpp"
#include "broker/http/byte_set.hpp"

namespace supervisor::broker {
namespace {

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

constexpr ByteSet kTokenBytes("-_!#$%&'*+.^`|~", ByteSet::kLettersAndDigits);

bool is_token(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return kTokenBytes.has(c); });
}

// Field values: visible characters, blanks, and bytes above 127, which nobody here interprets.
bool is_field_value(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
    });
}

std::string_view trim_blanks(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

std::string to_lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), lower);
    return out;
}

// Cuts one line off `rest`, without its CR LF.
std::string_view next_line(std::string_view& rest) {
    const auto end = rest.find("\r\n");
    const auto line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 2);
    return line;
}

Result<> parse_fields(std::string_view rest, Headers& headers) {
    headers.reserve(12);  // what engine and clients usually send
    while (true) {
        const auto line = next_line(rest);
        if (line.empty()) return {};
        if (line.front() == ' ' || line.front() == '\t') return fail("folded header line");
        const auto colon = line.find(':');
        if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) {
            return fail("malformed header name in \"" + printable(line, 80) + "\"");
        }
        const auto value = trim_blanks(line.substr(colon + 1));
        if (!is_field_value(value))
            return fail("control character in header " + std::string(line.substr(0, colon)));
        if (headers.fields().size() >= kMaxHeaderFields) return fail("too many header fields");
        headers.add(line.substr(0, colon), value);
    }
}

Result<BodyFraming> length_framing(const Headers& headers) {
    if (headers.count("Content-Length") > 1) return fail("more than one Content-Length");
    const auto text = headers.get("Content-Length");
    if (text.empty() || text.size() > 18) return fail("malformed Content-Length");
    auto length = parse_unsigned(text);
    if (!length) return fail("malformed Content-Length");
    return BodyFraming{*length == 0 ? Framing::None : Framing::Length, *length};
}

Result<bool> is_chunked(const Headers& headers, int minor) {
    if (!headers.has("Transfer-Encoding")) return false;
    if (minor == 0) return fail("Transfer-Encoding in HTTP/1.0");
    if (headers.has("Content-Length")) return fail("both Content-Length and Transfer-Encoding");
    if (headers.count("Transfer-Encoding") != 1 ||
        !equals_ignoring_case(headers.get("Transfer-Encoding"), "chunked")) {
        return fail("transfer encoding other than chunked");
    }
    return true;
}

Result<BodyFraming> request_framing(const RequestHead& head) {
    SUPERVISOR_TRY_ASSIGN(chunked, is_chunked(head.headers, head.minor));
    if (chunked) return BodyFraming{Framing::Chunked, 0};
    if (!head.headers.has("Content-Length")) return BodyFraming{};
    return length_framing(head.headers);
}

Result<BodyFraming> response_framing(const ResponseHead& head, int minor, std::string_view method) {
    const bool bodiless = head.status < 200 || head.status == 204 || head.status == 304 || method == "HEAD";
    if (bodiless) return BodyFraming{};
    SUPERVISOR_TRY_ASSIGN(chunked, is_chunked(head.headers, minor));
    if (chunked) return BodyFraming{Framing::Chunked, 0};
    if (head.headers.has("Content-Length")) return length_framing(head.headers);
    return BodyFraming{Framing::UntilEof, 0};
}

Result<int> parse_version(std::string_view text) {
    if (text == "HTTP/1.1") return 1;
    if (text == "HTTP/1.0") return 0;
    return fail("protocol version other than HTTP/1.0 and HTTP/1.1");
}

bool keeps_alive(const Headers& headers, int minor) {
    if (headers.lists("Connection", "close")) return false;
    return minor == 1 || headers.lists("Connection", "keep-alive");
}

Result<> parse_request_line(std::string_view line, RequestHead& head) {
    const auto first = line.find(' ');
    const auto last = line.rfind(' ');
    if (first == std::string_view::npos || first == last) return fail("malformed request line");
    head.method = line.substr(0, first);
    head.target = line.substr(first + 1, last - first - 1);
    const bool plain_method =
        head.method.size() <= 16 && !head.method.empty() &&
        std::all_of(head.method.begin(), head.method.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
    if (!plain_method) return fail("malformed method");
    const bool visible =
        std::all_of(head.target.begin(), head.target.end(), [](char c) { return c > 0x20 && c < 0x7f; });
    if (!visible || head.target.empty() || head.target.front() != '/')
        return fail("request target is not a path");
    SUPERVISOR_TRY_ASSIGN(minor, parse_version(line.substr(last + 1)));
    head.minor = minor;
    return {};
}

Result<> parse_connection_wishes(RequestHead& head) {
    if (head.headers.count("Host") > 1) return fail("more than one Host header");
    if (head.minor == 1 && !head.headers.has("Host")) return fail("no Host header");
    head.keep_alive = keeps_alive(head.headers, head.minor);
    if (head.headers.has("Expect")) {
        if (!equals_ignoring_case(head.headers.get("Expect"), "100-continue"))
            return fail("unknown expectation");
        head.expects_continue = head.minor == 1;
    }
    if (head.headers.count("Upgrade") > 1) return fail("more than one Upgrade header");
    if (head.headers.lists("Connection", "upgrade")) head.upgrade = to_lower(head.headers.get("Upgrade"));
    return {};
}

}  // namespace

bool equals_ignoring_case(std::string_view a, std::string_view b) {
    return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                              [](char x, char y) { return x == y || lower(x) == lower(y); });
}

void Headers::set(std::string_view name, std::string_view value) {
    remove(name);
    add(name, value);
}

void Headers::remove(std::string_view name) {
    std::erase_if(fields_,
                  [name](const HeaderField& field) { return equals_ignoring_case(field.name, name); });
}

void Headers::keep_only(std::string_view name) {
    const auto kept = std::find_if(fields_.begin(), fields_.end(), [name](const HeaderField& field) {
        return equals_ignoring_case(field.name, name);
    });
    if (kept == fields_.end()) return fields_.clear();
    std::iter_swap(fields_.begin(), kept);
    fields_.resize(1);
}

std::string_view Headers::get(std::string_view name) const {
    for (const auto& field : fields_) {
        if (equals_ignoring_case(field.name, name)) return field.value;
    }
    return {};
}

std::size_t Headers::count(std::string_view name) const {
    return static_cast<std::size_t>(
        std::count_if(fields_.begin(), fields_.end(),
                      [name](const HeaderField& field) { return equals_ignoring_case(field.name, name); }));
}

bool Headers::lists(std::string_view name, std::string_view token) const {
    for (const auto& field : fields_) {
        if (!equals_ignoring_case(field.name, name)) continue;
        for (const auto piece : split(field.value, ',')) {
            if (equals_ignoring_case(trim_blanks(piece), token)) return true;
        }
    }
    return false;
}

HeadScan scan_head(std::string_view bytes) {
    std::size_t line_start = 0;
    for (;;) {
        const auto newline = bytes.find('\n', line_start);
        if (newline == std::string_view::npos) break;
        if (newline == line_start || bytes[newline - 1] != '\r') return {HeadScan::State::Malformed};
        if (newline == line_start + 1) {
            if (line_start == 0) return {HeadScan::State::Malformed};
            return {newline + 1 > kMaxHeadBytes ? HeadScan::State::Malformed : HeadScan::State::Complete,
                    newline + 1};
        }
        line_start = newline + 1;
    }
    return {bytes.size() > kMaxHeadBytes ? HeadScan::State::Malformed : HeadScan::State::Incomplete};
}

HeadScan::State HeadReader::take(std::string_view& bytes) {
    const auto before = pieces_.size();
    if (before > 0) pieces_.append(bytes);
    const auto scan = scan_head(before > 0 ? pieces_ : bytes);
    if (scan.state == HeadScan::State::Complete) {
        head_ = (before > 0 ? std::string_view(pieces_) : bytes).substr(0, scan.size);
        bytes.remove_prefix(scan.size - before);
    } else if (scan.state == HeadScan::State::Incomplete) {
        if (before == 0) pieces_ = bytes;
        bytes = {};
    }
    return scan.state;
}

void HeadReader::reset() {
    pieces_.clear();
    head_ = {};
}

Result<RequestHead> parse_request_head(std::string_view bytes) {
    RequestHead head;
    SUPERVISOR_TRY(parse_request_line(next_line(bytes), head));
    SUPERVISOR_TRY(parse_fields(bytes, head.headers));
    SUPERVISOR_TRY(parse_connection_wishes(head));
    SUPERVISOR_TRY_ASSIGN(framing, request_framing(head));
    head.body = framing;
    return head;
}

Result<ResponseHead> parse_response_head(std::string_view bytes, std::string_view request_method) {
    ResponseHead head;
    const auto line = next_line(bytes);
    if (line.size() < 12 || line[8] != ' ') return fail("malformed status line");
    SUPERVISOR_TRY_ASSIGN(minor, parse_version(line.substr(0, 8)));
    SUPERVISOR_TRY_ASSIGN(status, parse_unsigned(line.substr(9, 3), 999));
    if (status < 100) return fail("malformed status line");
    head.status = static_cast<int>(status);
    head.reason = line.size() > 13 ? line.substr(13) : std::string_view();
    SUPERVISOR_TRY(parse_fields(bytes, head.headers));
    SUPERVISOR_TRY_ASSIGN(framing, response_framing(head, minor, request_method));
    head.body = framing;
    head.keep_alive = keeps_alive(head.headers, minor) && framing.kind != Framing::UntilEof;
    return head;
}

std::string_view reason_phrase(int status) {
    struct Phrase {
        int status;
        std::string_view text;
    };
    static constexpr std::array<Phrase, 20> kPhrases{{
        {100, "Continue"},
        {101, "UPGRADED"},
        {200, "OK"},
        {201, "Created"},
        {204, "No Content"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {413, "Payload Too Large"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {507, "Insufficient Storage"},
    }};
    for (const auto& phrase : kPhrases) {
        if (phrase.status == status) return phrase.text;
    }
    return "Status";
}

}  // namespace supervisor::broker
