#include "broker/handlers/handler_support.hpp"

#include "base/strings.hpp"
#include "broker/http/json_guard.hpp"

namespace supervisor::broker {
namespace {

Result<std::vector<std::string>> filter_values(const json::value& value) {
    std::vector<std::string> out;
    if (value.is_array()) {
        for (const auto& element : value.as_array()) {
            if (!element.is_string()) return fail("invalid filter");
            out.emplace_back(element.as_string());
        }
        return out;
    }
    if (!value.is_object()) return fail("invalid filter");
    for (const auto& member : value.as_object()) out.emplace_back(member.key().data(), member.key().size());
    return out;
}

// The strings of a list in a successful answer: what a prune removed.
std::vector<std::string> strings_in(const Reply& reply, std::string_view member) {
    std::vector<std::string> out;
    const auto parsed = reply.status == 200 ? parsed_body(reply) : std::nullopt;
    if (!parsed || !parsed->is_object()) return out;
    const auto* list = parsed->as_object().if_contains(member);
    if (list == nullptr || !list->is_array()) return out;
    for (const auto& element : list->as_array()) {
        if (element.is_string()) out.emplace_back(element.as_string());
    }
    return out;
}

void set_filters(const ExchangePtr& exchange, const Filters& filters) {
    if (filters.empty())
        exchange->query.remove("filters");
    else
        exchange->query.set("filters", to_query_value(filters));
}

}  // namespace

void with_container(Broker& broker, const ExchangePtr& exchange, const std::string& reference,
                    std::function<void(OwnContainer)> then) {
    if (const auto* found = broker.ledger().container(reference)) return then(*found);
    broker.refresh([&broker, exchange, reference, then = std::move(then)] {
        if (!exchange->alive()) return;
        if (const auto* found = broker.ledger().container(reference)) return then(*found);
        exchange->deny({404, "not-own", "No such container: " + printable(reference, 200)});
    });
}

void with_network(Broker& broker, const ExchangePtr& exchange, const std::string& reference,
                  std::function<void(OwnNetwork)> then) {
    if (const auto* found = broker.ledger().network(reference)) return then(*found);
    broker.refresh([&broker, exchange, reference, then = std::move(then)] {
        if (!exchange->alive()) return;
        if (const auto* found = broker.ledger().network(reference)) return then(*found);
        exchange->deny({404, "not-own", "network " + printable(reference, 200) + " not found"});
    });
}

void reply_shown(Broker& broker, const ExchangePtr& exchange, Reply reply) {
    reply.headers.keep_only("Content-Type");
    reply.body = broker.names().shown(std::move(reply.body));
    exchange->reply(std::move(reply));
}

void call_and_show(Broker& broker, const ExchangePtr& exchange, const std::string& path, std::string body,
                   std::function<void(const Reply&)> seen) {
    UpstreamRequest request{exchange->head.method, exchange->upstream_path(path), exchange->passed_headers(),
                            std::move(body)};
    exchange->call(std::move(request), [&broker, exchange, seen = std::move(seen)](Reply reply) {
        if (seen) seen(reply);
        reply_shown(broker, exchange, std::move(reply));
    });
}

std::optional<json::value> checked_answer(Broker& broker, const ExchangePtr& exchange,
                                          const std::string& thing, const Reply& reply) {
    if (reply.status == 404) return json::value();
    auto parsed = parsed_body(reply);
    if (reply.status == 200 && parsed && parsed->is_structured()) return parsed;
    auto said = parsed && parsed->is_object() ? text_of(parsed->as_object(), "message") : std::string();
    if (said.empty())
        said = reply.status == 0 ? "no answer" : "no answer of use, status " + std::to_string(reply.status);
    exchange->deny({502, "not-checked",
                    thing + " cannot be checked, and nothing is done unchecked: the Docker engine said \"" +
                        printable(broker.shown(said), 300) + "\"; try again, or look into the engine's log"});
    return std::nullopt;
}

void show_object(Broker& broker, const ExchangePtr& exchange, const std::string& path,
                 std::function<void(json::object&)> change) {
    UpstreamRequest request{"GET", exchange->upstream_path(path), exchange->passed_headers(), {}};
    exchange->call(std::move(request), [&broker, exchange, change = std::move(change)](Reply reply) {
        auto parsed = parsed_body(reply);
        if (reply.status == 200 && parsed && parsed->is_object()) {
            change(parsed->as_object());
            reply.body = to_text(*parsed) + "\n";
        }
        reply_shown(broker, exchange, std::move(reply));
    });
}

void list_named(Broker& broker, const ExchangePtr& exchange, std::string_view member,
                std::function<bool(json::object& element, const std::string& name)> visible) {
    auto filters = parse_filters(exchange);
    if (!filters) return;
    const NamePatterns patterns(*filters);
    set_filters(exchange, *filters);
    const auto shown = [&broker, patterns, visible = std::move(visible)](json::value& element) {
        if (!element.is_object()) return false;
        auto& object = element.as_object();
        const auto name = text_of(object, "Name");
        if (!visible(object, name)) return false;
        hide_owner_labels(object);
        return patterns.empty() || patterns.match(broker.shown(name));
    };
    UpstreamRequest request{
        "GET", exchange->upstream_path(exchange->route->pattern), exchange->passed_headers(), {}};
    exchange->call(std::move(request), [&broker, exchange, member, shown](Reply reply) {
        auto parsed = parsed_body(reply);
        auto* list = reply.status != 200 || !parsed ? nullptr
                     : member.empty()               ? &*parsed
                     : parsed->is_object()          ? parsed->as_object().if_contains(member)
                                                    : nullptr;
        if (list != nullptr && list->is_array()) {
            json::array kept;
            for (auto& element : list->as_array()) {
                if (shown(element)) kept.push_back(std::move(element));
            }
            *list = std::move(kept);
            reply.body = to_text(*parsed) + "\n";
        }
        reply_shown(broker, exchange, std::move(reply));
    });
}

void prune_own(Broker& broker, const ExchangePtr& exchange, std::string_view member,
               std::function<void(const std::string&)> forget) {
    auto filters = parse_filters(exchange);
    if (!filters) return;
    add_owner(*filters, broker.owner());
    set_filters(exchange, *filters);
    call_and_show(broker, exchange, std::string(exchange->route->pattern), {},
                  [member, forget = std::move(forget)](const Reply& reply) {
                      if (!forget) return;
                      for (const auto& deleted : strings_in(reply, member)) forget(deleted);
                  });
}

std::optional<json::object> body_object(const ExchangePtr& exchange) {
    auto parsed = parse_guarded(exchange->body);
    if (!parsed) {
        exchange->deny({400, "json", "invalid JSON body: " + parsed.error().message()});
        return {};
    }
    if (parsed->is_null()) return json::object();
    if (!parsed->is_object()) {
        exchange->deny({400, "json", "invalid JSON body: not an object"});
        return {};
    }
    // Some clients send their query in the body too, where the engine does not look for it.
    for (const auto key : split_words(exchange->route->query))
        parsed->as_object().erase(key.ends_with('*') ? key.substr(0, key.size() - 1) : key);
    return std::move(parsed->as_object());
}

std::optional<json::value> parsed_body(const Reply& reply) {
    auto parsed = parse_json(reply.body);
    if (!parsed) return {};
    return std::move(*parsed);
}

bool is_object_name(std::string_view name) {
    static constexpr std::string_view kLetters =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    return name.size() > 1 && std::string_view("_.-").find(name.front()) == std::string_view::npos &&
           name.find_first_not_of(kLetters) == std::string_view::npos;
}

std::string invalid_container_name(std::string_view name) {
    return "Invalid container name (" + printable(name, 200) +
           "), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed";
}

namespace {

struct Rewriting {
    json::object body;
    Rewrite rewrite;
    std::function<void(json::object body, RuleScope scope)> then;
    JobIdentity job;
    Broker::KnownPaths paths;
    bool refreshed = false;
};

void rewrite_now(Broker& broker, const ExchangePtr& exchange, const std::shared_ptr<Rewriting>& task) {
    constexpr std::size_t kMaxPaths = 64;
    if (!exchange->alive()) return;
    auto scope = broker.scope(task->job);
    scope.api_version = exchange->version;
    auto body = task->body;
    broker.use_paths(&task->paths);
    const auto denial = task->rewrite(scope, body);
    broker.use_paths(nullptr);
    const auto path = broker.unreachable_path();
    if (!denial) return task->then(std::move(body), std::move(scope));
    if (!path.empty() && task->paths.size() < kMaxPaths) {
        return broker.ask_path(path, [&broker, exchange, task, path](Result<sys::ResolvedPath> resolved) {
            task->paths.insert_or_assign(path, std::move(resolved));
            rewrite_now(broker, exchange, task);
        });
    }
    if (!scope.missing_reference || task->refreshed) return exchange->deny(*denial);
    task->refreshed = true;
    broker.refresh([&broker, exchange, task] { rewrite_now(broker, exchange, task); });
}

}  // namespace

void with_rewritten(Broker& broker, const ExchangePtr& exchange, json::object body, Rewrite rewrite,
                    std::function<void(json::object body, RuleScope scope)> then) {
    broker.with_job(exchange, [&broker, exchange, body = std::move(body), rewrite = std::move(rewrite),
                               then = std::move(then)](const JobIdentity& job) {
        rewrite_now(broker, exchange, std::make_shared<Rewriting>(Rewriting{body, rewrite, then, job, {}}));
    });
}

std::optional<Filters> parse_filters(const ExchangePtr& exchange) {
    Filters filters;
    const std::string text(exchange->query.get("filters"));
    if (text.empty()) return filters;
    const auto parsed = parse_guarded(text);
    if (!parsed || !(parsed->is_object() || parsed->is_null())) {
        exchange->fail(400, "invalid filters");
        return {};
    }
    if (parsed->is_null()) return filters;
    for (const auto& member : parsed->as_object()) {
        auto values = filter_values(member.value());
        if (!values) {
            exchange->fail(400, "invalid filters");
            return {};
        }
        filters[std::string(member.key().data(), member.key().size())] = std::move(*values);
    }
    return filters;
}

std::string to_query_value(const Filters& filters) {
    json::object out;
    for (const auto& [key, values] : filters) {
        json::object set;
        for (const auto& value : values) set[value] = true;
        out[key] = std::move(set);
    }
    return to_text(out);
}

void add_owner(Filters& filters, const Owner& owner) {
    filters["label"].push_back(std::string(kAgentLabel) + "=" + owner.agent_id);
}

std::string with_tag(const std::string& reference) {
    if (reference.find('@') != std::string::npos || reference.starts_with("sha256:")) return reference;
    std::string_view name = reference;
    for (const std::string_view usual : {"docker.io/", "index.docker.io/", "library/"}) {
        if (name.starts_with(usual)) name.remove_prefix(usual.size());
    }
    const auto slash = name.rfind('/');
    const auto colon = name.find(':', slash == std::string_view::npos ? 0 : slash);
    return std::string(name) + (colon == std::string_view::npos ? ":latest" : "");
}

}  // namespace supervisor::broker
