#include "base/strings.hpp"
#include "broker/handlers/handler_support.hpp"
#include "broker/http/uri.hpp"

namespace supervisor::broker {
namespace {

void no_such_exec(const ExchangePtr& exchange) {
    exchange->deny({404, "not-own", "No such exec instance: " + printable(exchange->name, 200)});
}

bool is_id(std::string_view text) {
    return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// Exec ids carry no label. Those of this broker's own making are known; after a restart the engine tells to
// which container one belongs.
void with_exec(Broker& broker, const ExchangePtr& exchange, std::function<void()> then) {
    if (!is_id(exchange->name)) return no_such_exec(exchange);
    if (broker.ledger().container_of_exec(exchange->name)) return then();
    exchange->call({"GET", exchange->upstream_path("/exec/" + exchange->name + "/json"), {}, {}},
                   [&broker, exchange, then = std::move(then)](const Reply& reply) {
                       const auto parsed = parsed_body(reply);
                       if (reply.status != 200 || !parsed || !parsed->is_object())
                           return no_such_exec(exchange);
                       const auto container = text_of(parsed->as_object(), "ContainerID");
                       if (!is_id(container) || broker.ledger().container(container) == nullptr)
                           return no_such_exec(exchange);
                       broker.ledger().add_exec(exchange->name, container);
                       then();
                   });
}

}  // namespace

void create_exec(Broker& broker, const ExchangePtr& exchange) {
    auto body = body_object(exchange);
    if (!body) return;
    with_rewritten(
        broker, exchange, std::move(*body), rewrite_exec,
        [&broker, exchange](json::object rewritten, const RuleScope&) {
            with_container(
                broker, exchange, exchange->name, [&broker, exchange, rewritten](const OwnContainer& own) {
                    call_and_show(broker, exchange, "/containers/" + own.id + "/exec", to_text(rewritten),
                                  [&broker, exchange, id = own.id](const Reply& reply) {
                                      const auto parsed = parsed_body(reply);
                                      if (reply.status == 201 && parsed && parsed->is_object())
                                          broker.ledger().add_exec(text_of(parsed->as_object(), "Id"), id);
                                  });
                });
        });
}

void start_exec(Broker& broker, const ExchangePtr& exchange) {
    auto body = body_object(exchange);
    if (!body) return;
    const auto& upgrade = exchange->head.upgrade;
    if (!upgrade.empty() && upgrade != "tcp")
        return exchange->fail(400, "exec cannot be upgraded to " + printable(upgrade, 40));
    json::object start;
    for (const char* field : {"Detach", "Tty", "ConsoleSize"}) {
        if (const auto* value = body->if_contains(field)) start[field] = *value;
    }
    with_exec(broker, exchange, [exchange, start = std::move(start)] {
        auto plan = exchange->plan(exchange->upstream_path("/exec/" + exchange->name + "/start"));
        plan.request.body = to_text(start);
        plan.hijack = true;
        plan.upgrade = exchange->head.upgrade;
        exchange->relay(std::move(plan));
    });
}

void exec_call(Broker& broker, const ExchangePtr& exchange) {
    with_exec(broker, exchange, [&broker, exchange] {
        call_and_show(broker, exchange, replace_all(exchange->route->pattern, "{id}", exchange->name));
    });
}

}  // namespace supervisor::broker
