// Filters and whole request targets: what is written for the engine reads back as the same, with the owner's
// label in it, and only with keys that the route lists.
#include "broker/handlers/handler_support.hpp"

#include <cstdint>
#include "broker/handlers/routes.hpp"
#include "broker/http/json_guard.hpp"
#include "broker/http/uri.hpp"
#include "broker/objects/name_patterns.hpp"
#include "fuzz.hpp"

using namespace supervisor;
using namespace supervisor::broker;

namespace {

void check_filters(std::string_view text) {
    auto exchange = std::make_shared<Exchange>(std::weak_ptr<ExchangeHost>(), RequestHead{});
    exchange->query.add("filters", text);
    auto filters = parse_filters(exchange);
    if (!filters) return;
    NamePatterns patterns(*filters);
    (void)patterns.match("db");
    add_owner(*filters, {"agent", "1", ""});
    Query query;
    query.add("filters", to_query_value(*filters));
    const auto target = parse_target("/containers/json" + query.text());
    require(target.has_value());
    require(target->query.items().size() == 1);
    const auto again = parse_guarded(target->query.get("filters"));
    require(again.has_value() && again->is_object() && again->as_object().size() == filters->size());
    for (const auto& member : again->as_object()) require(member.value().is_object());
    require(again->as_object().at("label").as_object().contains("org.gocd.agent.id=agent"));
}

void check_target(std::string_view text) {
    const auto target = parse_target(text);
    if (!target) return;
    for (const char* method : {"GET", "POST", "DELETE", "PUT", "HEAD"}) {
        const auto match = match_route(method, target->segments);
        if (match.route == nullptr) continue;
        const auto allowed = allowed_query(*match.route, target->query);
        if (!allowed) continue;
        const std::string listed = " " + std::string(match.route->query) + " ";
        for (const auto& item : allowed->items()) {
            require(listed.find(" " + item.key + " ") != std::string::npos ||
                    listed.find(" " + item.key + "* ") != std::string::npos);
        }
        const auto back = parse_target("/x" + allowed->text());
        require(back && back->query.items().size() == allowed->items().size());
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    check_filters(text_of_input(data, size));
    check_target(text_of_input(data, size));
    return 0;
}
