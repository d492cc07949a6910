#include "agent/fetch_result.hpp"

#include <array>
#include <utility>

#include "base/json.hpp"
#include "base/strings.hpp"

namespace supervisor::agent {
namespace {

constexpr std::array<std::pair<std::string_view, std::string ServerStatus::*>, 4> kSums = {{
    {"agent_md5", &ServerStatus::agent_md5},
    {"launcher_md5", &ServerStatus::launcher_md5},
    {"plugins_md5", &ServerStatus::plugins_md5},
    {"tfs_md5", &ServerStatus::tfs_md5},
}};

std::int64_t number_at(const json::object& object, std::string_view name) {
    const auto* value = object.if_contains(name);
    return value != nullptr && value->is_int64() ? value->as_int64() : 0;
}

}  // namespace

std::string render_fetch_result(const FetchResult& result) {
    json::object object;
    for (const auto& [name, sum] : kSums) object[name] = result.status.*sum;
    json::array properties;
    for (const auto& property : result.status.extra_properties) properties.emplace_back(property);
    object["extra_properties"] = std::move(properties);
    object["checked_sum"] = result.checked_sum;
    object["in_place"] = result.in_place;
    object["baked"] = result.baked;
    object["fetched"] = result.fetched;
    object["bytes_fetched"] = static_cast<std::int64_t>(result.bytes_fetched);
    return to_text(object);
}

Result<FetchResult> parse_fetch_result(std::string_view line) {
    SUPERVISOR_TRY_ASSIGN(value, parse_json(line));
    const auto* object = value.if_object();
    if (object == nullptr)
        return fail("the fetcher's result '" + printable(line, 80) + "' is no JSON object");
    FetchResult result;
    for (const auto& [name, sum] : kSums) {
        const auto* text = object->if_contains(name);
        if (text == nullptr || !text->is_string())
            return fail("the fetcher's result lacks " + std::string(name));
        result.status.*sum = text->as_string().c_str();
    }
    if (const auto* properties = object->if_contains("extra_properties");
        properties && properties->is_array()) {
        for (const auto& property : properties->as_array()) {
            if (property.is_string())
                result.status.extra_properties.emplace_back(property.as_string().c_str());
        }
    }
    if (const auto* sum = object->if_contains("checked_sum"); sum && sum->is_string()) {
        result.checked_sum = sum->as_string().c_str();
    }
    result.in_place = static_cast<int>(number_at(*object, "in_place"));
    result.baked = static_cast<int>(number_at(*object, "baked"));
    result.fetched = static_cast<int>(number_at(*object, "fetched"));
    result.bytes_fetched = static_cast<std::uint64_t>(number_at(*object, "bytes_fetched"));
    return result;
}

}  // namespace supervisor::agent
