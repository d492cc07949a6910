#include "engine/containerd_config.hpp"

#include <fmt/core.h>

namespace supervisor::engine {
namespace {

// Not needed by dockerd, and each either slow to start, noisy, or in the way:
//   cri, nri                the Kubernetes interface
//   erofs                   needs a mkfs.erofs of its own age, and fails without (containerd 2.3)
//   opt                     makes /opt/containerd, which a read-only root refuses
//   restart                 wakes up every ten seconds to look for containers that nobody makes
//   aufs, devmapper, …      warn at every start that they are not configured
// The overlayfs and native snapshotters stay: dockerd's image store uses them.
// A name that a version does not know is ignored by it.
constexpr const char* kDisabled[] = {"io.containerd.grpc.v1.cri",
                                     "io.containerd.cri.v1.images",
                                     "io.containerd.cri.v1.runtime",
                                     "io.containerd.nri.v1.nri",
                                     "io.containerd.snapshotter.v1.erofs",
                                     "io.containerd.differ.v1.erofs",
                                     "io.containerd.mount-handler.v1.erofs",
                                     "io.containerd.internal.v1.opt",
                                     "io.containerd.internal.v1.restart",
                                     "io.containerd.monitor.container.v1.restart",
                                     "io.containerd.snapshotter.v1.aufs",
                                     "io.containerd.snapshotter.v1.blockfile",
                                     "io.containerd.snapshotter.v1.devmapper",
                                     "io.containerd.snapshotter.v1.zfs"};

// A TOML basic string.
std::string quoted(const std::string& text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + "\"";
}

}  // namespace

// At level "warn" containerd has a line for every container that ends.
std::string containerd_config(const EnginePaths& paths, ContainerdConfigVersion version) {
    std::string disabled;
    for (const char* plugin : kDisabled) disabled += fmt::format("    {},\n", quoted(plugin));
    return fmt::format(
        "version = {}\n"
        "root = {}\n"
        "state = {}\n"
        "disabled_plugins = [\n{}]\n"
        "[grpc]\n"
        "  address = {}\n"
        "[debug]\n"
        "  level = \"error\"\n",
        static_cast<int>(version), quoted(paths.containerd_root), quoted(paths.containerd_state), disabled,
        quoted(paths.containerd_socket));
}

}  // namespace supervisor::engine
