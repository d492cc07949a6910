#include <algorithm>
#include <map>

#include "base/strings.hpp"
#include "broker/handlers/handler_support.hpp"
#include "broker/handlers/image_access.hpp"
#include "broker/http/uri.hpp"

namespace supervisor::broker {
namespace {

std::string repo_and_tag(const Query& query) {
    const std::string repo(query.get("repo"));
    const std::string tag(query.get("tag"));
    if (repo.empty()) return {};
    return with_tag(tag.empty() ? repo : repo + ":" + tag);
}

std::vector<std::string> target_of(const Query& query) {
    const auto reference = repo_and_tag(query);
    return reference.empty() ? std::vector<std::string>() : std::vector{reference};
}

// The engine reads all changes as one text: one that goes on in the next line would take our label with it.
Verdict check_changes(const Query& query) {
    for (const auto& change : query.all("changes")) {
        const auto text = trim(change);
        const bool goes_on =
            text.ends_with('\\') || text.ends_with('`') || text.find("<<") != std::string_view::npos;
        if (goes_on)
            return Denial{
                400, "changes",
                "changes: an instruction must end where it ends, without a continuation or \"<<\", got \"" +
                    printable(text, 100) + "\""};
    }
    return {};
}

// "LABEL" instructions for images that are imported.
void add_label_changes(Query& query, const Owner& owner, const JobIdentity& job) {
    json::object labels;
    set_owner_labels(labels, owner, job);
    for (const auto& member : labels) {
        const std::string key(member.key().data(), member.key().size());
        query.add("changes", "LABEL " + key + "=" + to_text(member.value()));
    }
}

// The value of "key":"…" in a line of progress output, without parsing each of thousands.
std::string value_after(std::string_view line, std::string_view mark, std::string_view end) {
    const auto at = line.find(mark);
    if (at == std::string_view::npos) return {};
    line.remove_prefix(at + mark.size());
    return std::string(line.substr(0, line.find_first_of(end)));
}

void import_image(Broker& broker, const ExchangePtr& exchange) {
    const auto source = exchange->query.get("fromSrc");
    if (source != "-" && !broker.policy().allows(Permission::RemoteSources)) {
        return exchange->deny(refusal(broker.scope({}), Permission::RemoteSources, "fromSrc",
                                      "the engine must not fetch images from a URL"));
    }
    if (const auto denial = check_changes(exchange->query)) return exchange->deny(*denial);
    broker.with_job(exchange, [&broker, exchange](const JobIdentity& job) {
        with_free_tags(broker, exchange, target_of(exchange->query), [&broker, exchange, job] {
            add_label_changes(exchange->query, broker.owner(), job);
            const auto target = repo_and_tag(exchange->query);
            auto plan = exchange->plan(exchange->upstream_path("/images/create"));
            plan.filter_line = [&broker, target, job](std::string_view line) {
                const auto id = value_after(line, "\"status\":\"sha256:", "\"\\");
                if (!id.empty() && !target.empty())
                    broker.ledger().add_image(target, {job.locator(), "sha256:" + id});
                return std::optional(std::string(line));
            };
            exchange->relay(std::move(plan));
        });
    });
}

struct Pull {
    std::string repository;
    std::string reference;  // empty: all tags
    OwnImage image{.made = false, .introduced = false, .shared = true};
};

Pull pull_of(const Query& query) {
    const std::string image(query.get("fromImage"));
    const std::string tag(query.get("tag"));
    const auto slash = image.rfind('/');
    const auto end = image.find_first_of(":@", slash == std::string::npos ? 0 : slash);
    Pull pull;
    pull.repository = image.substr(0, end);
    if (!tag.empty())
        pull.reference = image + (tag.find(':') != std::string::npos ? "@" : ":") + tag;
    else if (end != std::string::npos)
        pull.reference = image;
    return pull;
}

// Which image it was is asked by its digest, since tags move: what another agent has built since is not what
// was pulled. The tag means this from now on, not what this agent has built under it before.
void note_pulled(Broker& broker, const Pull& pull, const std::string& digest) {
    const auto tag = with_tag(pull.reference);
    if (!pull.reference.empty()) broker.ledger().add_image(tag, pull.image);
    const auto exact = pull.repository + "@" + digest;
    broker.ask({"GET", broker.own_path("/images/" + percent_encode_path(exact) + "/json"), {}, {}},
               [&broker, pull, tag](const Reply& reply) {
                   const auto parsed = parsed_body(reply);
                   if (reply.status != 200 || !parsed || !parsed->is_object()) return;
                   auto image = pull.image;
                   image.id = text_of(parsed->as_object(), "Id");
                   broker.ledger().add_image(pull.reference.empty() ? image.id : tag, image);
               });
}

// Pulled images are shared. One that was not there before is noted, so that this agent may remove it again.
void pull_image(Broker& broker, const ExchangePtr& exchange) {
    auto pull = pull_of(exchange->query);
    const auto reference = with_tag(pull.reference.empty() ? pull.repository : pull.reference);
    exchange->object = printable(reference, 200);
    if (!is_plain_reference(reference)) return exchange->fail(400, "invalid reference format");
    exchange->call({"GET", inspect_path(*exchange, reference), {}, {}}, [&broker, exchange, reference,
                                                                         pull](const Reply& before) mutable {
        const auto* known = broker.ledger().image(reference);
        pull.image.introduced = before.status == 404 || (known != nullptr && known->introduced);
        auto plan = exchange->plan(exchange->upstream_path("/images/create"));
        plan.filter_line = [&broker, pull](std::string_view line) {
            const auto digest = value_after(line, R"("status":"Digest: )", "\"\\");
            if (!digest.empty()) note_pulled(broker, pull, digest);
            return std::optional(std::string(line));
        };
        exchange->relay(std::move(plan));
    });
}

// ---- loading ----

using TagIds = std::map<std::string, std::string>;

TagIds tag_ids(const json::value& listed) {
    TagIds out;
    if (!listed.is_array()) return out;
    for (const auto& image : listed.as_array()) {
        const auto* tags = image.is_object() ? image.as_object().if_contains("RepoTags") : nullptr;
        if (tags == nullptr || !tags->is_array()) continue;
        for (const auto& tag : tags->as_array()) {
            if (tag.is_string()) out[std::string(tag.as_string())] = text_of(image.as_object(), "Id");
        }
    }
    return out;
}

void put_back(Broker& broker, const std::string& reference, const std::string& id) {
    const auto colon = reference.rfind(':');
    Query query;
    query.add("repo", reference.substr(0, colon));
    query.add("tag", reference.substr(colon + 1));
    broker.ask(
        {"POST", broker.own_path("/images/" + percent_encode_path(id) + "/tag" + query.text()), {}, {}},
        [](const Reply&) {});
}

// Which tags an archive moves is known only when it has moved them. One that was there before and is not this
// agent's goes back to where it was; this agent's jobs mean what they loaded, as with builds.
void note_loaded(Broker& broker, const std::string& reference, const TagIds& before, const std::string& job) {
    const auto was = before.find(reference);
    const auto* known = broker.ledger().image(reference);
    const bool own = was == before.end() || (known != nullptr && known->introduced) ||
                     broker.policy().allows(Permission::SharedTags);
    if (own) broker.ledger().add_image(reference, {job});
    broker.ask({"GET", broker.own_path("/images/" + percent_encode_path(reference) + "/json"), {}, {}},
               [&broker, reference, job, own, id = own ? std::string() : was->second](const Reply& reply) {
                   const auto parsed = parsed_body(reply);
                   if (reply.status != 200 || !parsed || !parsed->is_object()) {
                       if (!own) put_back(broker, reference, id);
                       return;
                   }
                   const auto loaded = text_of(parsed->as_object(), "Id");
                   if (own) return broker.ledger().add_image(reference, {job, loaded});
                   if (loaded.empty() || loaded == id) return;
                   put_back(broker, reference, id);
                   broker.ledger().add_image(loaded, {job});
                   broker.ledger().add_image(reference, {job, loaded, false, false});
               });
}

bool may_remove(Broker& broker, const std::string& reference, const json::object& image) {
    if (broker.policy().allows(Permission::SharedTags) ||
        label_of(image, kAgentLabel) == broker.owner().agent_id)
        return true;
    const auto introduced = [&broker](const std::string& name) {
        const auto* known = broker.ledger().image(name);
        return known != nullptr && known->introduced;
    };
    if (introduced(with_tag(reference)) || introduced(text_of(image, "Id"))) return true;
    // By id: all of its tags must be ours.
    const auto* tags = image.if_contains("RepoTags");
    if (tags == nullptr || !tags->is_array() || tags->as_array().empty()) return false;
    return std::all_of(tags->as_array().begin(), tags->as_array().end(), [&](const json::value& tag) {
        return tag.is_string() && introduced(std::string(tag.as_string()));
    });
}

// What the names that are still to be looked at mean replaces them in the query, from the last one on.
void save_checked(Broker& broker, const ExchangePtr& exchange, std::size_t left) {
    if (left == 0) return exchange->relay(exchange->plan(exchange->upstream_path("/images/get")));
    auto& item = exchange->query.items()[left - 1];
    if (item.key != "names") return save_checked(broker, exchange, left - 1);
    with_visible_image(broker, exchange, item.value, MissingImage::Answer,
                       [&broker, exchange, &item, left](const std::optional<json::object>& image) {
                           with_own_tag(broker, exchange, item.value, image,
                                        [&broker, exchange, &item, left](const std::string& meant) {
                                            item.value = meant;
                                            save_checked(broker, exchange, left - 1);
                                        });
                       });
}

}  // namespace

void list_images(Broker& broker, const ExchangePtr& exchange) {
    UpstreamRequest request{"GET", exchange->upstream_path("/images/json"), exchange->passed_headers(), {}};
    exchange->call(std::move(request), [&broker, exchange](Reply reply) {
        auto parsed = parsed_body(reply);
        if (reply.status == 200 && parsed && parsed->is_array()) {
            json::array visible;
            for (auto& image : parsed->as_array()) {
                if (!image.is_object() || !is_visible_image(broker, image.as_object())) continue;
                hide_other_users(broker, image.as_object());
                visible.push_back(std::move(image));
            }
            reply.body = to_text(visible) + "\n";
        }
        reply_shown(broker, exchange, std::move(reply));
    });
}

void create_image(Broker& broker, const ExchangePtr& exchange) {
    const bool pull = exchange->query.has("fromImage");
    if (pull == exchange->query.has("fromSrc"))
        return exchange->fail(400, "either fromImage or fromSrc is needed");
    if (!pull) return import_image(broker, exchange);
    if (exchange->query.has("changes")) return exchange->fail(400, "pulling an image takes no changes");
    pull_image(broker, exchange);
}

void load_images(Broker& broker, const ExchangePtr& exchange) {
    broker.with_job(exchange, [&broker, exchange](const JobIdentity& job) {
        exchange->call({"GET", "/v" + exchange->version + "/images/json", {}, {}}, [&broker, exchange,
                                                                                    job](const Reply& reply) {
            const auto answer = checked_answer(broker, exchange, "which tags an archive would move", reply);
            if (!answer) return;
            const auto before = std::make_shared<const TagIds>(tag_ids(*answer));
            auto plan = exchange->plan(exchange->upstream_path("/images/load"));
            // The engine loads to the end what it has got, whoever waits for it.
            plan.sees_the_end = true;
            plan.filter_line = [&broker, job, before](std::string_view line) {
                auto loaded = value_after(line, "Loaded image: ", "\\\"");
                if (loaded.empty()) loaded = value_after(line, "Loaded image ID: ", "\\\"");
                if (!loaded.empty()) note_loaded(broker, loaded, *before, job.locator());
                return std::optional(std::string(line));
            };
            exchange->relay(std::move(plan));
        });
    });
}

void prune_images(Broker& broker, const ExchangePtr& exchange) {
    prune_own(broker, exchange);
}

void save_images(Broker& broker, const ExchangePtr& exchange) {
    if (!exchange->query.has("names")) return exchange->fail(400, "no image names");
    save_checked(broker, exchange, exchange->query.items().size());
}

void inspect_image(Broker& broker, const ExchangePtr& exchange) {
    with_visible_image(broker, exchange, exchange->name, MissingImage::Answer,
                       [&broker, exchange](const std::optional<json::object>& image) {
                           if (exchange->query.items().empty())
                               return exchange->reply(200, broker.shown(to_text(*image)) + "\n");
                           show_object(broker, exchange,
                                       "/images/" + percent_encode_path(text_of(*image, "Id")) + "/json",
                                       [&broker](json::object& shown) { hide_other_users(broker, shown); });
                       });
}

void image_stream(Broker& broker, const ExchangePtr& exchange) {
    with_visible_image(
        broker, exchange, exchange->name, MissingImage::Answer,
        [&broker, exchange](const std::optional<json::object>& image) {
            with_own_tag(broker, exchange, exchange->name, image, [exchange](const std::string& meant) {
                const auto path =
                    replace_all(exchange->route->pattern, "{name...}", percent_encode_path(meant));
                exchange->relay(exchange->plan(exchange->upstream_path(path)));
            });
        });
}

// Without the header the engine takes credentials from the body; here they always go into the header.
std::optional<Headers> push_headers(const ExchangePtr& exchange) {
    auto headers = exchange->passed_headers();
    auto body = body_object(exchange);
    if (!body) return {};
    if (headers.has("X-Registry-Auth") || exchange->body.empty()) return headers;
    json::object credentials;
    for (const char* field :
         {"username", "password", "auth", "email", "serveraddress", "identitytoken", "registrytoken"}) {
        if (const auto* value = body->if_contains(field); value != nullptr && value->is_string())
            credentials[field] = *value;
    }
    headers.add("X-Registry-Auth", base64_url(to_text(credentials)));
    return headers;
}

// What is pushed is the tag; if another agent has moved it since, it is put back first.
void push_image(Broker& broker, const ExchangePtr& exchange) {
    const auto headers = push_headers(exchange);
    if (!headers) return;
    const std::string tag(exchange->query.get("tag"));
    const auto reference = with_tag(tag.empty() ? exchange->name : exchange->name + ":" + tag);
    const auto push = [&broker, exchange, headers, reference](const std::string& meant) {
        if (meant != reference)
            return exchange->deny(refusal(broker.scope({}), Permission::SharedTags,
                                          "tag " + printable(reference, 200),
                                          "the engine has another image under it, which is not this agent's; "
                                          "give the image another tag and push that"));
        auto plan = exchange->plan(
            exchange->upstream_path("/images/" + percent_encode_path(exchange->name) + "/push"));
        plan.request.headers = *headers;
        exchange->relay(std::move(plan));
    };
    with_visible_image(broker, exchange, reference, MissingImage::LeaveToEngine,
                       [&broker, exchange, reference, push](const std::optional<json::object>& image) {
                           with_own_tag(broker, exchange, reference, image, push);
                       });
}

void move_tag(Broker& broker, const ExchangePtr& exchange, const std::string& tag, const std::string& id,
              const std::string& job) {
    with_free_tags(broker, exchange, {tag}, [&broker, exchange, tag, id, job] {
        call_and_show(broker, exchange, "/images/" + percent_encode_path(id) + "/tag", {},
                      [&broker, tag, id, job](const Reply& reply) {
                          if (reply.status == 201) broker.ledger().add_image(tag, {job, id});
                      });
    });
}

// Agents that run the same pipeline give the same tag to the image that each has pulled: there it is already.
void give_tag(Broker& broker, const ExchangePtr& exchange, const std::string& tag, const std::string& id,
              const std::string& job) {
    const auto* known = broker.ledger().image(tag);
    if ((known != nullptr && known->introduced) || !is_plain_reference(tag))
        return move_tag(broker, exchange, tag, id, job);
    exchange->call({"GET", inspect_path(*exchange, tag), {}, {}},
                   [&broker, exchange, tag, id, job](const Reply& reply) {
                       const auto parsed = parsed_body(reply);
                       const bool there = reply.status == 200 && parsed && parsed->is_object() &&
                                          text_of(parsed->as_object(), "Id") == id;
                       if (!there) return move_tag(broker, exchange, tag, id, job);
                       broker.ledger().add_image(
                           tag, {.job = job, .id = id, .made = false, .introduced = false, .shared = true});
                       exchange->reply(201, "");
                   });
}

void tag_image(Broker& broker, const ExchangePtr& exchange) {
    const auto targets = target_of(exchange->query);
    if (targets.empty()) return exchange->fail(400, "no repository given");
    broker.with_job(exchange, [&broker, exchange, targets](const JobIdentity& job) {
        with_visible_image(broker, exchange, exchange->name, MissingImage::Answer,
                           [&broker, exchange, targets, job](const std::optional<json::object>& image) {
                               give_tag(broker, exchange, targets.front(), text_of(*image, "Id"),
                                        job.locator());
                           });
    });
}

// Under this tag the engine has another agent's image by now; only our own goes, if no other tag holds it.
void remove_moved(Broker& broker, const ExchangePtr& exchange, const OwnImage& moved,
                  const json::object& image) {
    const auto reference = with_tag(exchange->name);
    const auto* tags = image.if_contains("RepoTags");
    const auto path = "/images/" + percent_encode_path(moved.id);
    broker.ledger().remove_image(reference);
    broker.ledger().remove_image(moved.id);
    if (tags == nullptr || !tags->is_array() || tags->as_array().empty())
        return call_and_show(broker, exchange, path);
    exchange->reply(200, to_text(json::array{json::object{{"Untagged", reference}}}) + "\n");
}

void remove_tag(Broker& broker, const ExchangePtr& exchange) {
    call_and_show(broker, exchange, "/images/" + percent_encode_path(exchange->name), {},
                  [&broker, reference = exchange->name](const Reply& reply) {
                      if (reply.status == 200) broker.ledger().remove_image(with_tag(reference));
                  });
}

// By then another agent may have moved the tag to an image of its own: what has no other tag goes by its id.
// What is in use does not, and the engine says by the tag what may be done.
void remove_by_id(Broker& broker, const ExchangePtr& exchange, const std::string& id) {
    auto query = exchange->query;
    query.remove("force");
    const auto path = "/v" + exchange->version + "/images/" + percent_encode_path(id) + query.text();
    exchange->call({"DELETE", path, {}, {}}, [&broker, exchange](const Reply& reply) {
        if (reply.status == 409) return remove_tag(broker, exchange);
        if (reply.status == 200) broker.ledger().remove_image(with_tag(exchange->name));
        reply_shown(broker, exchange, reply);
    });
}

bool has_one_tag(const json::object& image, const std::string& tag) {
    const auto* tags = image.if_contains("RepoTags");
    return tags != nullptr && *tags == json::value(json::array{json::string(tag)});
}

void remove_image(Broker& broker, const ExchangePtr& exchange) {
    with_visible_image(
        broker, exchange, exchange->name, MissingImage::Answer,
        [&broker, exchange](const std::optional<json::object>& image) {
            if (!may_remove(broker, exchange->name, *image)) {
                return exchange->deny(refusal(broker.scope({}), Permission::SharedTags,
                                              "image " + printable(exchange->name, 200),
                                              "it was not made by this agent, and others may use it"));
            }
            if (const auto* moved = moved_image(broker, exchange->name, image))
                return remove_moved(broker, exchange, OwnImage(*moved), *image);
            const bool built = !label_of(*image, kAgentLabel).empty() && !exchange->query.has("platforms");
            if (built && has_one_tag(*image, with_tag(exchange->name)))
                return remove_by_id(broker, exchange, text_of(*image, "Id"));
            remove_tag(broker, exchange);
        });
}

void commit_container(Broker& broker, const ExchangePtr& exchange) {
    auto body = body_object(exchange);
    if (!body) return;
    if (const auto denial = check_changes(exchange->query)) return exchange->deny(*denial);
    with_container(broker, exchange, std::string(exchange->query.get("container")),
                   [&broker, exchange, body = std::move(*body)](const OwnContainer& own) {
                       exchange->query.set("container", own.id);
                       with_rewritten(
                           broker, exchange, body, rewrite_commit,
                           [&broker, exchange](const json::object& rewritten, const RuleScope& scope) {
                               // Last, since the client's changes come after the body's labels.
                               add_label_changes(exchange->query, broker.owner(), scope.job);
                               with_free_tags(
                                   broker, exchange, target_of(exchange->query),
                                   [&broker, exchange, rewritten, job = scope.job.locator()] {
                                       call_and_show(
                                           broker, exchange, "/commit", to_text(rewritten),
                                           [&broker, exchange, job](const Reply& reply) {
                                               const auto parsed = parsed_body(reply);
                                               if (reply.status != 201 || !parsed || !parsed->is_object())
                                                   return;
                                               broker.ledger().add_image(
                                                   repo_and_tag(exchange->query),
                                                   {job, text_of(parsed->as_object(), "Id")});
                                           });
                                   });
                           });
                   });
}

}  // namespace supervisor::broker
