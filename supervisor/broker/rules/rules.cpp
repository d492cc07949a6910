#include "broker/rules/rules.hpp"

#include <algorithm>

#include "base/strings.hpp"
#include "broker/http/json_guard.hpp"

namespace supervisor::broker {
namespace {

std::string_view view(json::string_view text) {
    return {text.data(), text.size()};
}

const FieldRule* exact_rule(std::span<const FieldRule> table, std::string_view key) {
    const auto it =
        std::find_if(table.begin(), table.end(), [key](const FieldRule& rule) { return rule.name == key; });
    return it == table.end() ? nullptr : &*it;
}

const FieldRule* folded_rule(std::span<const FieldRule> table, std::string_view key) {
    const auto it = std::find_if(table.begin(), table.end(),
                                 [key](const FieldRule& rule) { return folds_to(key, rule.name); });
    return it == table.end() ? nullptr : &*it;
}

// A spelling that the daemon would take for a known field would bypass the field's rule.
Verdict check_unknown(RuleScope& scope, const std::string& key, json::value& value,
                      std::span<const FieldRule> table, const std::string& path) {
    if (const auto* meant = folded_rule(table, key)) {
        return Denial{400, "field-spelling",
                      path + printable(key, 80) + ": this field is spelt " + std::string(meant->name)};
    }
    if (is_empty_value(value)) {
        value = nullptr;
        return {};
    }
    if (scope.policy.allows(Permission::UnknownFields)) return {};
    return refusal(scope, Permission::UnknownFields, path + printable(key, 80),
                   "the broker does not know this field");
}

}  // namespace

bool is_empty_value(const json::value& value) {
    switch (value.kind()) {
        case json::kind::null:
            return true;
        case json::kind::bool_:
            return !value.get_bool();
        case json::kind::int64:
            return value.get_int64() == 0;
        case json::kind::uint64:
            return value.get_uint64() == 0;
        case json::kind::double_:
            return value.get_double() == 0;
        case json::kind::string:
            return value.get_string().empty();
        case json::kind::array:
            return value.get_array().empty();
        case json::kind::object:
            return std::all_of(value.get_object().begin(), value.get_object().end(),
                               [](const auto& member) { return is_empty_value(member.value()); });
    }
    return false;
}

Denial refusal(const RuleScope& scope, Permission permission, const std::string& path,
               std::string_view reason) {
    const auto rule = std::string(name_of(permission));
    return {403, rule,
            "refused by the agent's Docker policy \"" + scope.policy.name() + "\": " + path + ": " +
                std::string(reason) + " (permission \"" + rule + "\")"};
}

Denial malformed(const std::string& path, std::string_view expected) {
    return {400, "malformed", path + ": expected " + std::string(expected)};
}

Verdict apply_rules(RuleScope& scope, json::object& object, std::span<const FieldRule> table,
                    const std::string& path) {
    std::vector<std::string> emptied;
    for (auto& member : object) {
        const std::string key(view(member.key()));
        auto& value = member.value();
        const auto* rule = exact_rule(table, key);
        if (auto denial = rule != nullptr ? rule->check(scope, value, *rule, path + key)
                                          : check_unknown(scope, key, value, table, path)) {
            return denial;
        }
        if (value.is_null()) emptied.push_back(key);
    }
    for (const auto& key : emptied) object.erase(key);
    return {};
}

Verdict pass(RuleScope&, json::value&, const FieldRule&, const std::string&) {
    return {};
}

Verdict drop(RuleScope&, json::value& value, const FieldRule&, const std::string&) {
    value = nullptr;
    return {};
}

Verdict ask(RuleScope& scope, json::value& value, const FieldRule& rule, const std::string& path) {
    if (is_empty_value(value) || scope.policy.allows(rule.permission)) return {};
    return refusal(scope, rule.permission, path, "must not be set");
}

Verdict ask_unless_null(RuleScope& scope, json::value& value, const FieldRule& rule,
                        const std::string& path) {
    if (value.is_null() || scope.policy.allows(rule.permission)) return {};
    return refusal(scope, rule.permission, path, "must not be set");
}

}  // namespace supervisor::broker
