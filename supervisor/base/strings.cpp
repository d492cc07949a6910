#include "base/strings.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstring>

namespace supervisor {
namespace {

constexpr std::string_view kBlanks = " \t\r\n\v\f";

std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return out;
}

// A plain decimal with an optional fraction at the start of `text`; `rest` is what follows it.
Result<double> leading_number(std::string_view text, std::string_view& rest) {
    const auto end = std::min(text.find_first_not_of("0123456789."), text.size());
    double value = 0;
    const auto [stop, error] =
        std::from_chars(text.data(), text.data() + end, value, std::chars_format::fixed);
    if (error != std::errc{} || stop != text.data() + end) {
        return fail(fmt::format("'{}' is not a number", printable(text)));
    }
    rest = text.substr(end);
    return value;
}

}  // namespace

std::string_view trim(std::string_view text) {
    const auto first = text.find_first_not_of(kBlanks);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    parts.reserve(1 + static_cast<std::size_t>(std::count(text.begin(), text.end(), separator)));
    for (;;) {
        const auto at = text.find(separator);
        parts.push_back(text.substr(0, at));
        if (at == std::string_view::npos) return parts;
        text.remove_prefix(at + 1);
    }
}

std::vector<std::string_view> split_words(std::string_view text) {
    std::vector<std::string_view> words;
    while (!(text = trim(text)).empty()) {
        const auto end = std::min(text.find_first_of(kBlanks), text.size());
        words.push_back(text.substr(0, end));
        text.remove_prefix(end);
    }
    return words;
}

std::vector<std::string_view> split_lines(std::string_view text) {
    if (!text.empty() && text.back() == '\n') text.remove_suffix(1);
    if (text.empty()) return {};
    return split(text, '\n');
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
    std::string out;
    for (const auto& part : parts) {
        if (!out.empty()) out += separator;
        out += part;
    }
    return out;
}

namespace {

// How often a byte is met in JSON with hexadecimal ids, roughly; what is not listed is rare.
constexpr std::array<unsigned char, 256> kFrequency = [] {
    std::array<unsigned char, 256> out{};
    for (const char c : std::string_view("abcdef0123456789\":,etoinsr"))
        out[static_cast<unsigned char>(c)] = 3;
    for (const char c : std::string_view("lmugkphNSI{}[]./")) out[static_cast<unsigned char>(c)] = 2;
    for (const char c : std::string_view("CDHPLA")) out[static_cast<unsigned char>(c)] = 1;
    return out;
}();

std::size_t rarest_byte(std::string_view text) {
    const auto rarer = [](char a, char b) {
        return kFrequency[static_cast<unsigned char>(a)] < kFrequency[static_cast<unsigned char>(b)];
    };
    return static_cast<std::size_t>(std::min_element(text.begin(), text.end(), rarer) - text.begin());
}

}  // namespace

// memchr() is the fastest search there is, so it looks for the byte that it meets least often: on what an
// engine answers several times faster than memmem().
std::size_t find_text(std::string_view text, std::string_view part) {
    if (part.empty()) return 0;
    const auto anchor = rarest_byte(part);
    const auto behind = part.size() - anchor;
    for (auto at = anchor; at + behind <= text.size(); ++at) {
        at = text.substr(0, text.size() - behind + 1).find(part[anchor], at);
        if (at == std::string_view::npos) break;
        if (std::memcmp(text.data() + at - anchor, part.data(), part.size()) == 0) return at - anchor;
    }
    return std::string_view::npos;
}

std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
    std::string out;
    for (auto at = find_text(text, from); at != std::string_view::npos; at = find_text(text, from)) {
        out.append(text.substr(0, at)).append(to);
        text.remove_prefix(at + from.size());
    }
    return out.append(text);
}

Result<std::uint64_t> parse_unsigned(std::string_view text, std::uint64_t max) {
    std::uint64_t value = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || stop != text.data() + text.size() || value > max) {
        return fail(fmt::format("'{}' is not a whole number from 0 to {}", printable(text), max));
    }
    return value;
}

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
    std::string_view unit;
    const auto number = leading_number(text, unit);
    const double factor = unit.empty() || unit == "s" ? 1e3
                          : unit == "ms"              ? 1
                          : unit == "m"               ? 6e4
                          : unit == "h"               ? 3.6e6
                                                      : 0;
    if (!number || factor == 0 || *number * factor > 1e12) {
        return fail(fmt::format("'{}' is not a duration such as 30, 30s, 250ms, 5m or 1h", printable(text)));
    }
    return std::chrono::milliseconds(std::llround(*number * factor));
}

Result<std::uint64_t> parse_size(std::string_view text) {
    std::string_view rest;
    const auto number = leading_number(text, rest);
    std::string unit = lower(rest);
    if (unit.size() > 1 && unit.ends_with("ib")) unit.resize(unit.size() - 2);
    if (!unit.empty() && unit.back() == 'b') unit.pop_back();
    const auto power = std::string_view("kmgt").find(unit.empty() ? '\0' : unit[0]);
    if (!number || unit.size() > 1 || (!unit.empty() && power == std::string_view::npos)) {
        return fail(fmt::format("'{}' is not a size such as 1048576, 512m or 4G", printable(text)));
    }
    const double bytes = *number * (unit.empty() ? 1.0 : std::pow(1024.0, static_cast<double>(power + 1)));
    if (bytes > 1e18) return fail(fmt::format("'{}' is larger than any memory or disk", printable(text)));
    return static_cast<std::uint64_t>(bytes);
}

Result<bool> parse_bool(std::string_view text) {
    const std::string word = lower(text);
    if (word == "true" || word == "yes" || word == "on" || word == "1") return true;
    if (word == "false" || word == "no" || word == "off" || word == "0") return false;
    return fail(fmt::format("'{}' is neither true nor false", printable(text)));
}

std::string format_duration(std::chrono::milliseconds duration) {
    const auto ms = duration.count();
    if (ms < 1000) return fmt::format("{} ms", ms);
    if (ms < 60'000) return fmt::format("{:.1f} s", static_cast<double>(ms) / 1000.0);
    return fmt::format("{} min {} s", ms / 60'000, ms % 60'000 / 1000);
}

std::string format_size(std::uint64_t bytes) {
    static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    auto value = static_cast<double>(bytes);
    std::size_t unit = 0;
    for (; value >= 1024 && unit + 1 < std::size(kUnits); ++unit) value /= 1024;
    return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string printable(std::string_view text, std::size_t limit) {
    std::string out;
    for (const char c : text) {
        if (out.size() >= limit) return out += "…";
        const auto byte = static_cast<unsigned char>(c);
        if (c == '\n') {
            out += "\\n";
        } else if (c == '\t') {
            out += "\\t";
        } else if (byte < 0x20 || byte == 0x7f) {
            out += fmt::format("\\x{:02x}", byte);
        } else {
            out += c;
        }
    }
    return out;
}

}  // namespace supervisor
