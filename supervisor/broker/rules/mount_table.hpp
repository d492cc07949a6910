// From paths as jobs know them to paths that the engine can use, and back.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "broker/config.hpp"
#include "sys/resolve_path.hpp"

namespace supervisor::broker {

using PathResolver = std::function<Result<sys::ResolvedPath>(const std::string&)>;

struct NestedMount {
    std::string below;  // "/cache": relative to the bind's destination
    std::string source;
    bool writable = true;
};

struct EnginePath {
    std::string source;
    bool writable = true;
    // What lies in a volume of the agent can be mounted as a part of it. The engine then follows no link that
    // a job has put there; a source is a text that it follows anew at every start.
    std::string volume = {};
    std::string subpath = {};
    // Mounts of the agent under the path. They are not part of the source's tree, so a container that is to
    // see what the agent sees needs a bind for each.
    std::vector<NestedMount> nested = {};
};

class MountTable {
  public:
    MountTable() = default;
    MountTable(std::vector<Mount> mounts, std::vector<std::string> protected_paths,
               PathResolver resolver = sys::resolve_path);

    // Links are resolved first, in the agent's view: the engine would resolve the text in the host's.
    Result<EnginePath> translate(const std::string& path) const;
    // No link stands in its way or in its place.
    bool leads_to_itself(const std::string& path) const;
    // Without resolving or protecting anything: for a path of our own.
    Result<std::string> own_path(const std::string& path) const;
    // The mount of the agent that is this volume; null when there is none.
    const Mount* of_volume(std::string_view name) const;
    // The agent's name for an engine path that lies on one of its mounts.
    std::optional<std::string> agents_path(std::string_view engine_path) const;
    // The same, or the path itself.
    std::string shown(std::string_view engine_path) const;
    // Mounts that a container may get whole (for --volumes-from the agent).
    std::vector<Mount> shareable() const;
    const std::vector<Mount>& mounts() const { return mounts_; }

  private:
    const Mount* covering(std::string_view path) const;
    bool is_protected(std::string_view path) const;

    std::vector<Mount> mounts_;
    std::vector<std::string> protected_;
    PathResolver resolver_;
};

// `path` is `directory` or lies below it.
bool is_within(std::string_view path, std::string_view directory);

}  // namespace supervisor::broker
