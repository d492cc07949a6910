// Looks at JSON text before anything else reads it. The daemon (Go) matches keys without regard to case,
// merges duplicate objects and lets the last scalar win; so text in which a key could mean two things is
// refused here, and what passes is parsed and written anew.
#pragma once

#include <string_view>

#include "base/json.hpp"

namespace supervisor::broker {

constexpr int kMaxJsonDepth = 30;

// Syntax (RFC 8259, valid UTF-8), depth, duplicate keys within an object, numbers that lose value in 64 bits,
// anything after the value. Keys that differ only in case are duplicates too, unless the object is one that
// the daemon reads as a map; the guard cannot know that, so it leaves them to folds_to and the tables that
// know the fields.
Result<> guard_json(std::string_view text);

// guard_json, then parse. An empty body is null.
Result<json::value> parse_guarded(std::string_view text);

// True if Go would take `key` for the field `name`: equal under simple Unicode case folding (ſ is s, K is k).
bool folds_to(std::string_view key, std::string_view name);

}  // namespace supervisor::broker
