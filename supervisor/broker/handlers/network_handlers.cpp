#include "base/strings.hpp"
#include "broker/handlers/handler_support.hpp"

namespace supervisor::broker {
namespace {

bool is_built_in(std::string_view name) {
    return name == "bridge" || name == "none" || name == "host";
}

bool is_own(const Broker& broker, const json::object& network) {
    return label_of(network, kAgentLabel) == broker.owner().agent_id;
}

// The engine's own networks are seen by all, but not who else is in them.
void hide_strangers(Broker& broker, json::object& network) {
    auto* containers = network.if_contains("Containers");
    if (containers == nullptr || !containers->is_object()) return;
    json::object own;
    for (auto& member : containers->as_object()) {
        const std::string_view id(member.key().data(), member.key().size());
        if (broker.ledger().containers().find(id) != broker.ledger().containers().end())
            own[member.key()] = std::move(member.value());
    }
    *containers = std::move(own);
}

void show_network(Broker& broker, const ExchangePtr& exchange, const std::string& id) {
    show_object(broker, exchange, "/networks/" + id, [&broker](json::object& network) {
        hide_strangers(broker, network);
        hide_owner_labels(network);
    });
}

}  // namespace

void list_networks(Broker& broker, const ExchangePtr& exchange) {
    list_named(broker, exchange, {}, [&broker](json::object& network, const std::string& name) {
        if (!is_own(broker, network) && !is_built_in(name)) return false;
        hide_strangers(broker, network);
        return true;
    });
}

void create_network(Broker& broker, const ExchangePtr& exchange) {
    auto body = body_object(exchange);
    if (!body) return;
    with_rewritten(broker, exchange, std::move(*body), rewrite_network,
                   [&broker, exchange](const json::object& rewritten, const RuleScope& scope) {
                       const auto name = text_of(rewritten, "Name");
                       exchange->object = broker.shown(name);
                       call_and_show(broker, exchange, "/networks/create", to_text(rewritten),
                                     [&broker, name, job = scope.job.locator()](const Reply& reply) {
                                         const auto parsed = parsed_body(reply);
                                         if (reply.status != 201 || !parsed || !parsed->is_object()) return;
                                         broker.ledger().add(OwnNetwork{text_of(parsed->as_object(), "Id"),
                                                                        name, broker.shown(name), job});
                                     });
                   });
}

void prune_networks(Broker& broker, const ExchangePtr& exchange) {
    prune_own(broker, exchange, "NetworksDeleted", [&broker](const std::string& name) {
        if (const auto* own = broker.ledger().network(broker.shown(name)))
            broker.ledger().remove_network(std::string(own->id));
    });
}

void inspect_network(Broker& broker, const ExchangePtr& exchange) {
    if (is_built_in(exchange->name)) return show_network(broker, exchange, exchange->name);
    with_network(broker, exchange, exchange->name,
                 [&broker, exchange](const OwnNetwork& own) { show_network(broker, exchange, own.id); });
}

namespace {

// Connecting and disconnecting differ only in the body's rules.
void change_membership(Broker& broker, const ExchangePtr& exchange, std::string_view verb,
                       const std::string& network, Rewrite rewrite) {
    auto body = body_object(exchange);
    if (!body) return;
    with_rewritten(broker, exchange, std::move(*body), std::move(rewrite),
                   [&broker, exchange, network, verb](const json::object& rewritten, const RuleScope&) {
                       call_and_show(broker, exchange, "/networks/" + network + "/" + std::string(verb),
                                     to_text(rewritten));
                   });
}

}  // namespace

void connect_network(Broker& broker, const ExchangePtr& exchange) {
    const auto with = [](bool built_in) {
        return [built_in](RuleScope& scope, json::object& body) {
            return rewrite_connect(scope, body, built_in);
        };
    };
    if (exchange->name == "bridge")
        return change_membership(broker, exchange, "connect", "bridge", with(true));
    with_network(broker, exchange, exchange->name, [&broker, exchange, with](const OwnNetwork& own) {
        change_membership(broker, exchange, "connect", own.id, with(false));
    });
}

void disconnect_network(Broker& broker, const ExchangePtr& exchange) {
    if (is_built_in(exchange->name))
        return change_membership(broker, exchange, "disconnect", exchange->name, rewrite_disconnect);
    with_network(broker, exchange, exchange->name, [&broker, exchange](const OwnNetwork& own) {
        change_membership(broker, exchange, "disconnect", own.id, rewrite_disconnect);
    });
}

void remove_network(Broker& broker, const ExchangePtr& exchange) {
    with_network(broker, exchange, exchange->name, [&broker, exchange](const OwnNetwork& own) {
        call_and_show(broker, exchange, "/networks/" + own.id, {},
                      [&broker, id = own.id](const Reply& reply) {
                          if (reply.status == 204) broker.ledger().remove_network(id);
                      });
    });
}

}  // namespace supervisor::broker
