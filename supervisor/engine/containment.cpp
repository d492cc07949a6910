#include "engine/containment.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "base/strings.hpp"

namespace supervisor::engine {
namespace {

using host::ContainmentFacts;
using host::ContainmentNeed;
using host::IdMapEntry;

// Fewer, and ordinary images have files whose owners do not exist.
constexpr std::uint32_t kFewestIds = 65536;
// Below it live the users of the host; every distribution's subordinate ids start there.
constexpr std::uint32_t kFirstId = 100000;

// How many ids from kFirstId on every map has in one piece.
std::uint32_t ids_available(const std::vector<IdMapEntry>& map) {
    for (const auto& entry : map) {
        if (kFirstId < entry.inside || kFirstId - entry.inside >= entry.count) continue;
        return entry.count - (kFirstId - entry.inside);
    }
    return 0;
}

// As many as there are: images of some companies have users with ids in the billions.
std::optional<host::IdRange> choose_ids(const ContainmentFacts& facts) {
    const auto count = std::min(ids_available(facts.users), ids_available(facts.groups));
    if (count < kFewestIds) return std::nullopt;
    return host::IdRange{kFirstId, count};
}

std::string explain(const ContainmentFacts& facts) {
    const std::string why = facts.error == 0 ? std::string() : " (" + errno_text(facts.error) + ")";
    switch (facts.missing) {
        case ContainmentNeed::Namespaces:
            if (facts.max_user_namespaces == 0)
                return "user namespaces are turned off on this host (user.max_user_namespaces is 0)";
            return "user namespaces cannot be made here" + why;
        case ContainmentNeed::IdMappedData:
            return fmt::format(
                "the file system of the data directory, {}, cannot be id-mapped{}: give it a volume "
                "on ext4, xfs or btrfs, and a kernel of 5.12 or later",
                facts.data_file_system, why);
        case ContainmentNeed::Devices:
            return "device nodes cannot be made" + why + ": the container must be privileged";
        case ContainmentNeed::Proc:
            return "proc cannot be mounted in a user namespace" + why +
                   ": parts of /proc are masked, so the container is not privileged";
        case ContainmentNeed::Sysfs:
            return "sysfs cannot be mounted in a user namespace" + why +
                   ": parts of /sys are masked, so the container is not privileged";
        case ContainmentNeed::Cgroups:
            return "the cgroup file system cannot be mounted in a user namespace" + why;
        case ContainmentNeed::Overlay:
            return "overlay cannot be mounted in a user namespace on the data directory" + why +
                   ": it needs a kernel of 5.11 or later";
        case ContainmentNeed::Nothing:
            break;
    }
    return {};
}

// Then the host has protected itself: root here is nobody there. Devices cannot be made for a contained
// engine, and nothing needs to be cut.
bool in_user_namespace(const ContainmentFacts& facts) {
    const auto& users = facts.users;
    return !users.empty() && (users.size() > 1 || users[0].outside != 0 || users[0].count != UINT32_MAX);
}

constexpr const char* kInside = "the container is in a user namespace itself, where devices cannot be made";

// "" when userns mode can be had.
std::string missing_for_userns(const ContainmentFacts& facts) {
    if (in_user_namespace(facts)) return kInside;
    if (!facts.tried) return "it was not tried whether user namespaces work here";
    if (auto text = explain(facts); !text.empty()) return text;
    if (!choose_ids(facts))
        return fmt::format("this container has no {} user and group ids from {} on to give away", kFewestIds,
                           kFirstId);
    return {};
}

ContainmentPlan userns_plan(const ContainmentFacts& facts, std::string reason) {
    ContainmentPlan plan;
    plan.mode = ContainmentMode::Userns;
    plan.reason = std::move(reason);
    plan.ids = choose_ids(facts).value();
    for (const auto& directory : facts.directories)
        (directory.error == 0 ? plan.mappable : plan.unmappable).push_back(directory.path);
    return plan;
}

constexpr const char* kNoCaps = "capabilities cannot be cut: CAP_SETPCAP is missing";

}  // namespace

std::string_view to_string(ContainmentMode mode) {
    switch (mode) {
        case ContainmentMode::Userns:
            return "userns";
        case ContainmentMode::Caps:
            return "caps";
        case ContainmentMode::Off:
            return "off";
    }
    return "off";
}

Result<ContainmentRequest> parse_containment(std::string_view text) {
    if (text == "auto") return ContainmentRequest::Auto;
    if (text == "userns") return ContainmentRequest::Userns;
    if (text == "caps") return ContainmentRequest::Caps;
    if (text == "off") return ContainmentRequest::Off;
    return fail(fmt::format("\"{}\" is no containment: use auto, userns, caps or off", text));
}

Result<ContainmentPlan> plan_containment(ContainmentRequest request, const ContainmentFacts& facts) {
    if (request == ContainmentRequest::Off)
        return ContainmentPlan{
            ContainmentMode::Off, "asked for: whoever reaches the engine owns the host", {}, {}, {}};
    const bool caps = facts.can_cut_capabilities;
    if (request == ContainmentRequest::Caps) {
        if (in_user_namespace(facts)) return fail(Error(EPERM, std::string("containment caps: ") + kInside));
        if (!caps) return fail(Error(EPERM, std::string("containment caps: ") + kNoCaps));
        return ContainmentPlan{ContainmentMode::Caps, "asked for", {}, {}, {}};
    }
    const auto missing = missing_for_userns(facts);
    if (missing.empty())
        return userns_plan(
            facts, request == ContainmentRequest::Userns ? "asked for" : "everything it needs works here");
    if (request == ContainmentRequest::Userns)
        return fail(Error(facts.error, "containment userns: " + missing));
    if (in_user_namespace(facts))
        return ContainmentPlan{
            ContainmentMode::Off, missing + "; its root is nobody on the host", {}, {}, {}};
    if (caps) return ContainmentPlan{ContainmentMode::Caps, missing, {}, {}, {}};
    return ContainmentPlan{ContainmentMode::Off, missing + "; and " + kNoCaps, {}, {}, {}};
}

}  // namespace supervisor::engine
