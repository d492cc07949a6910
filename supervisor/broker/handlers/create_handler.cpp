// POST /containers/create: the one request in which everything comes together.
#include <algorithm>
#include <cstdint>

#include "base/strings.hpp"
#include "broker/handlers/container_mounts.hpp"
#include "broker/handlers/handler_support.hpp"
#include "broker/handlers/image_access.hpp"

namespace supervisor::broker {
namespace {

struct Creation {
    json::object body;
    JobIdentity job;
    std::string shown_name;
    std::vector<std::string> volumes;  // still to be made
    std::uint64_t memory = 0;          // that the client named, not what it was given as a ceiling
    std::uint64_t nano_cpus = 0;
    bool volume_parts = false;  // which older versions of the API do not have
    std::string own_image;      // that this agent built under the tag; empty: whatever the tag means
};
using CreationPtr = std::shared_ptr<Creation>;

json::object host_config_of(const json::object& body) {
    const auto* host = object_in(body, "HostConfig");
    return host != nullptr ? *host : json::object();
}

// The inspect answer tells what the create answer does not: the name that the engine chose, anonymous
// volumes. Empty if there was none.
void record(Broker& broker, const Creation& creation, const std::string& id, const json::object& inspected) {
    OwnContainer container{id, creation.shown_name, creation.job.locator(), 0, 0};
    if (broker.config().limits.memory > 0) container.memory = creation.memory;
    if (broker.config().limits.nano_cpus > 0) container.nano_cpus = creation.nano_cpus;
    const auto name = text_of(inspected, "Name");
    if (container.name.empty() && name.size() > 1)
        container.name = broker.shown(std::string_view(name).substr(1));
    for (auto& volume : volumes_of(inspected, broker.mounts()))
        broker.ledger().add_volume(std::move(volume), container.job);
    broker.ledger().add(std::move(container));
}

bool has_another_image(const Creation& creation, const json::object& inspected) {
    const auto used = text_of(inspected, "Image");
    return !creation.own_image.empty() && !used.empty() && used != creation.own_image;
}

void create(Broker& broker, const ExchangePtr& exchange, const CreationPtr& creation);

// Another agent moved the tag while the engine was asked to use it; the id cannot be moved.
void create_again(Broker& broker, const ExchangePtr& exchange, const CreationPtr& creation,
                  const std::string& id) {
    creation->body["Image"] = std::exchange(creation->own_image, {});
    broker.ask({"DELETE", broker.own_path("/containers/" + id + "?force=1&v=1"), {}, {}},
               [&broker, exchange, creation, id](const Reply& reply) {
                   if (reply.status == 204) broker.ledger().remove_container(id);
                   create(broker, exchange, creation);
               });
}

void create(Broker& broker, const ExchangePtr& exchange, const CreationPtr& creation) {
    const auto version = parse_api_version(exchange->version);
    if (creation->volume_parts && version && *version < kSubpathApi) exchange->version = kSubpathApi.text();
    UpstreamRequest request{"POST", exchange->upstream_path("/containers/create"), exchange->passed_headers(),
                            to_text(creation->body)};
    exchange->call(std::move(request), [&broker, exchange, creation](const Reply& reply) {
        const auto parsed = parsed_body(reply);
        if (reply.status != 201 || !parsed || !parsed->is_object())
            return reply_shown(broker, exchange, reply);
        const auto id = text_of(parsed->as_object(), "Id");
        exchange->object = id;
        // Recorded whatever happens to the client meanwhile: the container exists.
        broker.ledger().add(OwnContainer{id, creation->shown_name, creation->job.locator(), 0, 0});
        broker.ask({"GET", broker.own_path("/containers/" + id + "/json"), {}, {}},
                   [&broker, exchange, creation, id, reply](const Reply& inspection) {
                       auto answer = inspection.status == 200 ? parsed_body(inspection) : std::nullopt;
                       const auto inspected =
                           answer && answer->is_object() ? std::move(answer->as_object()) : json::object();
                       if (has_another_image(*creation, inspected))
                           return create_again(broker, exchange, creation, id);
                       record(broker, *creation, id, inspected);
                       reply_shown(broker, exchange, reply);
                   });
    });
}

// Named volumes first, so that they carry labels: the engine would make them without.
void create_volumes(Broker& broker, const ExchangePtr& exchange, const CreationPtr& creation) {
    if (creation->volumes.empty()) return create(broker, exchange, creation);
    const auto name = creation->volumes.back();
    creation->volumes.pop_back();
    json::object labels;
    set_owner_labels(labels, broker.owner(), creation->job);
    json::object body{{"Name", name}, {"Labels", std::move(labels)}};
    exchange->call({"POST", "/v" + exchange->version + "/volumes/create", {}, to_text(body)},
                   [&broker, exchange, creation, name](const Reply& reply) {
                       if (reply.status != 201) return reply_shown(broker, exchange, reply);
                       broker.ledger().add_volume(name, creation->job.locator());
                       create_volumes(broker, exchange, creation);
                   });
}

// Another agent may have moved the tag; then the id says what this agent's job means.
void pin_image(Broker& broker, Creation& creation, const std::optional<json::object>& image) {
    const auto reference = text_of(creation.body, "Image");
    if (const auto* own = moved_image(broker, reference, image)) {
        creation.body["Image"] = own->id;
    } else if (image && label_of(*image, kAgentLabel) == broker.owner().agent_id) {
        creation.own_image = text_of(*image, "Id");
    }
}

// The next image of "Mounts" from `index` on; null when there is none.
json::object* image_mount(json::object& body, std::size_t& index) {
    auto* host = body.if_contains("HostConfig");
    auto* mounts = host != nullptr && host->is_object() ? host->as_object().if_contains("Mounts") : nullptr;
    if (mounts == nullptr || !mounts->is_array()) return nullptr;
    for (; index < mounts->as_array().size(); ++index) {
        auto& mount = mounts->as_array()[index];
        if (mount.is_object() && text_of(mount.as_object(), "Type") == "image") return &mount.as_object();
    }
    return nullptr;
}

// Other agents move tags of what an agent built, not ids. A short one, because the engine makes a file's name
// of all that it is given here.
std::string mounted_image(const std::string& source, const json::object& image) {
    static constexpr std::string_view kHash = "sha256:";
    const auto id = text_of(image, "Id");
    if (label_of(image, kAgentLabel).empty() || !id.starts_with(kHash)) return source;
    return id.substr(kHash.size(), 12);
}

// Images that are mounted are those that the job sees.
void check_image_mounts(Broker& broker, const ExchangePtr& exchange, const CreationPtr& creation,
                        std::size_t index) {
    const auto* mount = image_mount(creation->body, index);
    if (mount == nullptr) return create_volumes(broker, exchange, creation);
    with_visible_image(
        broker, exchange, text_of(*mount, "Source"), MissingImage::Refuse,
        [&broker, exchange, creation, index](const std::optional<json::object>& image) mutable {
            auto& source = (*image_mount(creation->body, index))["Source"];
            source = mounted_image(std::string(source.as_string()), *image);
            check_image_mounts(broker, exchange, creation, index + 1);
        });
}

Verdict rewrite(RuleScope& scope, json::object& body, const std::string& name) {
    scope.container_name = name;
    auto verdict = rewrite_container(scope, body);
    // Clients take "not found" here for a missing image and pull it.
    if (verdict && verdict->status == 404) verdict->status = 400;
    return verdict;
}

}  // namespace

void create_container(Broker& broker, const ExchangePtr& exchange) {
    auto body = body_object(exchange);
    if (!body) return;
    std::string name(exchange->query.get("name"));
    if (name.starts_with('/')) name.erase(0, 1);
    if (!name.empty() && !is_object_name(name)) return exchange->fail(400, invalid_container_name(name));
    if (name.empty())
        exchange->query.remove("name");
    else
        exchange->query.set("name", broker.names().hidden(name));
    const auto host = host_config_of(*body);
    const auto memory = memory_asked(host);
    const auto nano_cpus = nano_cpus_asked(host);
    with_rewritten(
        broker, exchange, std::move(*body),
        [name](RuleScope& scope, json::object& copy) { return rewrite(scope, copy, name); },
        [&broker, exchange, name, memory, nano_cpus](json::object rewritten, const RuleScope& scope) {
            auto creation = std::make_shared<Creation>(Creation{std::move(rewritten), scope.job, name,
                                                                scope.volumes_to_create, memory, nano_cpus,
                                                                !scope.volume_parts.empty()});
            auto& volumes = creation->volumes;
            std::sort(volumes.begin(), volumes.end());
            volumes.erase(std::unique(volumes.begin(), volumes.end()), volumes.end());
            with_visible_image(broker, exchange, text_of(creation->body, "Image"),
                               MissingImage::LeaveToEngine,
                               [&broker, exchange, creation](const std::optional<json::object>& image) {
                                   pin_image(broker, *creation, image);
                                   check_image_mounts(broker, exchange, creation, 0);
                               });
        });
}

}  // namespace supervisor::broker
