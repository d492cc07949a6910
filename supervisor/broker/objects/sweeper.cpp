#include "broker/objects/sweeper.hpp"

#include <algorithm>

#include "base/strings.hpp"
#include "broker/http/uri.hpp"
#include "broker/objects/ledger.hpp"

namespace supervisor::broker {
namespace {

constexpr std::size_t kParallel = 32;
constexpr int kAttempts = 20;
constexpr Milliseconds kRetryPause{100};

const json::object& labels_in(const json::object& object) {
    static const json::object kNone;
    const auto* labels = object.if_contains("Labels");
    return labels != nullptr && labels->is_object() ? labels->as_object() : kNone;
}

// By the name that the engine makes up: what a person named is somebody's, and stays.
std::set<std::string> anonymous_volumes_in(const json::object& container) {
    std::set<std::string> out;
    const auto* mounts = container.if_contains("Mounts");
    if (mounts == nullptr || !mounts->is_array()) return out;
    for (const auto& mount : mounts->as_array()) {
        auto name = mount.is_object() ? text_of(mount.as_object(), "Name") : std::string();
        if (name.size() == 64 && name.find_first_not_of("0123456789abcdef") == std::string::npos)
            out.insert(std::move(name));
    }
    return out;
}

}  // namespace

bool is_victim(const SweepScope& scope, const json::object& labels, const std::set<std::string>& running) {
    const auto agent = text_of(labels, kAgentLabel);
    if (agent.empty()) return false;
    const auto owner = parse_owner_label(text_of(labels, kOwnerLabel));
    // Alive, and not the one that asks.
    if (owner.container != scope.container && running.contains(owner.container)) return false;
    const bool own = !scope.agent_id.empty() && agent == scope.agent_id;
    switch (scope.kind) {
        case SweepScope::Kind::Job:
            return own && !scope.job.empty() && owner.job == scope.job;
        case SweepScope::Kind::Agent:
            return own;
        case SweepScope::Kind::Orphans:
            break;
    }
    if (own) return owner.incarnation != scope.incarnation;
    // An agent that is no container of this engine cannot be seen from here: hands off.
    return !owner.container.empty() && owner.incarnation != scope.incarnation;
}

std::vector<std::string> image_victims(const SweepScope& scope, const json::object& image,
                                       const std::set<std::string>& running) {
    std::vector<std::string> tags;
    if (const auto* listed = image.if_contains("RepoTags"); listed != nullptr && listed->is_array()) {
        for (const auto& tag : listed->as_array()) {
            if (tag.is_string() && tag.as_string() != "<none>:<none>") tags.emplace_back(tag.as_string());
        }
    }
    const auto& labels = labels_in(image);
    // By its id where that is enough: by the time of its removal the tag may be another agent's.
    if (is_victim(scope, labels, running)) return tags.size() < 2 ? std::vector{text_of(image, "Id")} : tags;
    // A tag that was moved to another agent's image since is not ours any more.
    if (!text_of(labels, kAgentLabel).empty()) return {};
    const auto listed = [&scope](const std::string& reference) {
        return std::find(scope.tags.begin(), scope.tags.end(), reference) != scope.tags.end();
    };
    const auto id = text_of(image, "Id");
    if (tags.empty() && listed(id)) return {id};
    std::erase_if(tags, [&listed](const std::string& tag) { return !listed(tag); });
    return tags;
}

std::string summary(const SweepReport& report) {
    return std::to_string(report.containers) + " containers, " + std::to_string(report.networks) +
           " networks, " + std::to_string(report.volumes) + " volumes, " + std::to_string(report.images) +
           " images";
}

std::shared_ptr<Sweep> Sweep::start(Upstream& upstream, std::string api_prefix, SweepScope scope,
                                    Milliseconds budget, Done done) {
    std::shared_ptr<Sweep> sweep(
        new Sweep(upstream, std::move(api_prefix), std::move(scope), std::move(done)));
    sweep->deadline_ = upstream.loop().after(budget, [weak = sweep->weak_from_this()] {
        const auto self = weak.lock();
        if (!self) return;
        // Without a list it is not known what there is, but it is not known to be nothing either.
        self->report_.leftover += std::max<std::size_t>(1, self->queue_.size() + self->in_flight_);
        self->report_.problems.emplace_back("the time for the clean-up ran out");
        self->finish();
    });
    upstream.loop().defer([weak = sweep->weak_from_this()] {
        if (const auto self = weak.lock()) self->list_containers();
    });
    return sweep;
}

std::string Sweep::label_filter() const {
    json::object filters;
    const bool all_agents = scope_.kind == SweepScope::Kind::Orphans;
    filters["label"] =
        json::array{json::string(std::string(kAgentLabel) + (all_agents ? "" : "=" + scope_.agent_id))};
    return "filters=" + percent_encode(to_text(filters));
}

void Sweep::list(const std::string& path, std::string_view member, Listed then) {
    calls_.push_back(upstream_.call(
        {"GET", prefix_ + path, {}, {}},
        [weak = weak_from_this(), path, member, then = std::move(then)](Result<Reply> reply) {
            const auto self = weak.lock();
            if (!self) return;
            auto parsed = reply && reply->status == 200 ? parse_json(reply->body)
                                                        : fail(reply ? reply->body : reply.error().message());
            if (!parsed) {
                self->report_.problems.push_back("list " + path.substr(0, path.find('?')) + ": " +
                                                 printable(parsed.error().message()));
                ++self->report_.leftover;
                return then({});
            }
            const auto* value = &*parsed;
            if (!member.empty() && value->is_object()) value = value->as_object().if_contains(member);
            then(value != nullptr && value->is_array() ? value->as_array() : json::array());
        }));
}

// Which agents are alive is known from the engine itself: their containers run.
void Sweep::list_then_running(const std::string& path, std::string_view member, Listed then) {
    list(path, member, [this, then = std::move(then)](const json::array& listed) {
        if (!needs_running()) return then(listed);
        list("/containers/json", "",
             [this, listed, then, known = report_.leftover](const json::array& containers) {
                 // Not knowing who is alive must not cost the living their containers.
                 if (report_.leftover > known) return finish();
                 running_.clear();
                 for (const auto& element : containers) {
                     if (element.is_object()) running_.insert(text_of(element.as_object(), "Id"));
                 }
                 then(listed);
             });
    });
}

void Sweep::list_containers() {
    list_then_running("/containers/json?all=1&" + label_filter(), "", [this](const json::array& listed) {
        std::vector<Victim> victims;
        for (const auto& element : listed) {
            if (!element.is_object() || !is_victim(scope_, labels_in(element.as_object()), running_))
                continue;
            victims.push_back(
                {"/containers/" + text_of(element.as_object(), "Id") + "?force=1&v=1", &report_.containers});
            if (scope_.kind == SweepScope::Kind::Orphans)
                anonymous_volumes_.merge(anonymous_volumes_in(element.as_object()));
        }
        remove_all(std::move(victims), [this] { list_networks(); });
    });
}

void Sweep::list_networks() {
    list_then_running("/networks?" + label_filter(), "", [this](const json::array& listed) {
        std::vector<Victim> victims;
        for (const auto& element : listed) {
            if (!element.is_object() || !is_victim(scope_, labels_in(element.as_object()), running_))
                continue;
            victims.push_back({"/networks/" + text_of(element.as_object(), "Id"), &report_.networks});
        }
        remove_all(std::move(victims), [this] { list_volumes(); });
    });
}

void Sweep::list_volumes() {
    list_then_running("/volumes?" + label_filter(), "Volumes", [this](const json::array& listed) {
        std::set<std::string> names(scope_.volumes.begin(), scope_.volumes.end());
        for (const auto& element : listed) {
            if (element.is_object() && is_victim(scope_, labels_in(element.as_object()), running_))
                names.insert(text_of(element.as_object(), "Name"));
        }
        std::vector<Victim> victims;
        for (const auto& name : names)
            victims.push_back({"/volumes/" + percent_encode(name), &report_.volumes});
        // An agent that was killed and removed left its own behind, because its containers still used parts
        // of it.
        for (const auto& name : anonymous_volumes_)
            victims.push_back({"/volumes/" + name, &report_.volumes, true});
        remove_all(std::move(victims), [this] { list_images(); });
    });
}

void Sweep::list_images() {
    if (!scope_.images) return finish();
    list_then_running("/images/json", "", [this](const json::array& listed) {
        std::vector<Victim> victims;
        for (const auto& element : listed) {
            if (!element.is_object()) continue;
            for (auto& reference : image_victims(scope_, element.as_object(), running_)) {
                victims.push_back({"/images/" + percent_encode_path(reference), &report_.images, true});
            }
        }
        remove_all(std::move(victims), [this] { finish(); });
    });
}

void Sweep::remove_all(std::vector<Victim> victims, std::function<void()> then) {
    queue_ = std::move(victims);
    after_removal_ = std::move(then);
    calls_.clear();
    retries_.clear();
    remove_next();
}

void Sweep::remove_next() {
    while (!queue_.empty() && in_flight_ < kParallel) {
        auto victim = std::move(queue_.back());
        queue_.pop_back();
        ++in_flight_;
        remove(std::move(victim));
    }
    if (in_flight_ > 0 || !queue_.empty()) return;
    // Not from within a call's own callback: the next step drops the calls.
    if (auto next = std::exchange(after_removal_, nullptr)) {
        upstream_.loop().defer([weak = weak_from_this(), next = std::move(next)] {
            if (const auto self = weak.lock()) next();
        });
    }
}

void Sweep::remove(Victim victim) {
    const auto path = prefix_ + victim.path;
    calls_.push_back(upstream_.call(
        {"DELETE", path, {}, {}}, [weak = weak_from_this(), victim = std::move(victim)](Result<Reply> reply) {
            if (const auto self = weak.lock()) self->removed(victim, reply);
        }));
}

void Sweep::removed(Victim victim, const Result<Reply>& result) {
    const int status = result ? result->status : 0;
    // 409: still in use or already being removed by somebody; images that others use stay.
    if (status == 409 && !victim.may_stay && ++victim.attempts < kAttempts) {
        retries_.push_back(upstream_.loop().after(kRetryPause, [this, victim] { remove(victim); }));
        return;
    }
    --in_flight_;
    if (status >= 200 && status < 300) {
        ++*victim.counter;
    } else if (status != 404 && !(victim.may_stay && status == 409)) {
        ++report_.leftover;
        report_.problems.push_back(victim.path + ": " +
                                   printable(result ? result->body : result.error().message()));
    }
    remove_next();
}

void Sweep::finish() {
    const auto self = shared_from_this();
    deadline_.cancel();
    calls_.clear();
    retries_.clear();
    queue_.clear();
    if (auto done = std::exchange(done_, nullptr)) done(report_);
}

}  // namespace supervisor::broker
