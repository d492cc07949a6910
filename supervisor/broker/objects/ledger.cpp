#include "broker/objects/ledger.hpp"

#include <algorithm>

namespace supervisor::broker {
namespace {

constexpr std::size_t kMaxRemembered = 16'384;

// The only entry whose key starts with `prefix`.
template <class Map>
const typename Map::mapped_type* unique_prefix(const Map& map, std::string_view prefix) {
    if (prefix.empty()) return nullptr;
    const auto first = map.lower_bound(prefix);
    if (first == map.end() || !first->first.starts_with(prefix)) return nullptr;
    const auto second = std::next(first);
    if (second != map.end() && second->first.starts_with(prefix)) return nullptr;
    return &first->second;
}

}  // namespace

void Ledger::remember(const std::string& id) {
    if (!seen_.insert(id).second) return;
    seen_order_.push_back(id);
    if (seen_order_.size() < kMaxRemembered) return;
    const auto half = seen_order_.begin() + static_cast<std::ptrdiff_t>(kMaxRemembered / 2);
    for (auto it = seen_order_.begin(); it != half; ++it) seen_.erase(*it);
    seen_order_.erase(seen_order_.begin(), half);
}

void Ledger::add(OwnContainer container) {
    remember(container.id);
    if (const auto before = before_refresh_.find(container.id); before != before_refresh_.end()) {
        container.memory = before->second.memory;
        container.nano_cpus = before->second.nano_cpus;
    } else if (container.memory > 0 || container.nano_cpus > 0) {
        note({"container", container.id, container.name, container.job, container.memory,
              container.nano_cpus});
    }
    auto id = container.id;
    containers_.insert_or_assign(std::move(id), std::move(container));
}

void Ledger::add(OwnNetwork network) {
    remember(network.id);
    auto id = network.id;
    networks_.insert_or_assign(std::move(id), std::move(network));
}

void Ledger::add_volume(std::string name, std::string job) {
    if (name.empty()) return;
    remember(name);
    const auto [added, is_new] = volumes_.emplace(std::move(name), std::move(job));
    if (is_new) note({"volume", added->first, added->second});
}

void Ledger::add_exec(std::string exec, std::string container) {
    if (exec_order_.size() >= kMaxRemembered) {
        for (std::size_t i = 0; i < kMaxRemembered / 2; ++i) execs_.erase(exec_order_[i]);
        exec_order_.erase(exec_order_.begin(),
                          exec_order_.begin() + static_cast<std::ptrdiff_t>(kMaxRemembered / 2));
    }
    exec_order_.push_back(exec);
    execs_.insert_or_assign(std::move(exec), std::move(container));
}

void Ledger::add_image(std::string reference, OwnImage image) {
    if (reference.empty() || images_.size() >= kMaxRemembered) return;
    note({"image", reference, image.job, image.id, image.made, image.introduced, image.shared});
    images_.insert_or_assign(std::move(reference), std::move(image));
}

const OwnImage* Ledger::image(std::string_view reference) const {
    const auto it = images_.find(std::string(reference));
    return it == images_.end() ? nullptr : &it->second;
}

bool Ledger::has_image(std::string_view id) const {
    return !id.empty() &&
           (image(id) != nullptr || std::any_of(images_.begin(), images_.end(),
                                                [id](const auto& entry) { return entry.second.id == id; }));
}

void Ledger::remove_container(std::string_view id) {
    if (const auto it = containers_.find(id); it != containers_.end()) containers_.erase(it);
}

void Ledger::remove_network(std::string_view id) {
    if (const auto it = networks_.find(id); it != networks_.end()) networks_.erase(it);
}

void Ledger::remove_volume(std::string_view name) {
    if (volumes_.erase(std::string(name)) > 0) note({"no volume", json::string(name)});
}

void Ledger::remove_image(std::string_view reference) {
    if (images_.erase(std::string(reference)) > 0) note({"no image", json::string(reference)});
}

void Ledger::grant(std::string_view id, std::uint64_t memory, std::uint64_t nano_cpus) {
    const auto it = containers_.find(id);
    if (it == containers_.end() || (memory == 0 && nano_cpus == 0)) return;
    auto& container = it->second;
    if (memory > 0) container.memory = memory;
    if (nano_cpus > 0) container.nano_cpus = nano_cpus;
    note({"container", container.id, container.name, container.job, container.memory, container.nano_cpus});
}

void Ledger::rename_container(std::string_view id, std::string name) {
    if (const auto it = containers_.find(id); it != containers_.end()) it->second.name = std::move(name);
}

void Ledger::begin_refresh() {
    before_refresh_ = std::exchange(containers_, {});
    networks_.clear();
}

const OwnContainer* Ledger::container(std::string_view reference) const {
    if (reference.starts_with('/')) reference.remove_prefix(1);
    if (const auto it = containers_.find(reference); it != containers_.end()) return &it->second;
    for (const auto& [id, container] : containers_) {
        if (container.name == reference) return &container;
    }
    return unique_prefix(containers_, reference);
}

const OwnNetwork* Ledger::network(std::string_view reference) const {
    if (const auto it = networks_.find(reference); it != networks_.end()) return &it->second;
    for (const auto& [id, network] : networks_) {
        if (network.shown == reference) return &network;
    }
    return unique_prefix(networks_, reference);
}

std::optional<std::string> Ledger::container_of_exec(std::string_view exec) const {
    const auto it = execs_.find(std::string(exec));
    if (it == execs_.end()) return {};
    return it->second;
}

const json::object* object_in(const json::object& object, std::string_view key) {
    const auto* value = object.if_contains(key);
    return value != nullptr && value->is_object() ? &value->as_object() : nullptr;
}

std::string text_of(const json::object& object, std::string_view key) {
    const auto* value = object.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}

std::string label_of(const json::object& object, std::string_view label) {
    const auto* holder = &object;
    if (const auto* config = object.if_contains("Config"); config != nullptr && config->is_object())
        holder = &config->as_object();
    const auto* labels = holder->if_contains("Labels");
    return labels != nullptr && labels->is_object() ? text_of(labels->as_object(), label) : std::string();
}

std::string job_of(const json::object& object) {
    return parse_owner_label(label_of(object, kOwnerLabel)).job;
}

OwnContainer container_from_list(const json::object& listed, const Names& names) {
    OwnContainer container;
    container.id = text_of(listed, "Id");
    container.job = job_of(listed);
    const auto* listed_names = listed.if_contains("Names");
    if (listed_names == nullptr || !listed_names->is_array()) return container;
    // Links add names with a second slash; the container's own has one.
    for (const auto& entry : listed_names->as_array()) {
        if (!entry.is_string()) continue;
        const std::string name(entry.as_string());
        if (name.rfind('/') == 0) container.name = names.shown(std::string_view(name).substr(1));
    }
    return container;
}

OwnNetwork network_from_json(const json::object& network, const Names& names) {
    auto name = text_of(network, "Name");
    auto shown = names.shown(name);
    return {text_of(network, "Id"), std::move(name), std::move(shown), job_of(network)};
}

}  // namespace supervisor::broker
