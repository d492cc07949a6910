// A host that does for an engine in every respect; tests change what they are about.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "engine/daemon_config.hpp"
#include "engine/plan.hpp"
#include "sys/capabilities.hpp"

namespace supervisor::engine {

constexpr std::uint64_t kAllCapabilities = (std::uint64_t{2} << 40) - 1;

inline host::HostFacts good_host() {
    host::HostFacts host;
    host.process.capabilities = host.process.bounding = host.process.known_capabilities = kAllCapabilities;
    host.machine.memory_total = 8ULL << 30U;
    host.machine.filesystems = {"overlay", "fuse", "ext4"};
    host.cgroup.mode = host::CgroupMode::V2;
    host.cgroup.own_path = "/";
    host.cgroup.own_directory = "/sys/fs/cgroup";
    host.cgroup.type = "domain";
    host.cgroup.controllers = {"cpuset", "cpu", "io", "memory", "pids"};
    host.storage.path = host.storage.probed_path = "/var/lib/docker";
    host.storage.exists = host.storage.own_mount = true;
    host.storage.type = "ext4";
    host.storage.overlay.stage = host::OverlayStage::Works;
    host.fuse.exists = host.kmsg.exists = true;
    host.network.default_interface = "eth0";
    host.network.default_mtu = 1500;
    host.network.resolver.nameservers = {"192.0.2.53"};
    host.network.netfilter.tried = true;
    host.programs = {{"iptables-nft", "/usr/sbin/iptables-nft"},
                     {"iptables-legacy", "/usr/sbin/iptables-legacy"}};
    return host;
}

struct PlanTest : ::testing::Test {
    EngineSettings settings;
    UserChoices choices;
    EngineFacts engine{EngineVersion{26, 1, 5}, {}, false};
    host::HostFacts host = good_host();

    EnginePlan drafted() const { return draft({settings, choices, engine, host}); }
    void choose(const std::string& file, const std::vector<std::string>& arguments = {}) {
        auto read = UserChoices::read(file, "/etc/docker/daemon.json", arguments);
        ASSERT_TRUE(read) << read.error().message();
        choices = std::move(*read);
    }
    // Overlay cannot be mounted on the data directory.
    void refuse_overlay() {
        host.storage.type = "overlay";
        host.storage.own_mount = false;
        host.storage.overlay = {host::OverlayStage::Mount, EINVAL};
    }
    void lose(unsigned capability) { host.process.capabilities &= ~(std::uint64_t{1} << capability); }
};

inline std::string all_text(const EnginePlan& plan) {
    std::string text;
    for (const auto& decision : plan.decisions)
        text +=
            decision.topic + ": " + decision.choice + " — " + decision.reason + " — " + decision.fix + "\n";
    return text;
}

MATCHER_P(FailsSaying, part, "a plan that fails and says '" + std::string(part) + "'") {
    *result_listener << all_text(arg);
    return !arg.suitable() && failures_text(arg.decisions).find(part) != std::string::npos;
}
MATCHER_P(Warns, part, "a plan that warns of '" + std::string(part) + "'") {
    *result_listener << all_text(arg);
    for (const Decision& decision : arg.decisions) {
        const bool said = (decision.choice + decision.reason).find(part) != std::string::npos;
        if (decision.verdict == Verdict::Warn && said) return true;
    }
    return false;
}
MATCHER(Suits, "a plan that can be carried out") {
    *result_listener << all_text(arg);
    return arg.suitable();
}

}  // namespace supervisor::engine
