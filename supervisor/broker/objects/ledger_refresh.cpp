// Filling the ledger from the engine's lists.
#include "broker/broker_core.hpp"
#include "broker/handlers/container_mounts.hpp"

namespace supervisor::broker {
namespace {

json::array listed(const Reply& reply, std::string_view member = {}) {
    auto parsed = reply.status == 200 ? parse_json(reply.body) : Result<json::value>(json::value());
    if (!parsed) return {};
    const auto* value = &*parsed;
    if (!member.empty()) value = value->is_object() ? value->as_object().if_contains(member) : nullptr;
    return value != nullptr && value->is_array() ? value->as_array() : json::array();
}

}  // namespace

void Broker::refresh(std::function<void()> then) {
    waiting_for_refresh_.push_back(std::move(then));
    if (!refreshing_.empty()) return;
    refreshing_ = std::exchange(waiting_for_refresh_, {});
    ask({"GET", own_path("/containers/json?all=1&" + owner_only_), {}, {}},
        [this](const Reply& reply) { read_containers(reply); });
}

void Broker::read_containers(const Reply& reply) {
    if (reply.status == 200) ledger_.begin_refresh();
    for (const auto& element : listed(reply)) {
        if (!element.is_object()) continue;
        auto container = container_from_list(element.as_object(), names_);
        for (auto& volume : volumes_of(element.as_object(), mounts_))
            ledger_.add_volume(std::move(volume), container.job);
        ledger_.add(std::move(container));
    }
    ask({"GET", own_path("/networks?" + owner_only_), {}, {}},
        [this](const Reply& next) { read_networks(next); });
}

void Broker::read_networks(const Reply& reply) {
    for (const auto& element : listed(reply)) {
        if (element.is_object()) ledger_.add(network_from_json(element.as_object(), names_));
    }
    ask({"GET", own_path("/volumes?" + owner_only_), {}, {}},
        [this](const Reply& next) { read_volumes(next); });
}

void Broker::read_volumes(const Reply& reply) {
    for (const auto& element : listed(reply, "Volumes")) {
        if (element.is_object())
            ledger_.add_volume(text_of(element.as_object(), "Name"), job_of(element.as_object()));
    }
    finish_refresh();
}

void Broker::finish_refresh() {
    const auto done = std::exchange(refreshing_, {});
    for (const auto& then : done) then();
    if (waiting_for_refresh_.empty()) return;
    auto next = std::exchange(waiting_for_refresh_, {});
    for (auto& then : next) refresh(std::move(then));
}

}  // namespace supervisor::broker
