// What several handlers do: resolve a reference, ask the engine and show its answer, read filters.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "broker/broker_core.hpp"
#include "broker/handlers/handlers.hpp"
#include "broker/objects/name_patterns.hpp"

namespace supervisor::broker {

// Continues with the own container or network that the reference means; otherwise the client gets the
// engine's own words for one that does not exist. A miss is looked up again once, in fresh lists.
void with_container(Broker& broker, const ExchangePtr& exchange, const std::string& reference,
                    std::function<void(OwnContainer)> then);
void with_network(Broker& broker, const ExchangePtr& exchange, const std::string& reference,
                  std::function<void(OwnNetwork)> then);

// The engine's answer with this agent's prefix removed from it.
void reply_shown(Broker& broker, const ExchangePtr& exchange, Reply reply);
// Sends the exchange's method to `path` (without version; the query is added) and shows the answer. `seen`
// looks at it first.
void call_and_show(Broker& broker, const ExchangePtr& exchange, const std::string& path,
                   std::string body = {}, std::function<void(const Reply&)> seen = {});

// What the engine answered when it was asked to check something; null: it is not there. No value: the engine
// did not say, and the client has been told so, since what was not checked is not allowed.
std::optional<json::value> checked_answer(Broker& broker, const ExchangePtr& exchange,
                                          const std::string& thing, const Reply& reply);

// Asks for one object, has it changed, and shows it.
void show_object(Broker& broker, const ExchangePtr& exchange, const std::string& path,
                 std::function<void(json::object&)> change);
// Asks for a list of things with a "Name" (`member` of the answer, or the answer itself) and shows those that
// are `visible`, without the labels of ownership. Patterns of names are matched here, on the names as shown.
void list_named(Broker& broker, const ExchangePtr& exchange, std::string_view member,
                std::function<bool(json::object& element, const std::string& name)> visible);
// Prunes what is the agent's. `forget` gets each entry of the answer's `member`.
void prune_own(Broker& broker, const ExchangePtr& exchange, std::string_view member = {},
               std::function<void(const std::string&)> forget = {});

// The body as JSON object; empty if there is none. Answers 400 itself.
std::optional<json::object> body_object(const ExchangePtr& exchange);
std::optional<json::value> parsed_body(const Reply& reply);
// What the engine takes for a name, before a prefix is put before it.
bool is_object_name(std::string_view name);
std::string invalid_container_name(std::string_view name);

// Runs a rule function over a copy of `body`; on a missing reference once more after a refresh. `then` gets
// the rewritten body and what the rules found out.
using Rewrite = std::function<Verdict(RuleScope& scope, json::object& body)>;
void with_rewritten(Broker& broker, const ExchangePtr& exchange, json::object body, Rewrite rewrite,
                    std::function<void(json::object body, RuleScope scope)> then);

// ---- filters ----

// Answers 400 itself when they are malformed.
std::optional<Filters> parse_filters(const ExchangePtr& exchange);
std::string to_query_value(const Filters& filters);
void add_owner(Filters& filters, const Owner& owner);

// "alpine" and "docker.io/library/alpine" are "alpine:latest", as the engine shows them; digests and ids
// stay.
std::string with_tag(const std::string& reference);

}  // namespace supervisor::broker
