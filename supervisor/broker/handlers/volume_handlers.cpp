#include "broker/handlers/handler_support.hpp"
#include "broker/http/uri.hpp"

namespace supervisor::broker {
namespace {

// Anonymous volumes of own containers go by their own names, others by the agent's: the name alone decides.
std::string engine_name(Broker& broker, const std::string& name) {
    return broker.ledger().owns_volume(name) ? name : broker.names().hidden(name);
}

}  // namespace

void list_volumes(Broker& broker, const ExchangePtr& exchange) {
    list_named(broker, exchange, "Volumes",
               [&broker](json::object&, const std::string& name) { return broker.owns_volume(name); });
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
    prune_own(broker, exchange, "VolumesDeleted",
              [&broker](const std::string& name) { broker.ledger().remove_volume(name); });
}

void inspect_volume(Broker& broker, const ExchangePtr& exchange) {
    show_object(broker, exchange, "/volumes/" + percent_encode(engine_name(broker, exchange->name)),
                hide_owner_labels);
}

void remove_volume(Broker& broker, const ExchangePtr& exchange) {
    const auto name = engine_name(broker, exchange->name);
    call_and_show(broker, exchange, "/volumes/" + percent_encode(name), {},
                  [&broker, name](const Reply& reply) {
                      if (reply.status == 204) broker.ledger().remove_volume(name);
                  });
}

}  // namespace supervisor::broker
