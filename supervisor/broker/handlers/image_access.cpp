#include "broker/handlers/image_access.hpp"

#include <algorithm>

#include "base/strings.hpp"
#include "broker/handlers/handler_support.hpp"
#include "broker/http/uri.hpp"

namespace supervisor::broker {
namespace {

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

}  // namespace

std::string inspect_path(const Exchange& exchange, const std::string& reference) {
    return "/v" + exchange.version + "/images/" + percent_encode_path(reference) + "/json";
}

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
    // Not by its tag: another agent may have built it under one that this agent has, too.
    return ledger.has_image(text_of(image, "Id"));
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

namespace {

// A look at what a reference of a client's means.
struct Look {
    Broker& broker;
    ExchangePtr exchange;
    std::string reference;
    MissingImage missing;
    std::function<void(const std::optional<json::object>&)> then;
};
using LookPtr = std::shared_ptr<const Look>;

void hide_image(const Look& look) {
    look.exchange->deny({look.missing == MissingImage::Refuse ? 400 : 404, "not-own",
                         "No such image: " + printable(look.reference, 200)});
}

// Only an image that is not there is the engine's to tell.
void leave_or_answer(const Look& look, const Reply& reply) {
    if (look.missing == MissingImage::LeaveToEngine && reply.status == 404) return look.then({});
    if (look.missing == MissingImage::Refuse && reply.status == 404) return hide_image(look);
    reply_shown(look.broker, look.exchange, reply);
}

void look_at(const LookPtr& look, const std::string& meant, std::function<void(const Reply&)> otherwise) {
    look->exchange->call(
        {"GET", inspect_path(*look->exchange, meant), {}, {}},
        [look, meant, otherwise = std::move(otherwise)](const Reply& reply) {
            const auto parsed = parsed_body(reply);
            if (reply.status != 200 || !parsed || !parsed->is_object()) return otherwise(reply);
            // What was noted with its id when this agent made it is its own, however it
            // looks by now.
            if (meant == look->reference && !is_visible_image(look->broker, parsed->as_object()))
                return otherwise({});
            look->then(parsed->as_object());
        });
}

void look_at_tag(const LookPtr& look, std::function<void()> otherwise) {
    look_at(look, look->reference, [look, otherwise = std::move(otherwise)](const Reply& reply) {
        if (otherwise && (reply.status == 0 || reply.status == 404)) return otherwise();
        if (reply.status == 0) return hide_image(*look);
        leave_or_answer(*look, reply);
    });
}

void look_at_own(const LookPtr& look, const std::string& id) {
    look_at(look, id, [look](const Reply& reply) {
        if (reply.status == 404) {
            look->broker.ledger().remove_image(with_tag(look->reference));
            return look_at_tag(look, {});
        }
        leave_or_answer(*look, reply);
    });
}

}  // namespace

void with_visible_image(Broker& broker, const ExchangePtr& exchange, const std::string& reference,
                        MissingImage missing, std::function<void(const std::optional<json::object>&)> then) {
    const auto look =
        std::make_shared<const Look>(Look{broker, exchange, reference, missing, std::move(then)});
    if (!is_plain_reference(reference))
        return missing == MissingImage::LeaveToEngine ? look->then({}) : hide_image(*look);
    const auto* own = broker.ledger().image(with_tag(reference));
    if (own == nullptr || own->id.empty()) return look_at_tag(look, {});
    // Of tags that BuildKit makes the broker hears nothing.
    const bool moves = own->shared || broker.policy().allows(Permission::BuildKit);
    if (!moves) return look_at_own(look, own->id);
    look_at_tag(look, [look, id = own->id] { look_at_own(look, id); });
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
                  const std::optional<json::object>& image,
                  std::function<void(const std::string& meant)> then) {
    const auto* own = moved_image(broker, reference, image);
    if (own == nullptr) return then(reference);
    if (!own->introduced && !broker.policy().allows(Permission::SharedTags)) return then(own->id);
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
        [reference, then = std::move(then)](const Reply&) { then(reference); });
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
            const auto answer =
                checked_answer(broker, exchange, "whose tag " + printable(reference, 200) + " is", reply);
            if (!answer) return;
            if (answer->is_object()) {
                const auto& image = answer->as_object();
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
