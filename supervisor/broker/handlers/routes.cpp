#include "broker/handlers/routes.hpp"

#include <algorithm>

#include "base/strings.hpp"
#include "broker/handlers/handlers.hpp"

namespace supervisor::broker {
namespace {

using enum BodyUse;

constexpr std::string_view kBuildKeys =
    "t* dockerfile remote labels buildargs cachefrom networkmode memory memswap cpushares cpuperiod cpuquota "
    "cpusetcpus cpusetmems shmsize ulimits extrahosts* target platform outputs session buildid version "
    "squash q "
    "nocache rm forcerm pull cgroupparent securityopt isolation";

// method, pattern, handler, body, query keys, mutates
constexpr Route kRoutes[] = {
    {"HEAD", "/_ping", ping},
    {"GET", "/_ping", ping},
    {"GET", "/version", show_version},
    {"GET", "/info", show_info},
    {"POST", "/auth", pass_json, Json},
    {"GET", "/events", stream_events, None, "since until filters"},
    {"GET", "/system/df", show_disk_usage, None, "type* verbose"},

    {"GET", "/containers/json", list_containers, None, "all limit size filters"},
    {"POST", "/containers/create", create_container, Json, "name platform", true},
    {"POST", "/containers/prune", prune_containers, None, "filters", true},
    {"GET", "/containers/{id}/json", inspect_container, None, "size"},
    {"GET", "/containers/{id}/top", container_top, None, "ps_args"},
    {"GET", "/containers/{id}/logs", container_stream, None,
     "follow stdout stderr since until timestamps tail details"},
    {"GET", "/containers/{id}/changes", container_call},
    {"GET", "/containers/{id}/stats", container_stats, None, "stream one-shot"},
    {"GET", "/containers/{id}/export", container_stream},
    {"POST", "/containers/{id}/start", start_container, Json, "detachKeys", true},
    {"POST", "/containers/{id}/stop", container_call, None, "t signal", true},
    {"POST", "/containers/{id}/restart", restart_container, None, "t signal", true},
    {"POST", "/containers/{id}/kill", container_call, None, "signal", true},
    {"POST", "/containers/{id}/pause", container_call, None, "", true},
    {"POST", "/containers/{id}/unpause", container_call, None, "", true},
    {"POST", "/containers/{id}/wait", container_stream, None, "condition"},
    {"POST", "/containers/{id}/resize", container_call, None, "h w"},
    {"POST", "/containers/{id}/update", update_container, Json, "", true},
    {"POST", "/containers/{id}/rename", rename_container, None, "name", true},
    {"POST", "/containers/{id}/attach", attach_container, None, "detachKeys logs stream stdin stdout stderr"},
    {"GET", "/containers/{id}/attach/ws", attach_container, None,
     "detachKeys logs stream stdin stdout stderr"},
    {"POST", "/containers/{id}/exec", create_exec, Json, "", true},
    {"HEAD", "/containers/{id}/archive", container_archive, None, "path"},
    {"GET", "/containers/{id}/archive", container_archive, None, "path"},
    {"PUT", "/containers/{id}/archive", container_archive, Stream, "path noOverwriteDirNonDir copyUIDGID",
     true},
    {"DELETE", "/containers/{id}", remove_container, None, "v force link", true},

    {"POST", "/exec/{id}/start", start_exec, Json, "", true},
    {"POST", "/exec/{id}/resize", exec_call, None, "h w"},
    {"GET", "/exec/{id}/json", exec_call},

    {"GET", "/images/json", list_images, None, "all digests filters shared-size manifests"},
    {"POST", "/images/create", create_image, Stream, "fromImage fromSrc repo tag message platform changes*",
     true},
    {"POST", "/images/load", load_images, Stream, "quiet platform*", true},
    {"POST", "/images/prune", prune_images, None, "filters", true},
    {"GET", "/images/search", pass_through, None, "term limit filters"},
    {"GET", "/images/get", save_images, None, "names* platform*"},
    {"GET", "/images/{name...}/get", image_stream, None, "platform*"},
    {"GET", "/images/{name...}/json", inspect_image, None, "manifests platform"},
    {"GET", "/images/{name...}/history", image_stream, None, "platform"},
    {"POST", "/images/{name...}/push", push_image, Json, "tag platform", true},
    {"POST", "/images/{name...}/tag", tag_image, None, "repo tag", true},
    {"DELETE", "/images/{name...}", remove_image, None, "force noprune platforms", true},
    {"GET", "/distribution/{name...}/json", pass_through},
    {"POST", "/commit", commit_container, Json, "container repo tag comment author pause changes*", true},

    {"POST", "/build", build_image, Stream, kBuildKeys, true},
    {"POST", "/build/cancel", pass_through, None, "id", true},
    {"POST", "/build/prune", prune_build_cache, None,
     "all filters keep-storage reserved-space max-used-space min-free-space", true},
    {"POST", "/session", open_buildkit, None},
    {"POST", "/grpc", open_buildkit, None},

    {"GET", "/networks", list_networks, None, "filters"},
    {"POST", "/networks/create", create_network, Json, "", true},
    {"POST", "/networks/prune", prune_networks, None, "filters", true},
    {"GET", "/networks/{id}", inspect_network, None, "verbose scope"},
    {"POST", "/networks/{id}/connect", connect_network, Json, "", true},
    {"POST", "/networks/{id}/disconnect", disconnect_network, Json, "", true},
    {"DELETE", "/networks/{id}", remove_network, None, "", true},

    {"GET", "/volumes", list_volumes, None, "filters"},
    {"POST", "/volumes/create", create_volume, Json, "", true},
    {"POST", "/volumes/prune", prune_volumes, None, "filters", true},
    {"GET", "/volumes/{id}", inspect_volume},
    {"DELETE", "/volumes/{id}", remove_volume, None, "force", true},

    // What clients ask about on any engine; answered as an engine without plugins and swarm does.
    {"GET", "/plugins", no_plugins, None, "filters"},
    {"GET", "/swarm", no_swarm},
    {"GET", "/services", no_swarm, None, "filters status"},
    {"GET", "/nodes", no_swarm, None, "filters"},
    {"GET", "/tasks", no_swarm, None, "filters"},
    {"GET", "/secrets", no_swarm, None, "filters"},
    {"GET", "/configs", no_swarm, None, "filters"},
};

std::string join_from(const std::vector<std::string>& segments, std::size_t first, std::size_t count) {
    std::string out;
    for (std::size_t i = 0; i < count; ++i) out += (i > 0 ? "/" : "") + segments[first + i];
    return out;
}

// The pattern's single parameter is at `position`; how many segments it takes follows from the lengths.
bool match(std::string_view pattern, const std::vector<std::string>& segments, std::string& name) {
    const auto parts = static_cast<std::size_t>(std::count(pattern.begin(), pattern.end(), '/'));
    const bool many = pattern.find("...}") != std::string_view::npos;
    if (many ? segments.size() < parts : segments.size() != parts) return false;
    const auto span = segments.size() - parts + 1;
    std::size_t at = 0;
    while (!pattern.empty()) {
        pattern.remove_prefix(1);  // the slash
        const auto part = pattern.substr(0, pattern.find('/'));
        pattern.remove_prefix(part.size());
        if (part.ends_with("...}")) {
            name = join_from(segments, at, span);
            at += span;
        } else if (part.front() == '{') {
            if (segments[at].find('/') != std::string::npos) return false;
            name = segments[at++];
        } else if (segments[at++] != part) {
            return false;
        }
    }
    return true;
}

// `rest` is a pattern from its second '/' on, or from the middle of a segment: only a full match tells then.
bool may_be_second(std::string_view rest, std::string_view segment) {
    if (!rest.starts_with('/') || rest.substr(1).starts_with('{')) return true;
    return rest.substr(1).starts_with(segment);
}

}  // namespace

std::span<const Route> routes() {
    return kRoutes;
}

RouteMatch match_route(std::string_view method, const std::vector<std::string>& segments) {
    for (const auto& route : kRoutes) {
        // Cheap refusals first: most rows fail on the method or on the first segment.
        if (route.method != method || !route.pattern.substr(1).starts_with(segments.front())) continue;
        if (segments.size() > 1 &&
            !may_be_second(route.pattern.substr(1 + segments.front().size()), segments[1]))
            continue;
        RouteMatch found;
        if (match(route.pattern, segments, found.name)) {
            found.route = &route;
            return found;
        }
    }
    return {};
}

BodyUse body_use(const Route& route, const Query& query) {
    const bool pull = route.handler == create_image && query.has("fromImage");
    return pull ? BodyUse::None : route.body;
}

Result<Query> allowed_query(const Route& route, const Query& query) {
    Query out;
    if (query.items().empty()) return out;
    const auto keys = split_words(route.query);
    for (const auto& item : query.items()) {
        const auto known = std::find_if(keys.begin(), keys.end(), [&](std::string_view key) {
            return key == item.key || (key.ends_with('*') && key.substr(0, key.size() - 1) == item.key);
        });
        if (known == keys.end()) continue;
        if (!known->ends_with('*') && out.has(item.key))
            return fail("query parameter " + printable(item.key, 40) + " is given twice");
        out.add(item.key, item.value);
    }
    return out;
}

}  // namespace supervisor::broker
