#include "broker/http/uri.hpp"

#include <algorithm>
#include <cstdint>

#include "base/strings.hpp"
#include "broker/http/byte_set.hpp"

namespace supervisor::broker {

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

namespace {

bool is_control(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
}

Result<std::string> decode(std::string_view text, bool plus_is_space, bool allow_control) {
    const bool plain =
        std::none_of(text.begin(), text.end(), [](char c) { return c == '%' || c == '+' || is_control(c); });
    if (plain) return std::string(text);
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        char c = text[i];
        if (c == '%') {
            if (i + 2 >= text.size()) return fail("broken percent escape");
            const int high = hex_value(text[i + 1]);
            const int low = hex_value(text[i + 2]);
            if (high < 0 || low < 0) return fail("broken percent escape");
            c = static_cast<char>(high * 16 + low);
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        if (c == '\0' || (!allow_control && is_control(c)))
            return fail("control character in the request target");
        out += c;
    }
    return out;
}

bool is_version(std::string_view segment) {
    return segment.size() > 1 && segment.front() == 'v' &&
           segment.find_first_not_of("0123456789.", 1) == std::string_view::npos;
}

// Some readers of paths cut parameters off: "..;x" is ".." to them.
bool has_empty_or_dotted_part(std::string_view path) {
    for (;;) {
        const auto slash = path.find('/');
        auto part = path.substr(0, slash);
        part = part.substr(0, part.find(';'));
        if (part.empty() || part == "." || part == "..") return true;
        if (slash == std::string_view::npos) return false;
        path.remove_prefix(slash + 1);
    }
}

Result<std::vector<std::string>> parse_path(std::string_view path) {
    std::vector<std::string> segments;
    path.remove_prefix(1);
    const auto pieces = split(path, '/');
    segments.reserve(pieces.size());
    for (const auto raw : pieces) {
        SUPERVISOR_TRY_ASSIGN(segment, decode(raw, false, false));
        // A decoded segment may contain '/', so its parts are looked at too.
        if (has_empty_or_dotted_part(segment)) return fail("empty or dotted segment in the path");
        segments.push_back(std::move(segment));
    }
    return segments;
}

Result<Query> parse_query(std::string_view text) {
    Query query;
    if (text.empty()) return query;
    if (text.find(';') != std::string_view::npos) return fail("invalid semicolon separator in query");
    for (const auto item : split(text, '&')) {
        if (item.empty()) continue;
        const auto equals = item.find('=');
        SUPERVISOR_TRY_ASSIGN(key, decode(item.substr(0, equals), true, false));
        const auto raw = equals == std::string_view::npos ? std::string_view() : item.substr(equals + 1);
        // Values are data (a Dockerfile's build argument may hold a newline), keys are names.
        SUPERVISOR_TRY_ASSIGN(value, decode(raw, true, true));
        query.add(key, value);
    }
    return query;
}

constexpr ByteSet kPlainInQuery("-._~", ByteSet::kLettersAndDigits);
constexpr ByteSet kPlainInPath("-._~/:@", ByteSet::kLettersAndDigits);

void append_encoded(std::string& out, std::string_view text, const ByteSet& plain) {
    static constexpr char kDigits[] = "0123456789ABCDEF";
    const auto is_plain = [&plain](char c) { return plain.has(c); };
    while (!text.empty()) {
        const auto run = std::find_if_not(text.begin(), text.end(), is_plain);
        const auto length = static_cast<std::size_t>(run - text.begin());
        out.append(text.substr(0, length));
        text.remove_prefix(length);
        if (text.empty()) return;
        const auto byte = static_cast<unsigned char>(text.front());
        const char escape[] = {'%', kDigits[byte >> 4], kDigits[byte & 15]};
        out.append(escape, sizeof escape);
        text.remove_prefix(1);
    }
}

std::string encode(std::string_view text, const ByteSet& plain) {
    std::string out;
    out.reserve(text.size() + text.size() / 2);
    append_encoded(out, text, plain);
    return out;
}

}  // namespace

void Query::set(std::string_view key, std::string_view value) {
    remove(key);
    add(key, value);
}

void Query::remove(std::string_view key) {
    std::erase_if(items_, [key](const QueryItem& item) { return item.key == key; });
}

bool Query::has(std::string_view key) const {
    return std::any_of(items_.begin(), items_.end(),
                       [key](const QueryItem& item) { return item.key == key; });
}

std::string_view Query::get(std::string_view key) const {
    for (const auto& item : items_) {
        if (item.key == key) return item.value;
    }
    return {};
}

std::vector<std::string> Query::all(std::string_view key) const {
    std::vector<std::string> out;
    for (const auto& item : items_) {
        if (item.key == key) out.push_back(item.value);
    }
    return out;
}

bool Query::flag(std::string_view key) const {
    std::string value(trim(get(key)));
    std::transform(value.begin(), value.end(), value.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return !(value.empty() || value == "0" || value == "no" || value == "false" || value == "none");
}

std::string Query::text() const {
    std::size_t size = 0;
    for (const auto& item : items_) size += 2 + item.key.size() + item.value.size();
    std::string out;
    out.reserve(2 * size);  // room for escapes
    for (const auto& item : items_) {
        out += out.empty() ? '?' : '&';
        append_encoded(out, item.key, kPlainInQuery);
        out += '=';
        append_encoded(out, item.value, kPlainInQuery);
    }
    return out;
}

Result<Target> parse_target(std::string_view target) {
    if (target.empty() || target.front() != '/') return fail("request target is not a path");
    if (target.find('#') != std::string_view::npos) return fail("fragment in the request target");
    const auto mark = target.find('?');
    Target out;
    SUPERVISOR_TRY_ASSIGN(segments, parse_path(target.substr(0, mark)));
    if (is_version(segments.front()) && segments.size() > 1) {
        out.version = segments.front().substr(1);
        segments.erase(segments.begin());
    }
    out.segments = std::move(segments);
    if (mark != std::string_view::npos) {
        SUPERVISOR_TRY_ASSIGN(query, parse_query(target.substr(mark + 1)));
        out.query = std::move(query);
    }
    return out;
}

std::string percent_encode(std::string_view text) {
    return encode(text, kPlainInQuery);
}

std::string base64_url(std::string_view bytes) {
    static constexpr std::string_view kDigits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    std::string out;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const auto group = bytes.substr(i, 3);
        std::uint32_t bits = 0;
        for (std::size_t j = 0; j < 3; ++j)
            bits = bits << 8U | (j < group.size() ? static_cast<unsigned char>(group[j]) : 0U);
        for (std::size_t j = 0; j < 4; ++j)
            out += j <= group.size() ? kDigits[bits >> (18U - 6U * j) & 63U] : '=';
    }
    return out;
}

std::string percent_encode_path(std::string_view text) {
    return encode(text, kPlainInPath);
}

}  // namespace supervisor::broker
