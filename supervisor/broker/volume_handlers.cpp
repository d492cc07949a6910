#include "broker/handler_support.hpp"
#include "broker/uri.hpp"

namespace supervisor::broker {
namespace {

bool is_own(Broker& broker, const std::string& name) {
    return name.starts_with(broker.names().prefix()) || broker.ledger().owns_volume(name);
}

// Anonymous volumes of own containers go by their own names, others by the agent's. No other agent can make
// one under this agent's prefix, so the name alone decides.
std::string engine_name(Broker& broker, const std::string& name) {
    return broker.ledger().owns_volume(name) ? name : broker.names().hidden(name);
}

}  // namespace

void list_volumes(Broker& broker, const ExchangePtr& exchange) {
    auto filters = parse_filters(exchange);
    if (!filters) return;
    const NamePatterns patterns(*filters);
    if (filters->empty())
        exchange->query.remove("filters");
    else
        exchange->query.set("filters", to_query_value(*filters));
    UpstreamRequest request{"GET", exchange->upstream_path("/volumes"), exchange->passed_headers(), {}};
    exchange->call(std::move(request), [&broker, exchange, patterns](Reply reply) {
        auto parsed = parsed_body(reply);
        auto* volumes = reply.status == 200 && parsed && parsed->is_object()
                            ? parsed->as_object().if_contains("Volumes")
                            : nullptr;
        if (volumes != nullptr && volumes->is_array()) {
            json::array visible;
            for (auto& element : volumes->as_array()) {
                if (!element.is_object()) continue;
                const auto name = text_of(element.as_object(), "Name");
                if (!is_own(broker, name) || (!patterns.empty() && !patterns.match(broker.shown(name))))
                    continue;
                hide_owner_labels(element.as_object());
                visible.push_back(std::move(element));
            }
            *volumes = std::move(visible);
            parsed->as_object()["Warnings"] = nullptr;
            reply.body = to_text(*parsed) + "\n";
        }
        reply_shown(broker, exchange, std::move(reply));
    });
}

void create_volume(Broker& broker, const ExchangePtr& exchange) {
    auto body = body_object(exchange);
    if (!body) return;
    with_rewritten(broker, exchange, std::move(*body), rewrite_volume,
                   [&broker, exchange](const json::object& rewritten, const RuleScope& scope) {
                       call_and_show(broker, exchange, "/volumes/create", to_text(rewritten),
                                     [&broker, exchange, job = scope.job.locator()](const Reply& reply) {
                                         const auto parsed = parsed_body(reply);
                                         if (reply.status != 201 || !parsed || !parsed->is_object()) return;
                                         const auto name = text_of(parsed->as_object(), "Name");
                                         exchange->object = broker.shown(name);
                                         broker.ledger().add_volume(name, job);
                                     });
                   });
}

void prune_volumes(Broker& broker, const ExchangePtr& exchange) {
    auto filters = parse_filters(exchange);
    if (!filters) return;
    add_owner(*filters, broker.owner());
    exchange->query.set("filters", to_query_value(*filters));
    call_and_show(broker, exchange, "/volumes/prune", {}, [&broker](const Reply& reply) {
        for (const auto& name : strings_in(reply, "VolumesDeleted")) broker.ledger().remove_volume(name);
    });
}

void inspect_volume(Broker& broker, const ExchangePtr& exchange) {
    const auto path =
        exchange->upstream_path("/volumes/" + percent_encode(engine_name(broker, exchange->name)));
    exchange->call({"GET", path, {}, {}}, [&broker, exchange](Reply reply) {
        auto parsed = parsed_body(reply);
        if (reply.status == 200 && parsed && parsed->is_object()) {
            hide_owner_labels(parsed->as_object());
            reply.body = to_text(*parsed) + "\n";
        }
        reply_shown(broker, exchange, std::move(reply));
    });
}

void remove_volume(Broker& broker, const ExchangePtr& exchange) {
    const auto name = engine_name(broker, exchange->name);
    call_and_show(broker, exchange, "/volumes/" + percent_encode(name), {},
                  [&broker, name](const Reply& reply) {
                      if (reply.status == 204) broker.ledger().remove_volume(name);
                  });
}

}  // namespace supervisor::broker
