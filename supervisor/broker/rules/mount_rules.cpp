// Binds, mounts and volumes: everything by which a container gets files that are not its own.
#include <algorithm>

#include "base/strings.hpp"
#include "broker/handlers/container_mounts.hpp"
#include "broker/rules/rules.hpp"

namespace supervisor::broker {
namespace {

constexpr std::string_view kSocketPaths[] = {"/var/run/docker.sock", "/run/docker.sock"};

bool is_engine_socket(const RuleScope& scope, std::string_view path) {
    const auto listed = [path](std::string_view known) { return !known.empty() && path == known; };
    return listed(kSocketPaths[0]) || listed(kSocketPaths[1]) || listed(scope.config.listen_path) ||
           listed(scope.config.shared_path) || listed(scope.config.host_socket);
}

std::string clean_path(std::string_view path) {
    std::string out;
    for (const auto part : split(path, '/')) {
        if (part.empty() || part == ".") continue;
        if (part == "..") {
            const auto slash = out.rfind('/');
            out.resize(slash == std::string::npos ? 0 : slash);
        } else {
            out.append("/").append(part);
        }
    }
    return out.empty() ? "/" : out;
}

// A container that is given the Docker socket gets the broker's: what it does then is this agent's doing.
Result<EnginePath> broker_socket(const RuleScope& scope) {
    if (scope.config.mode == Mode::Dind) return EnginePath{scope.config.listen_path};
    for (const auto& path : {scope.config.shared_path, scope.config.listen_path}) {
        if (path.empty()) continue;
        const auto source = scope.mounts.own_path(path);
        if (!source) continue;
        if (!scope.mounts.leads_to_itself(path))
            return fail(path + " is not the broker's socket any more: a link was put in its place");
        return EnginePath{*source};
    }
    return fail(
        Error("the agent has no volume or bind mount on which a container could be given the broker's socket")
            .advice("start the agent with a volume, for its working directory for example: "
                    "docker run -v agent-work:/godata …"));
}

// A path as the engine is to see it, or the reason why not.
Result<EnginePath> engine_path(const RuleScope& scope, const std::string& path) {
    const auto cleaned = clean_path(path);
    if (is_engine_socket(scope, cleaned)) return broker_socket(scope);
    auto translated = scope.mounts.translate(cleaned);
    if (translated || !scope.policy.allows_host_path(cleaned)) return translated;
    return EnginePath{cleaned};
}

bool is_part_of_volume(const RuleScope& scope, const EnginePath& path) {
    return scope.volume_subpaths && !path.volume.empty();
}

json::object volume_part(const EnginePath& path, std::string_view target, bool writable) {
    return {{"Type", "volume"},
            {"Source", path.volume},
            {"Target", target},
            {"ReadOnly", !writable},
            {"VolumeOptions", {{"NoCopy", true}, {"Subpath", path.subpath}}}};
}

Denial bind_refusal(const RuleScope& scope, const std::string& path, const Error& error) {
    return refusal(scope, Permission::HostPaths, path, error.message());
}

struct BindMode {
    bool given = false;
    bool writable = true;
    std::string nocopy;  // for volumes
};

// Modes of the third part of a bind. Propagation and relabelling reach beyond the container and are left out.
std::optional<BindMode> parse_mode(std::string_view text) {
    BindMode mode;
    if (text.empty()) return mode;
    mode.given = true;
    for (const auto word : split(text, ',')) {
        static constexpr std::string_view kIgnored[] = {
            "rw",       "z",       "Z",       "consistent", "cached", "delegated", "copy",
            "rprivate", "private", "rshared", "shared",     "rslave", "slave"};
        if (word == "ro") {
            mode.writable = false;
        } else if (word == "nocopy") {
            mode.nocopy = ",nocopy";
        } else if (std::find(std::begin(kIgnored), std::end(kIgnored), word) == std::end(kIgnored)) {
            return {};
        }
    }
    return mode;
}

std::string mode_text(bool writable) {
    return writable ? ":rw" : ":ro";
}

// Without a mode where there was none: clients compare what they see with what they asked for.
std::string mode_as_given(const BindMode& mode, bool source_is_writable) {
    const bool writable = mode.writable && source_is_writable;
    return writable && !mode.given ? "" : mode_text(writable);
}

bool is_volume_name(std::string_view name) {
    return !name.empty() &&
           name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") ==
               std::string_view::npos;
}

// The engine's name of a volume that a client names. One that is ours under the same name (an anonymous one)
// keeps it.
std::string engine_volume(RuleScope& scope, const std::string& name) {
    if (scope.ledger.owns_volume(name)) return name;
    auto hidden = scope.names.hidden(name);
    if (!scope.ledger.owns_volume(hidden)) scope.volumes_to_create.push_back(hidden);
    return hidden;
}

Verdict check_bind(RuleScope& scope, const std::string& text, json::array& out, const std::string& path) {
    const auto parts = split(text, ':');
    if (parts.size() > 3 || parts.front().empty() || (parts.size() > 1 && !parts[1].starts_with('/'))) {
        return malformed(path, "SOURCE:DESTINATION[:MODE], got \"" + printable(text, 200) + "\"");
    }
    if (parts.size() == 1) {
        out.push_back(json::string(text));
        return {};
    }
    const auto mode = parse_mode(parts.size() == 3 ? parts[2] : std::string_view());
    if (!mode)
        return malformed(
            path, "ro, rw, z, nocopy or a propagation as mode, got \"" + printable(parts[2], 60) + "\"");
    const std::string source(parts[0]);
    const std::string destination = clean_path(parts[1]);
    if (!source.starts_with('/')) {
        if (!is_volume_name(source))
            return malformed(path,
                             "a volume name or an absolute path, got \"" + printable(source, 200) + "\"");
        out.push_back(json::string(engine_volume(scope, source) + ":" + destination +
                                   mode_as_given(*mode, true) + mode->nocopy));
        return {};
    }
    const auto translated = engine_path(scope, source);
    if (!translated) return bind_refusal(scope, path, translated.error());
    if (is_part_of_volume(scope, *translated)) {
        const bool writable = mode->writable && translated->writable;
        scope.volume_parts.push_back(volume_part(*translated, destination, writable));
    } else if (translated->source.find(':') != std::string::npos) {
        // A link may lead to a name with a colon, which the engine would take for the end of the source.
        return malformed(
            path, "a source without a colon; use a mount for \"" + printable(translated->source, 200) + "\"");
    } else {
        out.push_back(json::string(translated->source + ":" + destination +
                                   mode_as_given(*mode, translated->writable)));
    }
    for (const auto& nested : translated->nested) {
        const auto inner = clean_path(destination + nested.below);
        out.push_back(
            json::string(nested.source + ":" + inner + mode_text(mode->writable && nested.writable)));
    }
    return {};
}

// ---- Mounts ----

Verdict ask_propagation(RuleScope&, json::value& value, const FieldRule&, const std::string&) {
    value = nullptr;  // always the engine's default, rprivate
    return {};
}

constexpr FieldRule kBindOptions[] = {
    {"Propagation", ask_propagation}, {"NonRecursive", pass},           {"CreateMountpoint", pass},
    {"ReadOnlyNonRecursive", pass},   {"ReadOnlyForceRecursive", pass},
};

Verdict check_subpath(RuleScope&, json::value& value, const FieldRule&, const std::string& path) {
    if (is_empty_value(value)) return {};
    const std::string text(value.is_string() ? std::string(value.as_string()) : std::string());
    const auto parts = split(text, '/');
    const bool clean = !text.empty() && std::none_of(parts.begin(), parts.end(), [](std::string_view part) {
        return part.empty() || part == "..";
    });
    return clean ? Verdict() : Verdict(malformed(path, "a relative path without \"..\""));
}

constexpr FieldRule kDriverConfig[] = {
    {"Name",
     [](RuleScope& scope, json::value& value, const FieldRule& rule, const std::string& path) {
         return value == json::value("local") ? Verdict() : ask(scope, value, rule, path);
     },
     Permission::VolumeDrivers},
    {"Options", ask, Permission::VolumeDrivers},
};

Verdict check_driver_config(RuleScope& scope, json::value& value, const FieldRule&, const std::string& path) {
    if (value.is_null()) return {};
    if (!value.is_object()) return malformed(path, "an object");
    return apply_rules(scope, value.as_object(), kDriverConfig, path + ".");
}

Verdict check_volume_labels(RuleScope&, json::value& value, const FieldRule&, const std::string& path) {
    if (value.is_null() || value.is_object()) return {};
    return malformed(path, "an object");
}

constexpr FieldRule kVolumeOptions[] = {
    {"NoCopy", pass},
    {"Labels", check_volume_labels},
    {"Subpath", check_subpath},
    {"DriverConfig", check_driver_config},
};

constexpr FieldRule kTmpfsOptions[] = {
    {"SizeBytes", pass},
    {"Mode", pass},
    {"Options", ask, Permission::UnknownFields},
};

constexpr FieldRule kImageOptions[] = {{"Subpath", check_subpath}};

template <const auto& Table>
Verdict check_options(RuleScope& scope, json::value& value, const FieldRule&, const std::string& path) {
    if (value.is_null()) return {};
    if (!value.is_object()) return malformed(path, "an object");
    return apply_rules(scope, value.as_object(), Table, path + ".");
}

constexpr FieldRule kMountFields[] = {
    {"Type", pass},
    {"Source", pass},
    {"Target", pass},
    {"ReadOnly", pass},
    {"Consistency", drop},
    {"BindOptions", check_options<kBindOptions>},
    {"VolumeOptions", check_options<kVolumeOptions>},
    {"TmpfsOptions", check_options<kTmpfsOptions>},
    {"ImageOptions", check_options<kImageOptions>},
};

Verdict translate_bind_mount(RuleScope& scope, json::object& mount, json::array& out,
                             const std::string& path) {
    const auto translated = engine_path(scope, text_of(mount, "Source"));
    if (!translated) return bind_refusal(scope, path + ".Source", translated.error());
    const auto* read_only = mount.if_contains("ReadOnly");
    const bool writable = !(read_only != nullptr && read_only->is_bool() && read_only->as_bool());
    const auto target = text_of(mount, "Target");
    if (is_part_of_volume(scope, *translated)) {
        scope.volume_parts.push_back(volume_part(*translated, target, writable && translated->writable));
    } else {
        mount["Source"] = translated->source;
        mount["ReadOnly"] = !(writable && translated->writable);
        out.push_back(mount);
    }
    for (const auto& nested : translated->nested) {
        out.push_back(json::object{{"Type", "bind"},
                                   {"Source", nested.source},
                                   {"Target", clean_path(target + nested.below)},
                                   {"ReadOnly", !(writable && nested.writable)}});
    }
    return {};
}

void label_volume_mount(RuleScope& scope, json::object& mount) {
    const auto name = text_of(mount, "Source");
    if (!name.empty()) mount["Source"] = scope.ledger.owns_volume(name) ? name : scope.names.hidden(name);
    auto& options = mount["VolumeOptions"];
    if (!options.is_object()) options = json::object();
    auto& labels = options.as_object()["Labels"];
    if (!labels.is_object()) labels = json::object();
    set_owner_labels(labels.as_object(), scope.owner, scope.job);
}

Verdict check_mount(RuleScope& scope, json::value& value, json::array& out, const std::string& path) {
    if (!value.is_object()) return malformed(path, "an object");
    auto& mount = value.as_object();
    if (auto denial = apply_rules(scope, mount, kMountFields, path + ".")) return denial;
    const auto type = text_of(mount, "Type");
    if (type == "bind") return translate_bind_mount(scope, mount, out, path);
    if (type == "volume") {
        const auto name = text_of(mount, "Source");
        if (!name.empty() && !is_volume_name(name)) return malformed(path + ".Source", "a volume name");
        label_volume_mount(scope, mount);
    } else if (type == "image") {
        // Whether the job may see it is asked of the engine, as with the container's own image.
        if (text_of(mount, "Source").empty()) return malformed(path + ".Source", "an image");
    } else if (type != "tmpfs" && !scope.policy.allows(Permission::UnknownFields)) {
        return refusal(scope, Permission::UnknownFields, path + ".Type",
                       "only bind, volume, tmpfs and image may be used");
    }
    out.push_back(mount);
    return {};
}

}  // namespace

Verdict check_binds(RuleScope& scope, json::value& value, const FieldRule&, const std::string& path) {
    if (value.is_null()) return {};
    if (!value.is_array()) return malformed(path, "a list");
    json::array out;
    for (const auto& element : value.as_array()) {
        if (!element.is_string()) return malformed(path, "a list of strings");
        if (auto denial = check_bind(scope, std::string(element.as_string()), out, path)) return denial;
    }
    value = std::move(out);
    return {};
}

Verdict check_mounts(RuleScope& scope, json::value& value, const FieldRule&, const std::string& path) {
    if (value.is_null()) return {};
    if (!value.is_array()) return malformed(path, "a list");
    json::array out;
    std::size_t index = 0;
    for (auto& element : value.as_array()) {
        if (auto denial = check_mount(scope, element, out, path + "[" + std::to_string(index++) + "]"))
            return denial;
    }
    value = std::move(out);
    return {};
}

Verdict check_tmpfs(RuleScope&, json::value& value, const FieldRule&, const std::string& path) {
    if (value.is_null()) return {};
    if (!value.is_object()) return malformed(path, "an object");
    static constexpr std::string_view kWords[] = {"rw",    "ro",      "noexec", "exec", "nosuid",
                                                  "nodev", "noatime", "sync",   "async"};
    static constexpr std::string_view kKeys[] = {"size", "mode", "uid", "gid", "nr_inodes", "nr_blocks"};
    for (const auto& member : value.as_object()) {
        if (!member.value().is_string()) return malformed(path, "strings");
        for (const auto option : split(std::string_view(member.value().as_string()), ',')) {
            const auto key = option.substr(0, option.find('='));
            const bool known = option.empty() ||
                               std::find(std::begin(kWords), std::end(kWords), option) != std::end(kWords) ||
                               std::find(std::begin(kKeys), std::end(kKeys), key) != std::end(kKeys);
            if (!known)
                return Denial{403, "tmpfs-options",
                              path + ": option \"" + printable(option, 60) + "\" is not allowed for a tmpfs"};
        }
    }
    return {};
}

// --volumes-from: containers of our own by id; the agent itself by its mounts, less those that are protected.
Verdict expand_volumes_from(RuleScope& scope, json::object& host_config) {
    auto* list = host_config.if_contains("VolumesFrom");
    if (list == nullptr || !list->is_array()) return {};
    json::array kept;
    json::array binds;
    for (const auto& element : list->as_array()) {
        if (!element.is_string()) return malformed("HostConfig.VolumesFrom", "a list of NAME[:MODE]");
        const std::string text(element.as_string());
        const auto colon = text.find(':');
        auto reference = text.substr(0, colon);
        const auto mode = colon == std::string::npos ? std::string() : text.substr(colon);
        if (!mode.empty() && mode != ":ro" && mode != ":rw")
            return malformed("HostConfig.VolumesFrom", "ro or rw as mode");
        if (is_agent(scope, reference)) {
            for (const auto& mount : scope.mounts.shareable()) {
                binds.push_back(json::string(mount.source + ":" + mount.destination +
                                             mode_text(mount.writable && mode != ":ro")));
            }
            continue;
        }
        if (auto denial = own_container(scope, reference)) return denial;
        kept.push_back(json::string(reference + mode));
    }
    *list = std::move(kept);
    if (binds.empty()) return {};
    auto& existing = host_config["Binds"];
    if (!existing.is_array()) existing = json::array();
    for (auto& bind : binds) existing.as_array().push_back(std::move(bind));
    return {};
}

void add_volume_parts(RuleScope& scope, json::object& host_config) {
    if (scope.volume_parts.empty()) return;
    auto& mounts = host_config["Mounts"];
    if (!mounts.is_array()) mounts = json::array();
    for (const auto& part : scope.volume_parts) mounts.as_array().push_back(part);
}

// Sources that still are what was checked when the container was created.
Verdict check_bind_sources(RuleScope& scope, const json::object& host_config) {
    if (scope.policy.allows(Permission::HostPaths)) return {};
    for (const auto& source : bind_sources(host_config)) {
        const auto path = scope.mounts.agents_path(source);
        if (path && !scope.mounts.leads_to_itself(*path))
            return refusal(scope, Permission::HostPaths, "HostConfig.Binds",
                           printable(*path, 200) +
                               " has become a link, or cannot be looked at, since the container was created");
    }
    return {};
}

// ---- volumes/create ----

namespace {

Verdict check_driver(RuleScope& scope, json::value& value, const FieldRule& rule, const std::string& path) {
    return value == json::value("local") ? Verdict() : ask(scope, value, rule, path);
}

Verdict check_driver_options(RuleScope& scope, json::value& value, const FieldRule& rule,
                             const std::string& path);

constexpr FieldRule kVolumeFields[] = {
    {"Name", pass},
    {"Driver", check_driver, Permission::VolumeDrivers},
    {"DriverOpts", check_driver_options, Permission::VolumeDrivers},
    {"Labels", check_volume_labels},
    {"ClusterVolumeSpec", ask, Permission::VolumeDrivers},
};

// The local driver mounts as root whatever it is told. A tmpfs is harmless; a bind is translated as any
// other.
Verdict check_driver_options(RuleScope& scope, json::value& value, const FieldRule& rule,
                             const std::string& path) {
    if (is_empty_value(value)) return {};
    if (!value.is_object()) return malformed(path, "an object");
    auto& options = value.as_object();
    const auto type = text_of(options, "type");
    const auto mount_options = text_of(options, "o");
    for (const auto& member : options) {
        const std::string_view key(member.key().data(), member.key().size());
        const bool known = key == "type" || key == "device" || key == "o" || key == "size";
        if (!known) return ask(scope, value, rule, path);
    }
    if (type == "tmpfs" && text_of(options, "device") == "tmpfs") {
        json::value as_tmpfs = json::object{{"o", mount_options}};
        return check_tmpfs(scope, as_tmpfs, rule, path);
    }
    if ((type == "none" || type.empty()) &&
        (mount_options == "bind" || mount_options == "rbind" || mount_options == "bind,ro")) {
        const auto translated = engine_path(scope, text_of(options, "device"));
        if (!translated) return bind_refusal(scope, path + ".device", translated.error());
        if (!translated->nested.empty())
            return malformed(
                path + ".device",
                "a directory without other mounts of the agent below it; bind it without a volume");
        options["device"] = translated->source;
        options["o"] = translated->writable ? mount_options : std::string("bind,ro");
        return {};
    }
    if (options.size() == 1 && options.contains("size")) return {};
    return ask(scope, value, rule, path);
}

}  // namespace

Verdict rewrite_volume(RuleScope& scope, json::object& body) {
    if (auto denial = apply_rules(scope, body, kVolumeFields, "")) return denial;
    const auto name = text_of(body, "Name");
    if (!name.empty()) {
        if (!is_volume_name(name)) return malformed("Name", "a volume name ([a-zA-Z0-9][a-zA-Z0-9_.-])");
        body["Name"] = scope.ledger.owns_volume(name) ? name : scope.names.hidden(name);
    }
    auto& labels = body["Labels"];
    if (!labels.is_object()) labels = json::object();
    set_owner_labels(labels.as_object(), scope.owner, scope.job);
    return {};
}

}  // namespace supervisor::broker
