#include "broker/image_access.hpp"

#include <algorithm>

#include "base/strings.hpp"
#include "broker/handler_support.hpp"
#include "broker/uri.hpp"

namespace supervisor::broker {
namespace {

bool is_known(const Ledger& ledger, const json::object& image) {
    if (ledger.image(text_of(image, "Id")) != nullptr) return true;
    const auto* tags = image.if_contains("RepoTags");
    if (tags == nullptr || !tags->is_array()) return false;
    for (const auto& tag : tags->as_array()) {
        if (tag.is_string() && ledger.image(std::string(tag.as_string())) != nullptr) return true;
    }
    return false;
}

bool names_nothing(const json::object& image, const char* key, std::string_view none) {
    const auto* names = image.if_contains(key);
    if (names == nullptr || !names->is_array()) return true;
    return std::all_of(names->as_array().begin(), names->as_array().end(), [none](const json::value& name) {
        return name.is_string() && std::string_view(name.as_string()) == none;
    });
}

// Of the steps of builds only the last one is labelled; the others hold what somebody's build was given.
bool is_step_of_a_build(const json::object& image) {
    return names_nothing(image, "RepoTags", "<none>:<none>") &&
           names_nothing(image, "RepoDigests", "<none>@<none>");
}

bool is_own_step(const Ledger& ledger, const json::object& image) {
    static constexpr std::string_view kHash = "sha256:";
    const auto id = text_of(image, "Id");
    return id.starts_with(kHash) && ledger.is_step(std::string_view(id).substr(kHash.size(), 12));
}

std::string inspect_path(const Exchange& exchange, const std::string& reference) {
    return "/v" + exchange.version + "/images/" + percent_encode_path(reference) + "/json";
}

}  // namespace

bool is_plain_reference(const std::string& reference) {
    if (reference.empty() || reference.size() > 512) return false;
    for (const auto part : split(reference, '/')) {
        if (part.empty() || part == "." || part == "..") return false;
    }
    return true;
}

bool is_visible_image(const Broker& broker, const json::object& image) {
    const auto agent = label_of(image, kAgentLabel);
    const auto& ledger = const_cast<Broker&>(broker).ledger();
    if (agent == broker.owner().agent_id || broker.policy().allows(Permission::SharedTags)) return true;
    if (agent.empty() && (!is_step_of_a_build(image) || is_own_step(ledger, image))) return true;
    return is_known(ledger, image);
}

void hide_other_users(const Broker& broker, json::object& image) {
    auto* manifests = image.if_contains("Manifests");
    if (manifests == nullptr || !manifests->is_array()) return;
    const auto& own = const_cast<Broker&>(broker).ledger().containers();
    for (auto& manifest : manifests->as_array()) {
        auto* data = manifest.is_object() ? manifest.as_object().if_contains("ImageData") : nullptr;
        auto* users =
            data != nullptr && data->is_object() ? data->as_object().if_contains("Containers") : nullptr;
        if (users == nullptr || !users->is_array()) continue;
        json::array kept;
        for (auto& id : users->as_array()) {
            if (id.is_string() && own.find(std::string_view(id.as_string())) != own.end())
                kept.push_back(std::move(id));
        }
        *users = std::move(kept);
    }
}

void with_visible_image(Broker& broker, const ExchangePtr& exchange, const std::string& reference,
                        MissingImage missing, std::function<void(const std::optional<json::object>&)> then) {
    const auto hidden = [exchange, reference] {
        exchange->deny({404, "not-own", "No such image: " + printable(reference, 200)});
    };
    if (!is_plain_reference(reference)) return missing == MissingImage::Answer ? hidden() : then({});
    const auto* pinned = broker.ledger().image(with_tag(reference));
    const auto meant = pinned != nullptr && !pinned->id.empty() ? pinned->id : reference;
    exchange->call(
        {"GET", inspect_path(*exchange, meant), {}, {}},
        [&broker, exchange, reference, meant, missing, hidden, then = std::move(then)](const Reply& reply) {
            const auto parsed = parsed_body(reply);
            if (reply.status == 200 && parsed && parsed->is_object()) {
                // What was noted with its id when this agent made it is its own, however it looks by now.
                if (meant == reference && !is_visible_image(broker, parsed->as_object())) return hidden();
                return then(parsed->as_object());
            }
            if (meant != reference && reply.status == 404) {
                broker.ledger().remove_image(with_tag(reference));
                return with_visible_image(broker, exchange, reference, missing, then);
            }
            if (missing == MissingImage::Answer) return reply_shown(broker, exchange, reply);
            then({});
        });
}

const OwnImage* moved_image(Broker& broker, const std::string& reference,
                            const std::optional<json::object>& image) {
    const auto* own = broker.ledger().image(with_tag(reference));
    if (!image || own == nullptr || own->id.empty()) return nullptr;
    const auto* tags = image->if_contains("RepoTags");
    const bool there = tags != nullptr && tags->is_array() &&
                       std::find(tags->as_array().begin(), tags->as_array().end(),
                                 json::value(with_tag(reference))) != tags->as_array().end();
    return there ? nullptr : own;
}

void with_own_tag(Broker& broker, const ExchangePtr& exchange, const std::string& reference,
                  const std::optional<json::object>& image, std::function<void()> then) {
    const auto* own = moved_image(broker, reference, image);
    if (own == nullptr) return then();
    const auto tag = with_tag(reference);
    const auto colon = tag.rfind(':');
    Query query;
    query.add("repo", tag.substr(0, colon));
    query.add("tag", tag.substr(colon + 1));
    exchange->call(
        {"POST",
         "/v" + exchange->version + "/images/" + percent_encode_path(own->id) + "/tag" + query.text(),
         {},
         {}},
        [then = std::move(then)](const Reply&) { then(); });
}

void with_free_tags(Broker& broker, const ExchangePtr& exchange, std::vector<std::string> references,
                    std::function<void()> then) {
    if (references.empty() || broker.policy().allows(Permission::SharedTags)) return then();
    const auto reference = with_tag(references.back());
    references.pop_back();
    if (!is_plain_reference(reference)) return exchange->fail(400, "invalid reference format");
    exchange->call(
        {"GET", inspect_path(*exchange, reference), {}, {}},
        [&broker, exchange, reference, references, then = std::move(then)](const Reply& reply) {
            const auto parsed = parsed_body(reply);
            if (reply.status == 200 && parsed && parsed->is_object()) {
                const auto& image = parsed->as_object();
                const auto* known = broker.ledger().image(reference);
                // A tag of another agent's build may move: each agent's jobs keep to the image that they
                // made.
                const bool built = !label_of(image, kAgentLabel).empty();
                if (!built && (known == nullptr || !known->introduced)) {
                    const auto scope = broker.scope({});
                    return exchange->deny(refusal(
                        scope, Permission::SharedTags, "tag " + printable(reference, 200),
                        "this tag exists on the engine and was not made by this agent; choose another one"));
                }
            }
            with_free_tags(broker, exchange, references, then);
        });
}

}  // namespace supervisor::broker
