// JSON values: Boost.JSON, compiled once (json.cpp). Include this header, not Boost's own.
// Boost.JSON keeps the order of keys, refuses nesting deeper than 32 and, for duplicate keys, keeps the last
// one: whoever parses untrusted text must look for duplicates first.
#pragma once

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/stream_parser.hpp>
#include <boost/json/string.hpp>
#include <boost/json/value.hpp>
#pragma GCC diagnostic pop

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace supervisor {

namespace json = boost::json;

// The error says where: "line 3, column 7: expected comma".
Result<json::value> parse_json(std::string_view text);
// One line, keys in insertion order.
std::string to_text(const json::value& value);
// Two spaces a level, for files and terminals.
std::string to_pretty_text(const json::value& value);

}  // namespace supervisor
