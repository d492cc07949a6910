#include "broker/rules/mount_table.hpp"

#include <algorithm>

#include "base/strings.hpp"

namespace supervisor::broker {

bool is_within(std::string_view path, std::string_view directory) {
    if (directory == "/") return path.starts_with('/');
    return path.starts_with(directory) && (path.size() == directory.size() || path[directory.size()] == '/');
}

namespace {

// What follows `directory` in `path`: "" or "/rest".
std::string_view below(std::string_view path, std::string_view directory) {
    if (directory == "/") return path == "/" ? std::string_view() : path;
    return path.substr(directory.size());
}

std::string joined(std::string_view directory, std::string_view rest) {
    return directory == "/" && !rest.empty() ? std::string(rest) : std::string(directory) + std::string(rest);
}

}  // namespace

MountTable::MountTable(std::vector<Mount> mounts, std::vector<std::string> protected_paths,
                       PathResolver resolver)
    : mounts_(std::move(mounts)), protected_(std::move(protected_paths)), resolver_(std::move(resolver)) {}

const Mount* MountTable::covering(std::string_view path) const {
    const Mount* best = nullptr;
    for (const auto& mount : mounts_) {
        if (!is_within(path, mount.destination)) continue;
        if (best == nullptr || mount.destination.size() > best->destination.size()) best = &mount;
    }
    return best;
}

bool MountTable::is_protected(std::string_view path) const {
    return std::any_of(protected_.begin(), protected_.end(), [path](const std::string& kept) {
        return is_within(path, kept) || is_within(kept, path);
    });
}

Result<EnginePath> MountTable::translate(const std::string& path) const {
    SUPERVISOR_TRY_ASSIGN(resolved, resolver_(path));
    if (is_protected(resolved.path))
        return fail(printable(path) +
                    " belongs to the supervisor or the system and is not given to containers");
    const auto* mount = covering(resolved.path);
    if (mount == nullptr) {
        return fail(Error(printable(path) +
                          " is not on a volume or bind mount of the agent, so the engine cannot reach it")
                        .advice("start the agent with a volume for this directory, or use docker cp"));
    }
    const auto rest = below(resolved.path, mount->destination);
    EnginePath out{joined(mount->source, rest), mount->writable};
    // Nothing can be put in the place of a volume's top, and what does not exist the engine has to make.
    if (!mount->volume.empty() && !rest.empty() && resolved.exists) {
        out.volume = mount->volume;
        out.subpath = rest.substr(1);
    }
    for (const auto& inner : mounts_) {
        const bool nested =
            inner.destination.size() > resolved.path.size() && is_within(inner.destination, resolved.path);
        if (nested && !is_protected(inner.destination)) {
            out.nested.push_back(
                {std::string(below(inner.destination, resolved.path)), inner.source, inner.writable});
        }
    }
    return out;
}

Result<std::string> MountTable::own_path(const std::string& path) const {
    const auto* mount = covering(path);
    if (mount == nullptr) return fail(path + " is not on a mount");
    return joined(mount->source, below(path, mount->destination));
}

const Mount* MountTable::of_volume(std::string_view name) const {
    const auto found = std::find_if(mounts_.begin(), mounts_.end(), [name](const Mount& mount) {
        return !mount.volume.empty() && mount.volume == name;
    });
    return found == mounts_.end() ? nullptr : &*found;
}

bool MountTable::leads_to_itself(const std::string& path) const {
    const auto resolved = resolver_(path);
    return resolved && resolved->path == path;
}

std::optional<std::string> MountTable::agents_path(std::string_view engine_path) const {
    const Mount* best = nullptr;
    for (const auto& mount : mounts_) {
        if (!is_within(engine_path, mount.source)) continue;
        if (best == nullptr || mount.source.size() > best->source.size()) best = &mount;
    }
    if (best == nullptr) return {};
    return joined(best->destination, below(engine_path, best->source));
}

std::string MountTable::shown(std::string_view engine_path) const {
    return agents_path(engine_path).value_or(std::string(engine_path));
}

std::vector<Mount> MountTable::shareable() const {
    std::vector<Mount> out;
    std::copy_if(mounts_.begin(), mounts_.end(), std::back_inserter(out),
                 [this](const Mount& mount) { return !is_protected(mount.destination); });
    return out;
}

}  // namespace supervisor::broker
