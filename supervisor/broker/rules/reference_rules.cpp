#include "base/strings.hpp"
#include "broker/rules/rules.hpp"

namespace supervisor::broker {

bool is_agent(const RuleScope& scope, std::string_view reference) {
    const auto& id = scope.owner.container;
    return !id.empty() && reference.size() >= 12 && id.starts_with(reference);
}

// Replaces the reference by the container's full id.
Verdict own_container(RuleScope& scope, std::string& reference) {
    const auto* found = scope.ledger.container(reference);
    if (found == nullptr) {
        scope.missing_reference = true;
        return Denial{404, "not-own", "No such container: " + printable(reference, 200)};
    }
    reference = found->id;
    return {};
}

Verdict check_links(RuleScope& scope, json::value& value, const FieldRule&, const std::string& path) {
    if (value.is_null()) return {};
    if (!value.is_array()) return malformed(path, "a list of NAME:ALIAS");
    for (auto& element : value.as_array()) {
        if (!element.is_string()) return malformed(path, "a list of NAME:ALIAS");
        const std::string text(element.as_string());
        const auto colon = text.find(':');
        auto reference = text.substr(0, colon);
        const auto alias = colon == std::string::npos ? reference : text.substr(colon + 1);
        if (auto denial = own_container(scope, reference)) return denial;
        // By name: in a network of the user's the engine looks links up among names, where an id is none.
        const auto& name = scope.ledger.container(reference)->name;
        element = (name.empty() ? reference : scope.names.hidden(name)) + ":" + alias;
    }
    return {};
}

}  // namespace supervisor::broker
