#include "base/json.hpp"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#include <boost/json/src.hpp>
#pragma GCC diagnostic pop

#include <fmt/core.h>

#include <algorithm>

namespace supervisor {
namespace {

std::string position(std::string_view text, std::size_t offset) {
    const auto before = text.substr(0, std::min(offset, text.size()));
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    const auto start = before.rfind('\n');
    const auto column = before.size() - (start == std::string_view::npos ? 0 : start + 1) + 1;
    return fmt::format("line {}, column {}", line, column);
}

void indent(std::string& out, std::size_t depth) {
    out.append("\n").append(2 * depth, ' ');
}

void pretty(std::string& out, const json::value& value, std::size_t depth) {
    if (const auto* object = value.if_object(); object != nullptr && !object->empty()) {
        char open = '{';
        for (const auto& [key, member] : *object) {
            out += open;
            indent(out, depth + 1);
            out += to_text(json::value(key)) + ": ";
            pretty(out, member, depth + 1);
            open = ',';
        }
        indent(out, depth);
        out += '}';
    } else if (const auto* array = value.if_array(); array != nullptr && !array->empty()) {
        char open = '[';
        for (const auto& element : *array) {
            out += open;
            indent(out, depth + 1);
            pretty(out, element, depth + 1);
            open = ',';
        }
        indent(out, depth);
        out += ']';
    } else {
        out += to_text(value);
    }
}

}  // namespace

Result<json::value> parse_json(std::string_view text) {
    boost::system::error_code code;
    json::stream_parser parser;
    const auto used = parser.write_some(text.data(), text.size(), code);
    if (!code && used < text.size()) code = json::error::extra_data;
    if (!code) parser.finish(code);
    if (code) return fail(position(text, used) + ": " + code.message());
    return parser.release();
}

std::string to_text(const json::value& value) {
    return json::serialize(value);
}

std::string to_pretty_text(const json::value& value) {
    std::string out;
    pretty(out, value, 0);
    return out += '\n';
}

}  // namespace supervisor
