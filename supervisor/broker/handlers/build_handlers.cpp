#include <algorithm>

#include "base/strings.hpp"
#include "broker/handlers/handler_support.hpp"
#include "broker/handlers/image_access.hpp"
#include "broker/http/json_guard.hpp"

namespace supervisor::broker {
namespace {

// Labels are what makes a built image this agent's. The engine takes them from the query.
Result<> set_labels(Query& query, const Owner& owner, const JobIdentity& job) {
    SUPERVISOR_TRY_ASSIGN(parsed, parse_guarded(query.get("labels")));
    if (!parsed.is_object() && !parsed.is_null()) return fail("labels is not a JSON object");
    json::object labels = parsed.is_object() ? parsed.as_object() : json::object();
    set_owner_labels(labels, owner, job);
    query.set("labels", to_text(labels));
    return {};
}

Verdict rewrite_build_query(RuleScope& scope, Query& query) {
    json::value mode = json::string(query.get("networkmode"));
    if (auto denial = check_network_mode(scope, mode, {"networkmode", pass}, "networkmode")) return denial;
    if (query.has("networkmode")) query.set("networkmode", std::string(mode.as_string()));
    const auto remote = query.get("remote");
    if (!remote.empty() && remote != "client-session" && !scope.policy.allows(Permission::RemoteSources)) {
        return refusal(scope, Permission::RemoteSources, "remote",
                       "the engine must not fetch build contexts from a URL");
    }
    if (!query.get("securityopt").empty() && query.get("securityopt") != "null" &&
        query.get("securityopt") != "[]" && !scope.policy.allows(Permission::SecurityOptions)) {
        return refusal(scope, Permission::SecurityOptions, "securityopt", "must not be set");
    }
    // The engine's other builder needs no session for this, and takes neither cgroup parent nor limits.
    const auto version = query.get("version");
    if (!version.empty() && version != "1" && !scope.policy.allows(Permission::BuildKit)) {
        return refusal(scope, Permission::BuildKit, "version",
                       "only the classic builder may be used; build with DOCKER_BUILDKIT=0, or version=1");
    }
    if (auto denial = limit_build(scope, query)) return denial;
    query.remove("isolation");
    query.remove("cgroupparent");
    if (!scope.config.cgroup_parent.empty()) query.set("cgroupparent", scope.config.cgroup_parent);
    // Containers of build steps carry no label, so none may be left over.
    query.set("forcerm", "1");
    query.set("rm", "1");
    if (auto labels = set_labels(query, scope.owner, scope.job); !labels)
        return Denial{400, "json", "labels: " + labels.error().message()};
    return {};
}

// What was built is told by {"aux":{"ID":"sha256:…"}}, or by {"stream":"sha256:…\n"} in quiet builds.
std::string built_id(std::string_view line) {
    static constexpr std::string_view kHash = "sha256:";
    static constexpr std::size_t kIdLength = kHash.size() + 64;
    for (const std::string_view mark : {"{\"aux\":{\"ID\":\"", "{\"stream\":\""}) {
        if (!line.starts_with(mark)) continue;
        const auto id = line.substr(mark.size(), kIdLength);
        const bool whole =
            id.size() == kIdLength && id.starts_with(kHash) &&
            id.substr(kHash.size()).find_first_not_of("0123456789abcdef") == std::string_view::npos;
        if (whole) return std::string(id);
    }
    return {};
}

// Steps are told by {"stream":" ---\u003e 0123456789ab\n"}.
std::string step_id(std::string_view line) {
    static constexpr std::string_view kMark = R"({"stream":" ---\u003e )";
    static constexpr std::size_t kShort = 12;
    if (!line.starts_with(kMark)) return {};
    const auto id = line.substr(kMark.size(), kShort);
    const bool whole =
        id.size() == kShort && id.find_first_not_of("0123456789abcdef") == std::string_view::npos;
    return whole ? std::string(id) : std::string();
}

void start_build(Broker& broker, const ExchangePtr& exchange, const JobIdentity& job) {
    std::vector<std::string> tags;
    for (const auto& tag : exchange->query.all("t")) {
        if (!tag.empty()) tags.push_back(with_tag(tag));
    }
    exchange->object = printable(join(tags, " "), 400);
    with_free_tags(broker, exchange, tags, [&broker, exchange, tags, job] {
        auto plan = exchange->plan(exchange->upstream_path("/build"));
        plan.filter_line = [&broker, tags, job](std::string_view line) {
            if (const auto step = step_id(line); !step.empty()) broker.ledger().add_step(step);
            if (const auto id = built_id(line); !id.empty()) {
                for (const auto& tag : tags) broker.ledger().add_image(tag, {job.locator(), id});
            }
            return std::optional(std::string(line));
        };
        exchange->relay(std::move(plan));
    });
}

void build_with(Broker& broker, const ExchangePtr& exchange, const JobIdentity& job, bool again) {
    auto scope = broker.scope(job);
    auto query = exchange->query;
    const auto denial = rewrite_build_query(scope, query);
    if (denial && scope.missing_reference && !again) {
        return broker.refresh([&broker, exchange, job] {
            if (exchange->alive()) build_with(broker, exchange, job, true);
        });
    }
    if (denial) return exchange->deny(*denial);
    exchange->query = std::move(query);
    start_build(broker, exchange, job);
}

}  // namespace

void build_image(Broker& broker, const ExchangePtr& exchange) {
    broker.with_job(
        exchange, [&broker, exchange](const JobIdentity& job) { build_with(broker, exchange, job, false); });
}

// The cache is one for all of the engine's users; nothing in it is this agent's to remove.
void prune_build_cache(Broker& broker, const ExchangePtr& exchange) {
    if (broker.policy().allows(Permission::BuildKit)) return call_and_show(broker, exchange, "/build/prune");
    exchange->reply(200, R"({"CachesDeleted":null,"SpaceReclaimed":0})"
                         "\n");
}

void open_buildkit(Broker& broker, const ExchangePtr& exchange) {
    if (!broker.policy().allows(Permission::BuildKit)) {
        return exchange->deny(refusal(broker.scope({}), Permission::BuildKit, "BuildKit",
                                      "its protocol cannot be looked into; build with DOCKER_BUILDKIT=0 and "
                                      "COMPOSE_DOCKER_CLI_BUILD=0"));
    }
    if (exchange->head.upgrade != "h2c") return exchange->fail(400, "no h2c upgrade in the request");
    auto plan = exchange->plan(exchange->upstream_path(exchange->route->pattern));
    plan.hijack = true;
    plan.upgrade = "h2c";
    exchange->relay(std::move(plan));
}

}  // namespace supervisor::broker
