#include <algorithm>

#include "base/strings.hpp"
#include "broker/handlers/container_mounts.hpp"
#include "broker/handlers/handler_support.hpp"

namespace supervisor::broker {
namespace {

std::string container_path(const ExchangePtr& exchange, const std::string& id) {
    // "/containers/{id}/json" with the id put in; the pattern is ours, so the client's spelling does not
    // matter.
    const std::string pattern(exchange->route->pattern);
    return replace_all(pattern, "{id}", id);
}

bool name_matches(const NamePatterns& patterns, const json::object& container, const Names& names) {
    const auto own = container_from_list(container, names);
    return patterns.empty() || patterns.match(own.name);
}

std::string show_list(Broker& broker, std::string body, const NamePatterns& patterns, std::size_t limit) {
    // Only mounts of the agent and patterns need a look at the parts; names are hidden all through the text.
    if (patterns.empty() && !has_agents_mounts(body, broker.mounts())) return body;
    auto parsed = parse_json(body);
    if (!parsed || !parsed->is_array()) return body;
    json::array out;
    for (auto& element : parsed->as_array()) {
        if (!element.is_object() || !name_matches(patterns, element.as_object(), broker.names())) continue;
        show_listed_mounts(broker.mounts(), element.as_object());
        out.push_back(std::move(element));
        if (limit > 0 && out.size() == limit) break;
    }
    return to_text(out) + "\n";
}

// Values that name objects, as the engine knows them. One that is not ours becomes a name that nothing has.
void translate_container_filters(Broker& broker, Filters& filters) {
    const auto each = [&filters](const char* key, auto translate) {
        if (const auto it = filters.find(key); it != filters.end()) {
            for (auto& value : it->second) value = translate(value);
        }
    };
    const auto container = [&broker](const std::string& value) {
        const auto* found = broker.ledger().container(value);
        return found != nullptr ? found->id : broker.names().hidden(value);
    };
    each("before", container);
    each("since", container);
    each("network", [&broker](const std::string& value) {
        const auto* found = broker.ledger().network(value);
        if (found != nullptr) return found->id;
        return value == "bridge" || value == "none" || value == "host" ? value : broker.names().hidden(value);
    });
    each("volume", [&broker](const std::string& value) {
        return value.starts_with('/') || broker.ledger().owns_volume(value) ? value
                                                                            : broker.names().hidden(value);
    });
}

// What the engine mounts for a container, as HostConfig: its binds, and binds that a driver makes for its
// volumes.
using HostConfigKnown = std::function<void(json::object host_config)>;

void with_binds_of_volumes(Broker& broker, const ExchangePtr& exchange,
                           const std::vector<std::string>& volumes, json::object host_config,
                           HostConfigKnown then) {
    if (volumes.empty()) return then(std::move(host_config));
    broker.ask({"GET", broker.own_path("/volumes?" + broker.owner_only()), {}, {}},
               [&broker, exchange, volumes, host_config = std::move(host_config),
                then = std::move(then)](const Reply& reply) mutable {
                   const auto answer = checked_answer(
                       broker, exchange,
                       "what the volumes of container " + printable(exchange->name, 200) + " bind", reply);
                   if (!answer) return;
                   if (answer->is_object()) add_binds_of_volumes(answer->as_object(), volumes, host_config);
                   then(std::move(host_config));
               });
}

void with_host_config(Broker& broker, const ExchangePtr& exchange, const std::string& id,
                      HostConfigKnown then) {
    broker.ask({"GET", broker.own_path("/containers/" + id + "/json"), {}, {}},
               [&broker, exchange, then = std::move(then)](const Reply& reply) {
                   if (!exchange->alive()) return;
                   const auto answer =
                       checked_answer(broker, exchange,
                                      "what container " + printable(exchange->name, 200) + " binds", reply);
                   if (!answer) return;
                   // Gone: the engine will say so.
                   if (!answer->is_object()) return then({});
                   const auto& container = answer->as_object();
                   const auto* host = object_in(container, "HostConfig");
                   with_binds_of_volumes(broker, exchange, volumes_of(container, broker.mounts()),
                                         host != nullptr ? *host : json::object(), then);
               });
}

// Whenever the engine mounts a container's files it follows the sources of binds anew.
void with_true_binds(Broker& broker, const ExchangePtr& exchange, const std::string& id,
                     std::function<void()> then) {
    if (broker.policy().allows(Permission::HostPaths)) return then();
    with_host_config(broker, exchange, id, [&broker, exchange, then = std::move(then)](json::object host) {
        if (!exchange->alive()) return;
        with_rewritten(broker, exchange, std::move(host), check_bind_sources,
                       [then](const json::object&, const RuleScope&) { then(); });
    });
}

}  // namespace

void list_containers(Broker& broker, const ExchangePtr& exchange) {
    auto filters = parse_filters(exchange);
    if (!filters) return;
    NamePatterns patterns(*filters);
    translate_container_filters(broker, *filters);
    const bool plain = filters->empty();
    exchange->query.remove("filters");
    if (!plain) {
        add_owner(*filters, broker.owner());
        exchange->query.set("filters", to_query_value(*filters));
    }
    std::size_t limit = 0;
    if (!patterns.empty() && exchange->query.has("limit")) {
        limit = parse_unsigned(exchange->query.get("limit"), 1'000'000).value_or(0);
        exchange->query.remove("limit");
        if (limit > 0) exchange->query.set("all", "1");  // a limit counts stopped containers too
    }
    UpstreamRequest request{
        "GET",
        exchange->upstream_path("/containers/json", plain ? broker.owner_only() : std::string_view()),
        exchange->passed_headers(),
        {}};
    exchange->call(std::move(request), [&broker, exchange, patterns, limit](Reply reply) {
        if (reply.status == 200) reply.body = show_list(broker, std::move(reply.body), patterns, limit);
        reply_shown(broker, exchange, std::move(reply));
    });
}

void inspect_container(Broker& broker, const ExchangePtr& exchange) {
    with_container(broker, exchange, exchange->name, [&broker, exchange](const OwnContainer& own) {
        show_object(broker, exchange, "/containers/" + own.id + "/json",
                    [&broker](json::object& container) { show_mounts(broker.mounts(), container); });
    });
}

void prune_containers(Broker& broker, const ExchangePtr& exchange) {
    prune_own(broker, exchange, "ContainersDeleted",
              [&broker](const std::string& id) { broker.ledger().remove_container(id); });
}

void container_call(Broker& broker, const ExchangePtr& exchange) {
    with_container(broker, exchange, exchange->name, [&broker, exchange](const OwnContainer& own) {
        call_and_show(broker, exchange, container_path(exchange, own.id));
    });
}

// The engine runs ps on the host with these words and then looks for the container's processes in a column
// named PID. "rss=PID" would make that column another one, and the rows anybody's.
void container_top(Broker& broker, const ExchangePtr& exchange) {
    if (exchange->query.get("ps_args").find('=') != std::string_view::npos)
        return exchange->deny(
            {400, "ps-arguments", "ps_args: columns must not be given other names with \"=\""});
    container_call(broker, exchange);
}

void container_archive(Broker& broker, const ExchangePtr& exchange) {
    with_container(broker, exchange, exchange->name, [&broker, exchange](const OwnContainer& own) {
        with_true_binds(broker, exchange, own.id, [exchange, id = own.id] {
            exchange->relay(exchange->plan(exchange->upstream_path(container_path(exchange, id))));
        });
    });
}

void container_stream(Broker& broker, const ExchangePtr& exchange) {
    with_container(broker, exchange, exchange->name, [exchange](const OwnContainer& own) {
        exchange->relay(exchange->plan(exchange->upstream_path(container_path(exchange, own.id))));
    });
}

void container_stats(Broker& broker, const ExchangePtr& exchange) {
    with_container(broker, exchange, exchange->name, [&broker, exchange](const OwnContainer& own) {
        auto plan = exchange->plan(exchange->upstream_path("/containers/" + own.id + "/stats"));
        plan.filter_line = [&broker](std::string_view line) { return std::optional(broker.shown(line)); };
        exchange->relay(std::move(plan));
    });
}

void attach_container(Broker& broker, const ExchangePtr& exchange) {
    const bool websocket = exchange->head.method == "GET";
    const auto& upgrade = exchange->head.upgrade;
    const bool fits = websocket ? upgrade == "websocket" : upgrade.empty() || upgrade == "tcp";
    if (!fits) return exchange->fail(400, "attach cannot be upgraded to " + printable(upgrade, 40));
    with_container(broker, exchange, exchange->name, [exchange](const OwnContainer& own) {
        auto plan = exchange->plan(exchange->upstream_path(container_path(exchange, own.id)));
        plan.hijack = true;
        plan.upgrade = exchange->head.upgrade;
        exchange->relay(std::move(plan));
    });
}

void start_container(Broker& broker, const ExchangePtr& exchange) {
    // Old clients sent a HostConfig here; none of it may reach the engine.
    const auto body = body_object(exchange);
    if (!body) return;
    if (!is_empty_value(json::value(*body)))
        return exchange->deny({400, "start-body", "starting a container with a body is no longer supported"});
    restart_container(broker, exchange);
}

void restart_container(Broker& broker, const ExchangePtr& exchange) {
    with_container(broker, exchange, exchange->name, [&broker, exchange](const OwnContainer& own) {
        with_true_binds(broker, exchange, own.id, [&broker, exchange, id = own.id] {
            call_and_show(broker, exchange, container_path(exchange, id));
        });
    });
}

namespace {

void send_update(Broker& broker, const ExchangePtr& exchange, const OwnContainer& own,
                 const json::object& body) {
    call_and_show(broker, exchange, "/containers/" + own.id + "/update", to_text(body),
                  [&broker, id = own.id, memory = memory_asked(body),
                   nano_cpus = nano_cpus_asked(body)](const Reply& reply) {
                      const auto& limits = broker.config().limits;
                      if (reply.status != 200) return;
                      broker.ledger().grant(id, limits.memory > 0 ? memory : 0,
                                            limits.nano_cpus > 0 ? nano_cpus : 0);
                  });
}

}  // namespace

void update_container(Broker& broker, const ExchangePtr& exchange) {
    auto body = body_object(exchange);
    if (!body) return;
    with_rewritten(
        broker, exchange, std::move(*body),
        [name = exchange->name](RuleScope& scope, json::object& copy) {
            return rewrite_update(scope, copy, scope.ledger.container(name));
        },
        [&broker, exchange](const json::object& rewritten, const RuleScope&) {
            with_container(broker, exchange, exchange->name,
                           [&broker, exchange, rewritten](const OwnContainer& own) {
                               send_update(broker, exchange, own, rewritten);
                           });
        });
}

void rename_container(Broker& broker, const ExchangePtr& exchange) {
    const std::string name(exchange->query.get("name"));
    if (name.empty()) return exchange->fail(400, "neither old nor new names may be empty");
    if (!is_object_name(name.starts_with('/') ? name.substr(1) : name))
        return exchange->fail(400, invalid_container_name(name));
    with_container(broker, exchange, exchange->name, [&broker, exchange, name](const OwnContainer& own) {
        const auto plain = name.starts_with('/') ? name.substr(1) : name;
        exchange->query.set("name", broker.names().hidden(plain));
        call_and_show(broker, exchange, "/containers/" + own.id + "/rename", {},
                      [&broker, id = own.id, plain](const Reply& reply) {
                          if (reply.status == 204) broker.ledger().rename_container(id, plain);
                      });
    });
}

void remove_container(Broker& broker, const ExchangePtr& exchange) {
    // link=1 removes a name "parent/alias", which is none of our names.
    if (exchange->query.flag("link"))
        return exchange->deny({403, "links", "removing a link is not supported"});
    with_container(broker, exchange, exchange->name, [&broker, exchange](const OwnContainer& own) {
        call_and_show(broker, exchange, "/containers/" + own.id, {},
                      [&broker, id = own.id](const Reply& reply) {
                          if (reply.status == 204) broker.ledger().remove_container(id);
                      });
    });
}

}  // namespace supervisor::broker
