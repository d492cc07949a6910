// The body of /containers/create under the isolated policy. Whatever comes out must be free of every way out:
// this looks at the result alone and knows nothing of the rules that made it.
#include <cstdint>
#include <cstdlib>

#include "broker/http/json_guard.hpp"
#include "broker/rules/rules.hpp"

using namespace supervisor;
using namespace supervisor::broker;

namespace {

void require(bool condition) {
    if (!condition) std::abort();
}

const std::string kOwn(64, 'a');
const std::string kAgent(64, 'f');

struct World {
    Policy policy = Policy::isolated();
    Names names{"agent"};
    Owner owner{"agent", "1", kAgent};
    Ledger ledger;
    Config config;
    MountTable mounts{{{"/godata", "/vol/godata", true}, {"/run/gocd", "/vol/run", true}},
                      {"/proc", "/godata/secret"},
                      [](const std::string& path) -> Result<sys::ResolvedPath> {
                          return sys::ResolvedPath{path, true};
                      }};
    World() {
        config.listen_path = "/run/gocd/docker.sock";
        config.cgroup_parent = "/agents/a";
        ledger.add(OwnContainer{kOwn, "db", "", 0, 0});
        ledger.add(OwnNetwork{std::string(64, 'c'), names.hidden("app"), "app", ""});
    }
};

void check_source(std::string_view source) {
    if (source.starts_with('/')) {
        require(is_within(source, "/vol/godata") || is_within(source, "/vol/run"));
        require(!is_within(source, "/vol/godata/secret"));
        require(source.find("/../") == std::string_view::npos && !source.ends_with("/.."));
    } else {
        require(source.starts_with("gocd-"));
    }
}

void check_strings(const World& world, const json::object& host) {
    const auto mode = text_of(host, "NetworkMode");
    require(mode != "host" && !mode.starts_with("ns:"));
    for (const char* field : {"NetworkMode", "PidMode", "IpcMode"}) {
        const auto text = text_of(host, field);
        require(text != "host");
        if (text.starts_with("container:")) require(text == "container:" + kOwn);
    }
    for (const char* field : {"UTSMode", "UsernsMode", "CgroupnsMode"})
        require(text_of(host, field) != "host");
    require(text_of(host, "CgroupParent") == world.config.cgroup_parent);
    require(text_of(host, "Runtime").empty() || text_of(host, "Runtime") == "runc");
}

void check_lists(const json::object& host) {
    if (const auto* binds = host.if_contains("Binds"); binds != nullptr && binds->is_array()) {
        for (const auto& bind : binds->as_array()) {
            const std::string_view text(bind.as_string());
            if (text.find(':') != std::string_view::npos) check_source(text.substr(0, text.find(':')));
        }
    }
    if (const auto* mounts = host.if_contains("Mounts"); mounts != nullptr && mounts->is_array()) {
        for (const auto& mount : mounts->as_array()) {
            const auto type = text_of(mount.as_object(), "Type");
            require(type == "bind" || type == "volume" || type == "tmpfs");
            const auto source = text_of(mount.as_object(), "Source");
            if (type == "bind" || (type == "volume" && !source.empty())) check_source(source);
        }
    }
    if (const auto* from = host.if_contains("VolumesFrom"); from != nullptr && from->is_array()) {
        for (const auto& entry : from->as_array())
            require(std::string_view(entry.as_string()).starts_with(kOwn));
    }
}

void check(const World& world, const json::object& body) {
    require(label_of(body, kAgentLabel) == "agent");
    const auto& host = body.at("HostConfig").as_object();
    if (const auto* privileged = host.if_contains("Privileged")) require(is_empty_value(*privileged));
    for (const char* field : {"Devices", "DeviceRequests", "DeviceCgroupRules", "Capabilities", "Annotations",
                              "OomKillDisable"}) {
        if (const auto* value = host.if_contains(field)) require(is_empty_value(*value));
    }
    require(!host.contains("MaskedPaths") && !host.contains("ReadonlyPaths"));
    check_strings(world, host);
    check_lists(host);
    // Nothing that Go would take for one of these fields under another spelling.
    for (const auto& member : host) {
        const std::string_view key(member.key().data(), member.key().size());
        for (const std::string_view name :
             {"Privileged", "Binds", "Mounts", "NetworkMode", "PidMode", "CapAdd", "Devices"})
            require(key == name || !folds_to(key, name));
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const World world;
    const auto parsed = parse_guarded({reinterpret_cast<const char*>(data), size});
    if (!parsed || !parsed->is_object()) return 0;
    auto body = parsed->as_object();
    RuleScope scope{world.policy, world.ledger, world.names, world.mounts, world.config, world.owner, {}};
    scope.container_name = "web";
    if (!rewrite_container(scope, body)) check(world, body);
    // The other bodies must not crash on the same text.
    const auto update =
        +[](RuleScope& with, json::object& body) { return rewrite_update(with, body, nullptr); };
    for (const auto rewrite :
         {update, rewrite_exec, rewrite_network, rewrite_disconnect, rewrite_volume, rewrite_commit}) {
        auto copy = parsed->as_object();
        (void)rewrite(scope, copy);
    }
    return 0;
}
