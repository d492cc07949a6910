// GET /system/df: what own objects and shared images take. Up to API 1.51 these are lists; from 1.52 on there
// are sums besides, which count what others have as well and are therefore made anew.
#include <cstdint>

#include "base/strings.hpp"
#include "broker/handlers/handler_support.hpp"
#include "broker/handlers/image_access.hpp"

namespace supervisor::broker {
namespace {

std::int64_t number_in(const json::object& object, std::string_view key) {
    const auto* value = object.if_contains(key);
    return value != nullptr && value->is_int64() ? value->as_int64() : 0;
}

struct Share {
    std::int64_t size = 0;
    bool active = false;
};

Share share_of_image(const json::object& image) {
    return {0, number_in(image, "Containers") > 0};
}

Share share_of_container(const json::object& container) {
    const auto state = text_of(container, "State");
    return {number_in(container, "SizeRw"), state == "running" || state == "paused" || state == "restarting"};
}

Share share_of_volume(const json::object& volume) {
    const auto* usage = volume.if_contains("UsageData");
    if (usage == nullptr || !usage->is_object()) return {};
    // -1: not known.
    return {std::max<std::int64_t>(0, number_in(usage->as_object(), "Size")),
            number_in(usage->as_object(), "RefCount") > 0};
}

// One kind of object: its list, which the engine puts in one of two places, and its sums.
struct Kind {
    const char* list;
    const char* sums;
    bool (*visible)(Broker&, const json::object&);
    Share (*share)(const json::object&);
    bool sizes_are_the_engines;  // layers are shared, so their sum is not that of the images
};

bool is_own_container(Broker& broker, const json::object& container) {
    return label_of(container, kAgentLabel) == broker.owner().agent_id;
}
bool is_shown_image(Broker& broker, const json::object& image) {
    return is_visible_image(broker, image);
}
bool is_own_volume(Broker& broker, const json::object& volume) {
    return broker.owns_volume(text_of(volume, "Name"));
}
bool is_nobodys(Broker&, const json::object&) {
    return false;
}

constexpr Kind kKinds[] = {
    {"Images", "ImageUsage", is_shown_image, share_of_image, true},
    {"Containers", "ContainerUsage", is_own_container, share_of_container, false},
    {"Volumes", "VolumeUsage", is_own_volume, share_of_volume, false},
    {"BuildCache", "BuildCacheUsage", is_nobodys, share_of_image, false},
};

json::array* list_in(json::object& object, std::string_view key) {
    auto* value = object.if_contains(key);
    return value != nullptr && value->is_array() ? &value->as_array() : nullptr;
}

void keep_visible(Broker& broker, json::array& list, const Kind& kind) {
    json::array kept;
    for (auto& element : list) {
        if (element.is_object() && kind.visible(broker, element.as_object()))
            kept.push_back(std::move(element));
    }
    list = std::move(kept);
}

// As the engine does it: what is nothing is not there.
void set_sum(json::object& sums, const char* key, std::int64_t value) {
    if (value == 0)
        sums.erase(key);
    else
        sums[key] = value;
}

void add_up(json::object& sums, const json::array& list, const Kind& kind) {
    std::int64_t active = 0;
    std::int64_t size = 0;
    std::int64_t unused = 0;
    for (const auto& element : list) {
        const auto share = kind.share(element.as_object());
        active += share.active ? 1 : 0;
        size += share.size;
        unused += share.active ? 0 : share.size;
    }
    set_sum(sums, "TotalCount", static_cast<std::int64_t>(list.size()));
    set_sum(sums, "ActiveCount", active);
    if (kind.sizes_are_the_engines) return;
    set_sum(sums, "TotalSize", size);
    set_sum(sums, "Reclaimable", unused);
}

void show_kind(Broker& broker, json::object& usage, const Kind& kind, bool with_items) {
    auto* sums = usage.if_contains(kind.sums);
    auto* list = list_in(usage, kind.list);
    auto* items = sums != nullptr && sums->is_object() ? list_in(sums->as_object(), "Items") : nullptr;
    for (auto* each : {list, items}) {
        if (each != nullptr) keep_visible(broker, *each, kind);
    }
    if (sums == nullptr) return;
    if (!sums->is_object() || (list == nullptr && items == nullptr)) {
        *sums = json::object();
        return;
    }
    add_up(sums->as_object(), items != nullptr ? *items : *list, kind);
    if (items != nullptr && (!with_items || items->empty())) sums->as_object().erase("Items");
}

bool is_false(std::string_view text) {
    return text == "0" || text == "f" || text == "F" || text == "false" || text == "False" || text == "FALSE";
}

}  // namespace

void show_disk_usage(Broker& broker, const ExchangePtr& exchange) {
    // Sums alone would be everybody's: the lists are always asked for.
    const bool only_sums = is_false(exchange->query.get("verbose"));
    if (only_sums) exchange->query.set("verbose", "1");
    show_object(broker, exchange, "/system/df", [&broker, only_sums](json::object& usage) {
        for (const auto& kind : kKinds) show_kind(broker, usage, kind, !only_sums);
    });
}

}  // namespace supervisor::broker
