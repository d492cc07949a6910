// Which storage driver. The order of preference is the kernel's overlay, fuse-overlayfs, the file system's
// own (btrfs, zfs), and vfs, which copies every layer, as the last way out.
//
// Engines since 29 keep images in containerd's store on a fresh data directory. That store's overlay
// snapshotter only looks at d_type when it loads: where overlay cannot be mounted, the engine comes up
// healthy and every container fails. So the store stays on only where the probe saw overlay work.
#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "base/strings.hpp"
#include "engine/plan.hpp"

namespace supervisor::engine {
namespace {

constexpr const char* kVolumeFix =
    "put the data directory on a volume: -v docker-data:/var/lib/docker, or an emptyDir in a pod";

bool removed_from_engines(const std::string& driver) {
    return driver == "aufs" || driver == "devicemapper" || driver == "overlay";
}

bool is_snapshotter(const std::string& driver) {
    return driver == "overlayfs" || driver == "native" || driver == "stargz";
}

// What another process or machine serves keeps neither the owners nor the attributes that layers need, and
// fuse-overlayfs does not stack on itself.
bool served_from_elsewhere(const std::string& type) {
    static const std::set<std::string> kTypes = {"9p",
                                                 "virtiofs",
                                                 "drvfs",
                                                 "cifs",
                                                 "smb",
                                                 "smb2",
                                                 "smb3",
                                                 "nfs",
                                                 "nfs4",
                                                 "fuseblk",
                                                 "fuse",
                                                 "fuse.fuse-overlayfs",
                                                 "fuse.grpcfuse",
                                                 "fuse.osxfs",
                                                 "fuse.sshfs"};
    return kTypes.contains(type);
}

// What a driver needs here and lacks; "" if it will work.
std::string obstacle(const std::string& driver, const host::HostFacts& host) {
    const auto& storage = host.storage;
    if (driver == "overlay2" || driver == "overlayfs") {
        // Without the right to try, the missing right is the message, not the file system.
        const bool unknown =
            !storage.overlay.tried() || storage.overlay.stage == host::OverlayStage::Namespace;
        if (storage.overlay.works() || unknown) return {};
        return fmt::format("on {} ({}) {}", storage.probed_path, storage.type, describe(storage.overlay));
    }
    if (driver == "fuse-overlayfs") {
        if (!host.has_program("fuse-overlayfs")) return "the program fuse-overlayfs is not installed";
        if (served_from_elsewhere(storage.type)) return "it does not work on " + storage.type;
        if (host.fuse.usable() || host.fuse.can_be_made()) return {};
        if (!host.machine.has_filesystem("fuse")) return "this kernel has no fuse";
        const auto why = errno_text(host.fuse.open_error);
        return host.fuse.exists
                   ? fmt::format("/dev/fuse does not open ({})", why)
                   : fmt::format("there is no /dev/fuse and none can be made ({}): --device /dev/fuse", why);
    }
    if (driver == "btrfs" || driver == "zfs") {
        if (storage.type != driver)
            return fmt::format("the data directory is on {}, not on {}", storage.type, driver);
        return driver == "btrfs" || host.has_program("zfs") ? "" : "the program zfs is not installed";
    }
    if (removed_from_engines(driver)) return "engines since 25 do not have it any more";
    return {};
}

struct Candidate {
    std::string driver;
    std::string obstacle;
};

std::vector<Candidate> candidates(const host::HostFacts& host) {
    std::vector<Candidate> list;
    for (const char* driver : {"overlay2", "fuse-overlayfs", "btrfs", "zfs"})
        list.push_back({driver, obstacle(driver, host)});
    return list;
}

void decide(EnginePlan& plan, Verdict verdict, std::string choice, std::string reason, std::string fix = {}) {
    plan.decisions.push_back({verdict, "storage", std::move(choice), std::move(reason), std::move(fix)});
}

// Whether images go to containerd's store, when overlay is not in the way.
bool wants_image_store(const PlanInput& input) {
    if (const auto asked = input.choices.feature("containerd-snapshotter")) return *asked;
    if (!input.engine.version.at_least(29)) return false;
    return input.engine.prior_drivers.empty();
}

// dockerd would take a graph driver's name for a snapshotter's: "snapshotter not loaded: overlay2".
bool contradicts_image_store(const PlanInput& input, const std::string& driver) {
    return input.choices.feature("containerd-snapshotter") == true && !is_snapshotter(driver);
}

void refuse_contradiction(const PlanInput& input, EnginePlan& plan, const std::string& driver,
                          const std::string& origin) {
    decide(plan, Verdict::Fail, driver,
           fmt::format(
               "{} asks for {}, which is a graph driver, and {} for containerd's image store, which has none",
               origin, driver, input.choices.origin("features")),
           "leave one of them out; overlay2's counterpart in the store is overlayfs");
}

void choose(EnginePlan& plan, const PlanInput& input, const std::string& driver) {
    plan.storage.driver = driver;
    plan.storage.image_store = is_snapshotter(driver);
    plan.storage.make_fuse_device = driver == "fuse-overlayfs" && !input.host.fuse.exists;
}

void take_explicit(const PlanInput& input, EnginePlan& plan, const std::string& driver,
                   const std::string& origin) {
    const auto why_not = obstacle(driver, input.host);
    choose(plan, input, driver);
    if (!why_not.empty()) {
        decide(plan, Verdict::Fail, driver,
               fmt::format("{} is asked for by {}, but {}", driver, origin, why_not),
               "leave the driver out to have one chosen, or " + std::string(kVolumeFix));
        return;
    }
    if (contradicts_image_store(input, driver)) return refuse_contradiction(input, plan, driver, origin);
    if (is_snapshotter(driver) && !wants_image_store(input) && !input.engine.version.at_least(29)) {
        decide(plan, Verdict::Fail, driver,
               fmt::format(
                   "{} is a snapshotter of containerd's image store, which this engine ({}) does not use "
                   "unless asked",
                   driver, input.engine.version.text()),
               "use overlay2, or set the feature containerd-snapshotter");
        return;
    }
    const bool slow = driver == "vfs";
    decide(plan, slow ? Verdict::Warn : Verdict::Ok, driver,
           fmt::format("asked for by {}{}", origin, slow ? "; it copies every layer in full" : ""));
}

// The two ways of keeping images do not see each other's, and neither does one graph driver another's.
void warn_about_unseen_images(const PlanInput& input, EnginePlan& plan) {
    if (!plan.suitable()) return;
    const auto& driver = plan.storage.driver;
    std::string unseen;
    for (const auto& prior : input.engine.prior_drivers) {
        if (prior != driver) unseen += (unseen.empty() ? "" : ", ") + prior;
    }
    if (input.engine.prior_image_store && !plan.storage.image_store)
        unseen += std::string(unseen.empty() ? "" : ", ") + "containerd's image store";
    if (unseen.empty()) return;
    decide(plan, Verdict::Warn, driver,
           fmt::format("images that {} left in {} stay on the disk but are not visible to {}", unseen,
                       input.settings.data_root, driver));
}

// An earlier engine's images decide, as they do for dockerd itself.
void take_prior(const PlanInput& input, EnginePlan& plan) {
    const auto& prior = input.engine.prior_drivers;
    if (prior.size() > 1) {
        decide(plan, Verdict::Fail, "none",
               fmt::format("{} holds images of several drivers: {}", input.settings.data_root,
                           join(prior, ", ")),
               "name one with --storage-driver, or use a fresh data directory");
        return;
    }
    const auto why_not = obstacle(prior.front(), input.host);
    choose(plan, input, prior.front());
    if (why_not.empty()) {
        decide(plan, Verdict::Ok, prior.front(), "the data directory already holds images of it");
        return;
    }
    decide(plan, Verdict::Fail, prior.front(),
           fmt::format("{} holds images of {}, but {}", input.settings.data_root, prior.front(), why_not),
           "use another data directory, or name another driver with --storage-driver (those images are then "
           "not visible)");
}

void take_vfs(const PlanInput& input, EnginePlan& plan, const std::string& reasons) {
    choose(plan, input, "vfs");
    if (input.settings.allow_vfs) {
        decide(plan, Verdict::Warn, "vfs",
               "nothing better works: " + reasons + ". Every layer is copied in full: slow, and large",
               kVolumeFix);
    } else {
        decide(plan, Verdict::Fail, "none", "no storage driver works: " + reasons, kVolumeFix);
    }
}

// An engine that would keep its images in the store by itself is told not to, and the user is told why.
void tell_store_is_off(const PlanInput& input, EnginePlan& plan) {
    if (!wants_image_store(input) || plan.storage.image_store) return;
    decide(plan, Verdict::Warn, plan.storage.driver,
           fmt::format("containerd's image store, the default of Docker {}, is turned off: {}",
                       input.engine.version.text(), obstacle("overlayfs", input.host)),
           kVolumeFix);
}

void take_best(const PlanInput& input, EnginePlan& plan) {
    std::string reasons;
    for (const auto& candidate : candidates(input.host)) {
        if (!candidate.obstacle.empty()) {
            reasons += (reasons.empty() ? "" : "; ") + candidate.driver + ": " + candidate.obstacle;
            continue;
        }
        const bool store = candidate.driver == "overlay2" && wants_image_store(input);
        choose(plan, input, store ? "overlayfs" : candidate.driver);
        decide(plan, Verdict::Ok, plan.storage.driver,
               reasons.empty() ? fmt::format("{} carries overlay layers{}", input.host.storage.type,
                                             store ? ", images in containerd's store" : "")
                               : reasons);
        return tell_store_is_off(input, plan);
    }
    take_vfs(input, plan, reasons);
    tell_store_is_off(input, plan);
}

// The image store that somebody asked for by name of the feature, where overlay cannot be had.
bool refused_image_store(const PlanInput& input, EnginePlan& plan) {
    if (input.choices.feature("containerd-snapshotter") != true) return false;
    const auto why_not = obstacle("overlayfs", input.host);
    if (why_not.empty()) return false;
    decide(plan, Verdict::Fail, "overlayfs",
           fmt::format("the image store of containerd is asked for by {}, but {}",
                       input.choices.origin("features"), why_not),
           kVolumeFix);
    return true;
}

void warn_about_place(const PlanInput& input, EnginePlan& plan) {
    const auto& storage = input.host.storage;
    if (storage.read_only) {
        decide(plan, Verdict::Fail, "none", fmt::format("{} is read-only", storage.probed_path), kVolumeFix);
    } else if (storage.type == "tmpfs" || storage.type == "ramfs") {
        decide(plan, Verdict::Warn, plan.storage.driver,
               "the data directory is in memory: layers count as memory");
    } else if (!storage.own_mount && plan.suitable()) {
        decide(plan, Verdict::Warn, plan.storage.driver,
               "the data directory is part of the container: it is lost with it", kVolumeFix);
    }
}

}  // namespace

void plan_storage(const PlanInput& input, EnginePlan& plan) {
    const bool by_option = !input.settings.storage_driver.empty();
    const auto driver = by_option ? input.settings.storage_driver : input.choices.text("storage-driver");
    if (!driver.empty()) {
        take_explicit(
            input, plan, driver,
            by_option ? "--storage-driver or DOCKER_DRIVER" : input.choices.origin("storage-driver"));
    } else if (refused_image_store(input, plan)) {
        return;
    } else if (!wants_image_store(input) && !input.engine.prior_drivers.empty()) {
        take_prior(input, plan);
    } else {
        take_best(input, plan);
    }
    warn_about_unseen_images(input, plan);
    warn_about_place(input, plan);
}

}  // namespace supervisor::engine
