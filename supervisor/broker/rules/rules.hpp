// Request bodies, field by field. A table names every field that the broker knows and what becomes of it;
// whatever is not in the table is dropped when it is empty and refused when it is not.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "broker/http/uri.hpp"
#include "broker/objects/ledger.hpp"
#include "broker/rules/denial.hpp"
#include "broker/rules/mount_table.hpp"
#include "broker/rules/policy.hpp"

namespace supervisor::broker {

// What the rules know, and what they find out on the way.
struct RuleScope {
    const Policy& policy;
    const Ledger& ledger;
    const Names& names;
    const MountTable& mounts;
    const Config& config;
    const Owner& owner;
    JobIdentity job;
    std::string container_name = {};  // that the client asked for
    std::string api_version = {};

    // A reference was not found: worth another try after the ledger has been refreshed.
    bool missing_reference = false;
    // Named volumes that have to exist, labelled, before the container is created.
    std::vector<std::string> volumes_to_create = {};
    // The engine can mount a part of a volume (API 1.45), and those parts of the agent's volumes that are to
    // be.
    bool volume_subpaths = false;
    std::vector<json::object> volume_parts = {};
};

using Verdict = std::optional<Denial>;
struct FieldRule;
// May change `value`; a null is removed afterwards. `path` names the field for messages ("HostConfig.Binds").
using FieldCheck = Verdict (*)(RuleScope& scope, json::value& value, const FieldRule& rule,
                               const std::string& path);

struct FieldRule {
    std::string_view name;
    FieldCheck check;
    Permission permission = Permission::UnknownFields;  // for the checks that ask for one
};

Verdict apply_rules(RuleScope& scope, json::object& object, std::span<const FieldRule> table,
                    const std::string& path);

// null, "", 0, false, [], {} and objects that hold nothing else: what clients send for "not given".
bool is_empty_value(const json::value& value);

Denial refusal(const RuleScope& scope, Permission permission, const std::string& path,
               std::string_view reason);
Denial malformed(const std::string& path, std::string_view expected);

// ---- checks that fit many fields ----
Verdict pass(RuleScope& scope, json::value& value, const FieldRule& rule, const std::string& path);
Verdict drop(RuleScope& scope, json::value& value, const FieldRule& rule, const std::string& path);
// Not empty: the rule's permission is needed.
Verdict ask(RuleScope& scope, json::value& value, const FieldRule& rule, const std::string& path);
// Same, where even an empty list has a meaning.
Verdict ask_unless_null(RuleScope& scope, json::value& value, const FieldRule& rule, const std::string& path);

// ---- the bodies ----
Verdict rewrite_container(RuleScope& scope, json::object& body);
// self: the container, null when there is none such.
Verdict rewrite_update(RuleScope& scope, json::object& body, const OwnContainer* self);
Verdict rewrite_exec(RuleScope& scope, json::object& body);
Verdict rewrite_network(RuleScope& scope, json::object& body);
// built_in: the network is the engine's own bridge.
Verdict rewrite_connect(RuleScope& scope, json::object& body, bool built_in);
Verdict rewrite_disconnect(RuleScope& scope, json::object& body);
Verdict rewrite_volume(RuleScope& scope, json::object& body);
Verdict rewrite_commit(RuleScope& scope, json::object& body);

// ---- shared by them (see the .cpp files named) ----
// mount_rules.cpp
Verdict check_binds(RuleScope&, json::value&, const FieldRule&, const std::string&);
Verdict check_mounts(RuleScope&, json::value&, const FieldRule&, const std::string&);
Verdict check_tmpfs(RuleScope&, json::value&, const FieldRule&, const std::string&);
Verdict expand_volumes_from(RuleScope& scope, json::object& host_config);
void add_volume_parts(RuleScope& scope, json::object& host_config);
// Before the engine follows the sources of a container's binds once more. host_config: as the engine shows
// it.
Verdict check_bind_sources(RuleScope& scope, const json::object& host_config);
// network_rules.cpp
Verdict check_network_mode(RuleScope&, json::value&, const FieldRule&, const std::string&);
Verdict check_endpoints(RuleScope&, json::value&, const FieldRule&, const std::string&);
Verdict add_name_alias(RuleScope& scope, json::object& body);
// port_rules.cpp
Verdict check_port_bindings(RuleScope&, json::value&, const FieldRule&, const std::string&);
Verdict check_publish_all(RuleScope&, json::value&, const FieldRule&, const std::string&);
Verdict check_pools(RuleScope&, json::value&, const FieldRule&, const std::string&);
// limit_rules.cpp
Verdict check_ulimits(RuleScope&, json::value&, const FieldRule&, const std::string&);
Verdict check_oom_score(RuleScope&, json::value&, const FieldRule&, const std::string&);
Verdict apply_limits(RuleScope& scope, json::object& host_config);
Verdict apply_update_limits(RuleScope& scope, json::object& body, const OwnContainer* self);
Verdict limit_build(RuleScope& scope, Query& query);
// What a container is to have by its own limits; 0: it names none.
std::uint64_t memory_asked(const json::object& host_config);
std::uint64_t nano_cpus_asked(const json::object& host_config);
// reference_rules.cpp
Verdict own_container(RuleScope& scope, std::string& reference);
bool is_agent(const RuleScope& scope, std::string_view reference);
Verdict check_links(RuleScope&, json::value&, const FieldRule&, const std::string&);

}  // namespace supervisor::broker
