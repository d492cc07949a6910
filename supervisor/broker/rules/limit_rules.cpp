// What jobs may use of the machine: never more than the agent itself, and together no more than its totals.
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "base/strings.hpp"
#include "broker/http/json_guard.hpp"
#include "broker/rules/rules.hpp"

namespace supervisor::broker {
namespace {

std::uint64_t number_of(const json::object& object, std::string_view key) {
    const auto* value = object.if_contains(key);
    return value != nullptr && value->is_int64() && value->as_int64() > 0
               ? static_cast<std::uint64_t>(value->as_int64())
               : 0;
}

bool is_negative(const json::object& object, std::string_view key) {
    const auto* value = object.if_contains(key);
    return value != nullptr && value->is_int64() && value->as_int64() < 0;
}

std::string lower_case(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return text;
}

// -1 is "unlimited", and what other negative numbers become for the kernel is as good as that.
bool exceeds(const json::object& ulimit, const char* field, std::uint64_t most) {
    return most != sys::kNoLimit && (is_negative(ulimit, field) || number_of(ulimit, field) > most);
}

Verdict whole_number(RuleScope&, json::value& value, const FieldRule&, const std::string& path) {
    return value.is_null() || value.is_int64() ? Verdict() : Verdict(malformed(path, "a whole number"));
}

constexpr FieldRule kUlimitFields[] = {
    {"Name", pass},
    {"Soft", whole_number},
    {"Hard", whole_number},
};

// The engine takes names in any case.
Verdict check_ulimit(RuleScope& scope, json::value& value, const std::string& path) {
    if (!value.is_object()) return malformed(path, "objects with Name, Soft and Hard");
    auto& ulimit = value.as_object();
    if (auto denial = apply_rules(scope, ulimit, kUlimitFields, path + ".")) return denial;
    if (scope.policy.allows(Permission::Ulimits)) return {};
    const auto name = lower_case(text_of(ulimit, "Name"));
    for (const auto& own : scope.config.bounds.hard_limits) {
        if (own.name != name) continue;
        if (!exceeds(ulimit, "Soft", own.value) && !exceeds(ulimit, "Hard", own.value)) return {};
        return refusal(
            scope, Permission::Ulimits, path,
            name + " is above the agent's own limit; accepted is up to " + std::to_string(own.value));
    }
    if (scope.config.bounds.hard_limits.empty()) return {};
    return malformed(path, "the name of a limit, got \"" + printable(name, 40) + "\"");
}

// ---- totals ----

// What a request asks for, as NanoCpus or as a share of a period; 0: it names no limit.
std::uint64_t cpus_in(std::uint64_t nano_cpus, std::uint64_t quota, std::uint64_t period) {
    constexpr double kMost = 1e18;
    if (nano_cpus > 0 || quota == 0) return nano_cpus;
    const auto cpus = static_cast<double>(quota) / static_cast<double>(period == 0 ? 100'000 : period);
    return static_cast<std::uint64_t>(std::min(std::ceil(cpus * 1e9), kMost));
}

struct Granted {
    std::uint64_t memory = 0;
    std::uint64_t nano_cpus = 0;
};

Granted granted_to_others(const RuleScope& scope, const OwnContainer* self) {
    Granted sum;
    for (const auto& [id, container] : scope.ledger.containers()) {
        if (self != nullptr && id == self->id) continue;
        sum.memory += container.memory;
        sum.nano_cpus += container.nano_cpus;
    }
    return sum;
}

Verdict fits(const std::string& field, std::uint64_t wanted, std::uint64_t total, std::uint64_t granted) {
    if (total == 0 || (wanted <= total && granted <= total - wanted)) return {};
    return Denial{403, "limits",
                  field + ": " + std::to_string(wanted) + " is more than what is left of the agent's " +
                      std::to_string(total)};
}

Verdict limit_memory(json::object& host, std::uint64_t total, std::uint64_t granted) {
    const auto wanted = number_of(host, "Memory");
    if (total > 0 && wanted == 0) host["Memory"] = static_cast<std::int64_t>(total);
    return fits("HostConfig.Memory", wanted, total, wanted == 0 ? 0 : granted);
}

Verdict limit_cpus(json::object& host, std::uint64_t total, std::uint64_t granted) {
    const auto wanted = nano_cpus_asked(host);
    if (total > 0 && wanted == 0) {
        for (const char* field : {"CpuQuota", "CpuPeriod"}) host.erase(field);
        host["NanoCpus"] = static_cast<std::int64_t>(total);
    }
    return fits("HostConfig.NanoCpus", wanted, total, wanted == 0 ? 0 : granted);
}

// At most the total, which also holds where nothing is asked for.
void limit_pids(json::object& host, std::uint64_t most) {
    if (most == 0) return;
    const auto wanted = number_of(host, "PidsLimit");
    host["PidsLimit"] = static_cast<std::int64_t>(wanted == 0 ? most : std::min(wanted, most));
}

// Numbers in a build's query are text, and what is none is left to the engine to refuse.
json::object numbers_in(const Query& query) {
    json::object out;
    const std::pair<const char*, const char*> names[] = {
        {"memory", "Memory"}, {"cpuquota", "CpuQuota"}, {"cpuperiod", "CpuPeriod"}};
    for (const auto& [key, field] : names) {
        if (const auto value = parse_unsigned(query.get(key), INT64_MAX))
            out[field] = static_cast<std::int64_t>(*value);
    }
    return out;
}

}  // namespace

std::uint64_t nano_cpus_asked(const json::object& host) {
    return cpus_in(number_of(host, "NanoCpus"), number_of(host, "CpuQuota"), number_of(host, "CpuPeriod"));
}

std::uint64_t memory_asked(const json::object& host) {
    return number_of(host, "Memory");
}

Verdict check_ulimits(RuleScope& scope, json::value& value, const FieldRule&, const std::string& path) {
    if (value.is_null()) return {};
    if (!value.is_array()) return malformed(path, "a list");
    for (auto& element : value.as_array()) {
        if (auto denial = check_ulimit(scope, element, path)) return denial;
    }
    return {};
}

// A container is killed before the agent, not after it.
Verdict check_oom_score(RuleScope& scope, json::value& value, const FieldRule& rule,
                        const std::string& path) {
    const auto own = scope.config.bounds.oom_score;
    if (scope.policy.allows(rule.permission)) return {};
    if (is_empty_value(value)) value = 0;
    if (!value.is_int64()) return malformed(path, "a whole number");
    if (value.as_int64() == 0 && own > 0) value = own;
    if (value.as_int64() >= std::max<std::int64_t>(own, 0)) return {};
    return refusal(scope, rule.permission, path,
                   "must not be lower than the agent's own; accepted is " +
                       std::to_string(std::max<std::int64_t>(own, 0)) + " to 1000");
}

Verdict apply_limits(RuleScope& scope, json::object& host) {
    const auto& limits = scope.config.limits;
    if (limits.containers > 0 && scope.ledger.containers().size() >= limits.containers) {
        return Denial{403, "limits",
                      "the agent's jobs have " + std::to_string(limits.containers) +
                          " containers already, which is the limit"};
    }
    const auto granted = granted_to_others(scope, nullptr);
    if (auto denial = limit_memory(host, limits.memory, granted.memory)) return denial;
    if (auto denial = limit_cpus(host, limits.nano_cpus, granted.nano_cpus)) return denial;
    limit_pids(host, limits.pids);
    return {};
}

Verdict apply_update_limits(RuleScope& scope, json::object& body, const OwnContainer* self) {
    const auto& limits = scope.config.limits;
    const auto granted = granted_to_others(scope, self);
    const auto no_limit = [](const char* field) {
        return Denial{403, "limits",
                      std::string(field) + ": the agent has a total, so no container is without"};
    };
    if (limits.memory > 0 && is_negative(body, "Memory")) return no_limit("Memory");
    if (auto denial = fits("Memory", number_of(body, "Memory"), limits.memory,
                           number_of(body, "Memory") == 0 ? 0 : granted.memory))
        return denial;
    if (limits.nano_cpus > 0) {
        // The other half of what was set before is not known here.
        const bool half = number_of(body, "CpuPeriod") > 0 && number_of(body, "CpuQuota") == 0;
        if (half || is_negative(body, "CpuQuota") || is_negative(body, "NanoCpus"))
            return no_limit("CpuQuota");
        const auto wanted = nano_cpus_asked(body);
        if (auto denial = fits("NanoCpus", wanted, limits.nano_cpus, wanted == 0 ? 0 : granted.nano_cpus))
            return denial;
    }
    if (body.contains("PidsLimit")) limit_pids(body, limits.pids);
    return {};
}

Verdict limit_build(RuleScope& scope, Query& query) {
    json::value ulimits;
    if (!query.get("ulimits").empty()) {
        auto parsed = parse_guarded(query.get("ulimits"));
        if (!parsed) return Denial{400, "json", "ulimits: " + parsed.error().message()};
        ulimits = std::move(*parsed);
        if (auto denial = check_ulimits(scope, ulimits, {"ulimits", pass}, "ulimits")) return denial;
        query.set("ulimits", to_text(ulimits));
    }
    const auto& limits = scope.config.limits;
    const auto asked = numbers_in(query);
    if (limits.memory > 0) {
        if (auto denial = fits("memory", memory_asked(asked), limits.memory, 0)) return denial;
        if (memory_asked(asked) == 0) query.set("memory", std::to_string(limits.memory));
    }
    if (limits.nano_cpus > 0) {
        if (auto denial = fits("cpuquota", nano_cpus_asked(asked), limits.nano_cpus, 0)) return denial;
        if (nano_cpus_asked(asked) == 0) {
            query.set("cpuperiod", "100000");
            query.set("cpuquota", std::to_string(std::max<std::uint64_t>(limits.nano_cpus / 10'000, 1000)));
        }
    }
    return {};
}

}  // namespace supervisor::broker
