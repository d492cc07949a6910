#include "broker/names.hpp"

#include <cstdint>

#include "base/strings.hpp"

namespace supervisor::broker {
namespace {

// FNV-1a, folded to 40 bits: short enough for people, long enough for the agents of one host.
std::string short_hash(std::string_view text) {
    std::uint64_t hash = 14695981039346656037ULL;
    for (const char c : text) {
        hash ^= static_cast<unsigned char>(c);
        hash *= 1099511628211ULL;
    }
    hash = (hash >> 40) ^ (hash & 0xFFFFFFFFFFULL);
    std::string out;
    for (int shift = 36; shift >= 0; shift -= 4) out += "0123456789abcdef"[hash >> shift & 15];
    return out;
}

}  // namespace

Names::Names(std::string_view agent_id) : prefix_("gocd-" + short_hash(agent_id) + "-") {}

std::string Names::shown(std::string_view text) const {
    return replace_all(text, prefix_, "");
}

void set_owner_labels(json::object& labels, const Owner& owner, const JobIdentity& job) {
    for (auto it = labels.begin(); it != labels.end();) {
        const auto key = it->key();
        it = std::string_view(key.data(), key.size()).starts_with(kLabelPrefix) ? labels.erase(it) : std::next(it);
    }
    labels[kAgentLabel] = owner.agent_id;
    labels[kIncarnationLabel] = owner.incarnation;
    // Set even when empty: an image may carry the labels of the agent that built it.
    labels[kContainerLabel] = owner.container;
    labels[kJobLabel] = job.locator();
}

std::string owner_filter(const Owner& owner) {
    json::object filters;
    filters["label"] = json::array{json::string(std::string(kAgentLabel) + "=" + owner.agent_id)};
    return to_text(filters);
}

}  // namespace supervisor::broker
