#include <cstdint>

#include "base/strings.hpp"
#include "broker/handlers/handler_support.hpp"
#include "broker/handlers/image_access.hpp"
#include "broker/http/uri.hpp"

namespace supervisor::broker {
namespace {

void count_states(const Reply& listed, json::object& info) {
    std::int64_t running = 0;
    std::int64_t paused = 0;
    std::int64_t all = 0;
    const auto parsed = parsed_body(listed);
    if (listed.status == 200 && parsed && parsed->is_array()) {
        for (const auto& element : parsed->as_array()) {
            if (!element.is_object()) continue;
            const auto state = text_of(element.as_object(), "State");
            ++all;
            running += state == "running" ? 1 : 0;
            paused += state == "paused" ? 1 : 0;
        }
    }
    info["Containers"] = all;
    info["ContainersRunning"] = running;
    info["ContainersPaused"] = paused;
    info["ContainersStopped"] = all - running - paused;
}

// Who else uses the engine, and where to reach it without the broker.
void hide_engine(json::object& info) {
    for (const char* key : {"Containerd", "CDISpecDirs", "DiscoveredDevices"}) info.erase(key);
    auto* swarm = info.if_contains("Swarm");
    const bool member =
        swarm != nullptr && swarm->is_object() && text_of(swarm->as_object(), "LocalNodeState") != "inactive";
    if (member) *swarm = json::object{{"LocalNodeState", "inactive"}};
}

// ---- events ----

bool is_own_event(Broker& broker, const json::object& event) {
    const auto* actor = object_in(event, "Actor");
    if (actor == nullptr) return false;
    static const json::object kNone;
    const auto* attributes = object_in(*actor, "Attributes");
    if (attributes == nullptr) attributes = &kNone;
    if (text_of(*attributes, kAgentLabel) == broker.owner().agent_id) return true;
    const auto type = text_of(event, "Type");
    const auto id = text_of(*actor, "ID");
    // Of a built-in network, for example: an own container joins it or leaves it.
    if (broker.ledger().ever_owned(text_of(*attributes, "container"))) return true;
    if (type == "container" || type == "network") return broker.ledger().ever_owned(id);
    if (type == "volume") return id.starts_with(broker.names().prefix()) || broker.ledger().ever_owned(id);
    if (type == "image")
        return broker.ledger().image(id) != nullptr ||
               broker.ledger().image(with_tag(text_of(*attributes, "name"))) != nullptr;
    return false;
}

std::optional<std::string> own_event(Broker& broker, std::string_view line) {
    const auto parsed = parse_json(line);
    if (!parsed || !parsed->is_object() || !is_own_event(broker, parsed->as_object())) return {};
    return broker.shown(line);
}

void translate_event_filters(Broker& broker, Filters& filters) {
    const auto each = [&filters](const char* key, auto translate) {
        if (const auto it = filters.find(key); it != filters.end()) {
            for (auto& value : it->second) value = translate(value);
        }
    };
    each("container", [&broker](const std::string& value) {
        const auto* found = broker.ledger().container(value);
        return found != nullptr ? found->id : broker.names().hidden(value);
    });
    each("network", [&broker](const std::string& value) {
        const auto* found = broker.ledger().network(value);
        return found != nullptr ? found->id : broker.names().hidden(value);
    });
    each("volume", [&broker](const std::string& value) {
        return broker.ledger().owns_volume(value) ? value : broker.names().hidden(value);
    });
}

}  // namespace

void ping(Broker& broker, const ExchangePtr& exchange) {
    auto plan = exchange->plan(exchange->upstream_path("/_ping"));
    plan.filter_head = [&broker](ResponseHead& head) {
        if (head.headers.get("Api-Version") != broker.api().text())
            head.headers.set("Api-Version", broker.api().text());
        // 2 would make clients build with BuildKit.
        if (!broker.policy().allows(Permission::BuildKit) && head.headers.get("Builder-Version") == "2")
            head.headers.set("Builder-Version", "1");
    };
    exchange->relay(std::move(plan));
}

void show_version(Broker& broker, const ExchangePtr& exchange) {
    show_object(broker, exchange, "/version",
                [&broker](json::object& version) { version["ApiVersion"] = broker.api().text(); });
}

void show_info(Broker& broker, const ExchangePtr& exchange) {
    exchange->call({"GET", exchange->upstream_path("/info"), {}, {}}, [&broker,
                                                                       exchange](const Reply& reply) {
        auto parsed = parsed_body(reply);
        if (reply.status != 200 || !parsed || !parsed->is_object())
            return reply_shown(broker, exchange, reply);
        auto info = std::make_shared<json::object>(std::move(parsed->as_object()));
        hide_engine(*info);
        const auto path = "/v" + exchange->version +
                          "/containers/json?all=1&filters=" + percent_encode(owner_filter(broker.owner()));
        exchange->call({"GET", path, {}, {}}, [&broker, exchange, info](const Reply& listed) {
            count_states(listed, *info);
            exchange->reply(200, broker.shown(to_text(*info)) + "\n");
        });
    });
}

// Networks, volumes and most images carry no labels in events, so a filter for the owner would lose them: the
// stream is filtered here instead.
void stream_events(Broker& broker, const ExchangePtr& exchange) {
    auto filters = parse_filters(exchange);
    if (!filters) return;
    translate_event_filters(broker, *filters);
    if (filters->empty())
        exchange->query.remove("filters");
    else
        exchange->query.set("filters", to_query_value(*filters));
    auto plan = exchange->plan(exchange->upstream_path("/events"));
    // Lines of JSON, whose name depends on whether it is asked for; not the other forms.
    const std::string accept(plan.request.headers.get("Accept"));
    plan.request.headers.remove("Accept");
    if (accept.find("application/x-ndjson") != std::string::npos || accept.find("*/*") != std::string::npos)
        plan.request.headers.add("Accept", "application/x-ndjson");
    plan.filter_line = [&broker](std::string_view line) { return own_event(broker, line); };
    exchange->relay(std::move(plan));
}

void pass_through(Broker&, const ExchangePtr& exchange) {
    const auto path = replace_all(exchange->route->pattern, "{name...}", percent_encode_path(exchange->name));
    exchange->relay(exchange->plan(exchange->upstream_path(path)));
}

void pass_json(Broker& broker, const ExchangePtr& exchange) {
    const auto body = body_object(exchange);
    if (body) call_and_show(broker, exchange, std::string(exchange->route->pattern), to_text(*body));
}

void no_plugins(Broker&, const ExchangePtr& exchange) {
    exchange->reply(200, "[]\n");
}

void no_swarm(Broker&, const ExchangePtr& exchange) {
    exchange->fail(503,
                   "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to "
                   "connect this node to swarm and try again.");
}

}  // namespace supervisor::broker
