#include "engine/apply.hpp"

#include <fcntl.h>

#include "engine/certificates.hpp"
#include "engine/containerd_config.hpp"
#include "engine/resolver_relay.hpp"
#include "engine/space_network.hpp"
#include "host/program_output.hpp"
#include "sys/files.hpp"

namespace supervisor::engine {
namespace {

constexpr const char* kNewInterfacesTakeLoopback = "/proc/sys/net/ipv4/conf/default/route_localnet";

// Restarts of the same container find the file system as the last run left it.
Result<> make_links(const std::string& directory,
                    const std::vector<std::pair<std::string, std::string>>& links) {
    SUPERVISOR_TRY(sys::remove_tree(directory));
    SUPERVISOR_TRY(sys::make_directories(directory));
    for (const auto& [name, target] : links) SUPERVISOR_TRY(sys::make_link(target, directory + "/" + name));
    return {};
}

Result<> make_engine_directories(const EngineSettings& settings, const EnginePaths& paths) {
    SUPERVISOR_TRY(sys::make_directories(settings.run_directory + "/engine", 0711));
    SUPERVISOR_TRY(sys::make_directories(settings.data_root, 0711));
    SUPERVISOR_TRY(sys::make_directories(settings.exec_root, 0711));
    return sys::make_directories(paths.containerd_state, 0711);
}

// The program must say nothing and end with 0.
Result<> restore_rules(const std::string& program, const std::string& rules) {
    SUPERVISOR_TRY_ASSIGN(output, host::program_output({program, "--noflush"}, Milliseconds(5000), rules));
    if (output.status != 0) return fail(program + ": " + output.text);
    return {};
}

}  // namespace

std::vector<std::pair<std::string, std::string>> firewall_links(IptablesBackend backend,
                                                                const host::HostFacts& facts) {
    if (backend == IptablesBackend::None) return {};
    const std::string suffix = backend == IptablesBackend::Nft ? "-nft" : "-legacy";
    const auto found = facts.programs.find("iptables" + suffix);
    if (found == facts.programs.end()) return {};
    // /usr/sbin/iptables-nft: its five sisters are beside it.
    const auto directory = found->second.substr(0, found->second.find_last_of('/') + 1);
    std::vector<std::pair<std::string, std::string>> links;
    for (const char* family : {"iptables", "ip6tables"}) {
        for (const char* tool : {"", "-save", "-restore"})
            links.emplace_back(std::string(family) + tool, directory + family + suffix + tool);
    }
    return links;
}

Result<> write_configuration(const EnginePaths& paths, const DaemonConfig& config) {
    SUPERVISOR_TRY(sys::replace_file(paths.daemon_json, to_pretty_text(config.file), 0644));
    return sys::replace_file(paths.containerd_toml, containerd_config(paths), 0644);
}

void PreparedHost::hope(const Result<>& result) {
    if (!result) warnings_.push_back(result.error().message());
}

Result<PreparedHost> PreparedHost::prepare(const EnginePlan& plan, const EngineSettings& settings,
                                           const DaemonConfig& config, const host::HostFacts& facts) {
    PreparedHost prepared;
    if (auto applied = prepared.apply(plan, settings, config, facts); !applied) {
        (void)prepared.undo(Milliseconds(500));
        return fail(std::move(applied).error());
    }
    return prepared;
}

Result<> PreparedHost::apply(const EnginePlan& plan, const EngineSettings& settings,
                             const DaemonConfig& config, const host::HostFacts& facts) {
    auto cgroups = host::CgroupManager::create(plan.cgroup.layout);
    if (!cgroups) return fail(cgroups.error(), "cgroups");
    cgroups_ = std::move(*cgroups);
    warnings_ = cgroups_->warnings();
    const auto paths = engine_paths(settings);
    SUPERVISOR_TRY(mount_what_is_planned(plan, settings));
    SUPERVISOR_TRY(make_devices(plan));
    SUPERVISOR_TRY(make_engine_directories(settings, paths));
    SUPERVISOR_TRY(make_links(paths.programs, firewall_links(plan.network.backend, facts)));
    SUPERVISOR_TRY(write_configuration(paths, config));
    if (!settings.ca_certificates.empty()) {
        SUPERVISOR_TRY_ASSIGN(notes, install_certificates(settings.ca_certificates, paths.certificates));
        warnings_.insert(warnings_.end(), notes.begin(), notes.end());
    }
    return relay_resolver(plan, paths);
}

Result<> PreparedHost::mount_what_is_planned(const EnginePlan& plan, const EngineSettings&) {
    for (const auto& directory : plan.mounts.tmpfs) {
        const bool for_everybody = directory == "/tmp" || directory == "/var/tmp";
        SUPERVISOR_TRY(host::mount_tmpfs(directory, for_everybody ? "mode=1777" : "mode=755", undo_));
    }
    if (plan.mounts.share_root) hope(host::make_shared("/"));
    if (plan.mounts.securityfs) hope(host::mount_securityfs(undo_));
    if (plan.mounts.writable_proc_sys) SUPERVISOR_TRY(host::remount_writable("/proc/sys"));
    return {};
}

Result<> PreparedHost::make_devices(const EnginePlan& plan) {
    if (plan.storage.make_fuse_device) {
        SUPERVISOR_TRY(host::make_character_device("/dev/fuse", 10, 229, 0666, undo_));
        const auto opened = sys::open_file("/dev/fuse", O_RDWR);
        if (!opened)
            return fail(Error(opened.error()).advice("give it: docker run --device /dev/fuse"),
                        "use the /dev/fuse that was made");
    }
    if (plan.mounts.make_kmsg) hope(host::make_character_device("/dev/kmsg", 1, 11, 0644, undo_));
    return {};
}

// Before dockerd makes its bridge, which then inherits the setting.
Result<> PreparedHost::relay_resolver(const EnginePlan& plan, const EnginePaths& paths) {
    if (!plan.network.relay) return {};
    const auto& relay = *plan.network.relay;
    const auto resolver =
        find_resolver(relay.target, sys::read_file_or("/proc/net/udp"), sys::read_file_or("/proc/net/tcp"));
    const std::string program = paths.programs + "/iptables-restore";
    const auto before = sys::read_file_or(kNewInterfacesTakeLoopback);
    hope(sys::write_existing(kNewInterfacesTakeLoopback, "1"));
    undo_.add("route_localnet", [before] { return sys::write_existing(kNewInterfacesTakeLoopback, before); });
    const auto restored = restore_rules(program, relay_rules(relay, resolver));
    if (!restored) return fail(restored.error(), "pass the resolver " + relay.target + " on to containers");
    undo_.add("resolver rules", [=] { return restore_rules(program, relay_rules_removal(relay, resolver)); });
    return {};
}

std::vector<std::string> PreparedHost::undo(Milliseconds patience) {
    auto failures = undo_.run();
    if (cgroups_ != nullptr) {
        if (const auto removed = cgroups_->remove(patience); !removed)
            failures.push_back(removed.error().message());
        cgroups_.reset();
    }
    return failures;
}

}  // namespace supervisor::engine
