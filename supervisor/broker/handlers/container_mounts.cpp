#include "broker/handlers/container_mounts.hpp"

#include <algorithm>

#include "base/strings.hpp"
#include "broker/objects/ledger.hpp"

namespace supervisor::broker {
namespace {

const json::array& list_of(const json::object& object, std::string_view key) {
    static const json::array kNone;
    const auto* list = object.if_contains(key);
    return list != nullptr && list->is_array() ? list->as_array() : kNone;
}

// A mount of HostConfig that is a part of one of the agent's volumes: its path in the agent; else "".
std::string agents_path(const MountTable& mounts, const json::object& mount) {
    const auto* volume = mounts.of_volume(text_of(mount, "Source"));
    if (volume == nullptr || text_of(mount, "Type") != "volume") return {};
    const auto* options = object_in(mount, "VolumeOptions");
    const auto subpath = options == nullptr ? std::string() : text_of(*options, "Subpath");
    return subpath.empty() ? volume->destination : volume->destination + "/" + subpath;
}

// The agent's path of what is mounted at `target`.
std::string path_behind(const MountTable& mounts, const json::object& host_config, std::string_view target) {
    for (const auto& element : list_of(host_config, "Mounts")) {
        if (element.is_object() && text_of(element.as_object(), "Target") == target)
            return agents_path(mounts, element.as_object());
    }
    return {};
}

// An element of "Mounts" beside HostConfig.
void show_mount_point(const MountTable& mounts, const json::object& host_config, json::object& mount) {
    const auto type = text_of(mount, "Type");
    if (type == "bind") {
        mount["Source"] = mounts.shown(text_of(mount, "Source"));
        return;
    }
    const auto* volume = type == "volume" ? mounts.of_volume(text_of(mount, "Name")) : nullptr;
    if (volume == nullptr) return;
    const auto path = path_behind(mounts, host_config, text_of(mount, "Destination"));
    mount["Type"] = "bind";
    mount["Source"] = path.empty() ? volume->destination : path;
    mount["Mode"] = "";
    mount["Propagation"] = "rprivate";
    for (const char* key : {"Name", "Driver"}) mount.erase(key);
}

void show_mount_points(const MountTable& mounts, const json::object& host_config, json::object& container) {
    auto* list = container.if_contains("Mounts");
    if (list == nullptr || !list->is_array()) return;
    for (auto& element : list->as_array()) {
        if (element.is_object()) show_mount_point(mounts, host_config, element.as_object());
    }
}

void show_binds(const MountTable& mounts, json::object& host_config) {
    auto* binds = host_config.if_contains("Binds");
    if (binds == nullptr || !binds->is_array()) return;
    for (auto& bind : binds->as_array()) {
        if (!bind.is_string() || !bind.as_string().starts_with("/")) continue;
        const std::string text(bind.as_string());
        const auto colon = text.find(':');
        bind = mounts.shown(text.substr(0, colon)) + (colon == std::string::npos ? "" : text.substr(colon));
    }
}

std::string as_bind(const std::string& path, const json::object& mount) {
    const auto* read_only = mount.if_contains("ReadOnly");
    const bool writable = read_only == nullptr || *read_only != json::value(true);
    return path + ":" + text_of(mount, "Target") + (writable ? "" : ":ro");
}

void show_requested_mounts(const MountTable& mounts, json::object& host_config) {
    auto* list = host_config.if_contains("Mounts");
    if (list == nullptr || !list->is_array()) return;
    json::array kept;
    json::array binds = list_of(host_config, "Binds");
    for (auto& element : list->as_array()) {
        const auto path = element.is_object() ? agents_path(mounts, element.as_object()) : std::string();
        if (path.empty()) {
            kept.push_back(std::move(element));
        } else {
            binds.push_back(json::string(as_bind(path, element.as_object())));
        }
    }
    for (auto& mount : kept) {
        if (mount.is_object() && text_of(mount.as_object(), "Type") == "bind")
            mount.as_object()["Source"] = mounts.shown(text_of(mount.as_object(), "Source"));
    }
    if (kept.empty()) {
        host_config.erase("Mounts");
    } else {
        *list = std::move(kept);
    }
    if (!binds.empty()) host_config["Binds"] = std::move(binds);
}

}  // namespace

std::vector<std::string> bind_sources(const json::object& host_config) {
    std::vector<std::string> out;
    for (const auto& bind : list_of(host_config, "Binds")) {
        if (!bind.is_string() || !bind.as_string().starts_with("/")) continue;
        const std::string_view text(bind.as_string());
        out.emplace_back(text.substr(0, text.find(':')));
    }
    for (const auto& mount : list_of(host_config, "Mounts")) {
        if (mount.is_object() && text_of(mount.as_object(), "Type") == "bind")
            out.push_back(text_of(mount.as_object(), "Source"));
    }
    return out;
}

void add_binds_of_volumes(const json::object& list, const std::vector<std::string>& volumes,
                          json::object& host_config) {
    for (const auto& element : list_of(list, "Volumes")) {
        if (!element.is_object()) continue;
        const auto& volume = element.as_object();
        const bool used = std::find(volumes.begin(), volumes.end(), text_of(volume, "Name")) != volumes.end();
        const auto* options = object_in(volume, "Options");
        auto device = used && options != nullptr ? text_of(*options, "device") : std::string();
        if (!device.starts_with('/')) continue;
        auto& mounts = host_config["Mounts"];
        if (!mounts.is_array()) mounts = json::array();
        mounts.as_array().push_back(json::object{{"Type", "bind"}, {"Source", std::move(device)}});
    }
}

std::vector<std::string> volumes_of(const json::object& container, const MountTable& mounts) {
    std::vector<std::string> out;
    for (const auto& mount : list_of(container, "Mounts")) {
        if (!mount.is_object() || text_of(mount.as_object(), "Type") != "volume") continue;
        auto name = text_of(mount.as_object(), "Name");
        if (mounts.of_volume(name) == nullptr) out.push_back(std::move(name));
    }
    return out;
}

bool has_agents_mounts(std::string_view list, const MountTable& mounts) {
    if (find_text(list, R"("Type":"bind")") != std::string_view::npos) return true;
    return std::any_of(mounts.mounts().begin(), mounts.mounts().end(), [list](const Mount& mount) {
        return !mount.volume.empty() && find_text(list, mount.volume) != std::string_view::npos;
    });
}

void show_listed_mounts(const MountTable& mounts, json::object& container) {
    show_mount_points(mounts, {}, container);
}

void show_mounts(const MountTable& mounts, json::object& container) {
    auto* host = container.if_contains("HostConfig");
    if (host == nullptr || !host->is_object()) return show_listed_mounts(mounts, container);
    auto& host_config = host->as_object();
    show_mount_points(mounts, host_config, container);
    show_binds(mounts, host_config);
    show_requested_mounts(mounts, host_config);
}

}  // namespace supervisor::broker
