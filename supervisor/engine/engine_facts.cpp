#include "engine/engine_facts.hpp"

#include <fmt/core.h>

#include "base/strings.hpp"
#include "host/program_output.hpp"
#include "sys/files.hpp"

namespace supervisor::engine {
namespace {

// Every graph driver that an engine since 20.10 could have used here, without vfs.
constexpr const char* kGraphDrivers[] = {"overlay2", "fuse-overlayfs", "btrfs",       "zfs",
                                         "aufs",     "overlay",        "devicemapper"};

unsigned leading_unsigned(std::string_view text) {
    const auto digits = text.substr(0, text.find_first_not_of("0123456789"));
    return static_cast<unsigned>(parse_unsigned(digits, 100'000).value_or(0));
}

bool has_entries(const std::string& directory) {
    const auto names = sys::list_directory(directory);
    return names && !names->empty();
}

// First line: what dockerd printed; second: its size.
EngineVersion version_from_file(const std::string& version_file, const std::string& dockerd) {
    const auto text = sys::read_file_or(version_file);
    const auto lines = split_lines(text);
    if (lines.size() < 2) return {};
    const auto size = sys::file_size(dockerd);
    if (!size || std::to_string(*size) != trim(lines[1])) return {};
    return parse_engine_version(lines[0]);
}

}  // namespace

std::string EngineVersion::text() const {
    return known() ? fmt::format("{}.{}.{}", major, minor, patch) : "unknown";
}

EngineVersion parse_engine_version(std::string_view text) {
    for (const auto word : split_words(text)) {
        const auto parts = split(word, '.');
        if (parts.size() < 2 || leading_unsigned(parts[0]) == 0) continue;
        return {leading_unsigned(parts[0]), leading_unsigned(parts[1]),
                parts.size() > 2 ? leading_unsigned(parts[2]) : 0};
    }
    return {};
}

std::string containerd_root(const std::string& data_root) {
    return data_root + "/containerd/daemon";
}

void read_prior_data(const std::string& data_root, EngineFacts& facts) {
    for (const char* driver : kGraphDrivers) {
        if (has_entries(data_root + "/" + driver)) facts.prior_drivers.emplace_back(driver);
    }
    facts.prior_image_store =
        has_entries(containerd_root(data_root) + "/io.containerd.snapshotter.v1.overlayfs/snapshots");
}

EngineFacts read_engine_facts(const std::string& data_root, const std::string& dockerd,
                              const std::string& version_file) {
    EngineFacts facts;
    facts.version = version_from_file(version_file, dockerd);
    if (!facts.version.known() && !dockerd.empty()) {
        if (const auto output = host::program_output({dockerd, "--version"}))
            facts.version = parse_engine_version(output->text);
    }
    read_prior_data(data_root, facts);
    return facts;
}

}  // namespace supervisor::engine
