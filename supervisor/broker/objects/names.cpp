#include "broker/objects/names.hpp"

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

std::string Names::shown(std::string&& text) const {
    return find_text(text, prefix_) == std::string::npos ? std::move(text) : shown(std::string_view(text));
}

std::string owner_label(const Owner& owner, const JobIdentity& job) {
    const auto or_dash = [](const std::string& text) { return text.empty() ? std::string("-") : text; };
    return or_dash(owner.incarnation) + " " + or_dash(owner.container) + " " + or_dash(job.locator());
}

OwnerLabel parse_owner_label(std::string_view text) {
    const auto next = [&text] {
        const auto end = text.find(' ');
        const auto word = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        return word == "-" ? std::string() : std::string(word);
    };
    OwnerLabel label;
    label.incarnation = next();
    label.container = next();
    label.job = text == "-" ? std::string() : std::string(text);
    return label;
}

namespace {

void drop_owner_labels(json::object& labels) {
    for (auto it = labels.begin(); it != labels.end();) {
        const auto key = it->key();
        it = std::string_view(key.data(), key.size()).starts_with(kLabelPrefix) ? labels.erase(it)
                                                                                : std::next(it);
    }
}

}  // namespace

void hide_owner_labels(json::object& object) {
    auto* labels = object.if_contains("Labels");
    if (labels != nullptr && labels->is_object()) drop_owner_labels(labels->as_object());
}

void set_owner_labels(json::object& labels, const Owner& owner, const JobIdentity& job) {
    drop_owner_labels(labels);
    labels[kAgentLabel] = owner.agent_id;
    labels[kOwnerLabel] = owner_label(owner, job);
}

std::string owner_filter(const Owner& owner) {
    json::object filters;
    filters["label"] = json::array{json::string(std::string(kAgentLabel) + "=" + owner.agent_id)};
    return to_text(filters);
}

}  // namespace supervisor::broker
