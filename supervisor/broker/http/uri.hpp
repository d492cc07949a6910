// Request targets: decoded once, strictly; written once, canonically.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace supervisor::broker {

struct QueryItem {
    std::string key;
    std::string value;
};

// Query parameters in their order. Go takes the first value of a key; the broker refuses a second one where
// only one counts.
class Query {
  public:
    void add(std::string_view key, std::string_view value) {
        items_.push_back({std::string(key), std::string(value)});
    }
    void set(std::string_view key, std::string_view value);
    void remove(std::string_view key);
    bool has(std::string_view key) const;
    std::string_view get(std::string_view key) const;  // "" when absent
    std::vector<std::string> all(std::string_view key) const;
    // As the daemon reads a boolean: absent, "", 0, no, false and none are false, anything else is true.
    bool flag(std::string_view key) const;
    const std::vector<QueryItem>& items() const { return items_; }
    std::vector<QueryItem>& items() { return items_; }
    // "" or "?a=b&c=d", percent-encoded.
    std::string text() const;

  private:
    std::vector<QueryItem> items_;
};

struct Target {
    std::string version;                // "1.41", without its v; empty when the path has none
    std::vector<std::string> segments;  // decoded; one may contain '/' if it came encoded
    Query query;
};

// Refuses: broken percent escapes, control characters (decoded too), empty, "." and ".." segments, with a ';'
// behind them too, a raw ';' in the query, a fragment.
Result<Target> parse_target(std::string_view target);

// The value of one hexadecimal digit in either case; -1 for any other character.
int hex_value(char c);

std::string percent_encode(std::string_view text);
// Same, but leaves '/' alone: for image references in a path.
// With '-' and '_', as headers of the engine's API have it.
std::string base64_url(std::string_view bytes);
std::string percent_encode_path(std::string_view text);

}  // namespace supervisor::broker
