// What a killed predecessor left behind. /run is usually not a tmpfs in a container, so its pid files and
// sockets survive `docker restart`; and since process ids repeat there, dockerd would take a stale one for
// alive.
#include <fmt/core.h>

#include <cstdint>

#include "base/json.hpp"
#include "base/strings.hpp"
#include "engine/data_directory.hpp"
#include "engine/engine_facts.hpp"
#include "sys/files.hpp"

namespace supervisor::engine {
namespace {

// bbolt's two meta pages: magic, version, page size, flags, root, freelist, high-water mark, transaction id,
// checksum (FNV-1a, 64 bit, of what precedes it), behind a page header of 16 bytes.
constexpr std::size_t kPageHeader = 16;
constexpr std::size_t kMetaSize = 64;
constexpr std::uint32_t kBoltMagic = 0xED0CDAED;
constexpr std::uint32_t kBoltVersion = 2;

template <class Number>
Number number_at(std::string_view text, std::size_t at) {
    Number value{};
    for (std::size_t i = 0; i < sizeof value; ++i)
        value = static_cast<Number>(value | static_cast<Number>(static_cast<unsigned char>(text[at + i]))
                                                << 8 * i);
    return value;
}

std::uint64_t fnv1a(std::string_view text) {
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    return hash;
}

struct BoltMeta {
    bool valid = false;
    std::uint32_t page_size = 0;
    std::uint64_t pages = 0;  // high-water mark
};

BoltMeta bolt_meta(std::string_view text, std::size_t page_start) {
    const std::size_t at = page_start + kPageHeader;
    if (text.size() < at + kMetaSize) return {};
    const auto meta = text.substr(at, kMetaSize);
    BoltMeta result;
    result.page_size = number_at<std::uint32_t>(meta, 8);
    result.pages = number_at<std::uint64_t>(meta, 40);
    result.valid = number_at<std::uint32_t>(meta, 0) == kBoltMagic &&
                   number_at<std::uint32_t>(meta, 4) == kBoltVersion &&
                   number_at<std::uint64_t>(meta, 56) == fnv1a(meta.substr(0, 56));
    return result;
}

// Everything that dockerd, containerd and BuildKit keep in bbolt files. Without one they make a new one: the
// network database is rebuilt, the others lose what they described but not the layers and volumes themselves.
std::vector<std::string> databases(const std::string& data_root) {
    const std::string containerd = containerd_root(data_root);
    return {data_root + "/network/files/local-kv.db",
            data_root + "/volumes/metadata.db",
            data_root + "/buildkit/cache.db",
            data_root + "/buildkit/history.db",
            data_root + "/buildkit/metadata_v2.db",
            data_root + "/buildkit/snapshots.db",
            data_root + "/buildkit/containerdmeta.db",
            containerd + "/io.containerd.metadata.v1.bolt/meta.db",
            containerd + "/io.containerd.snapshotter.v1.overlayfs/metadata.db"};
}

constexpr std::size_t kLargestPage = 64 * 1024;

bool database_is_broken(const std::string& path) {
    const auto size = sys::file_size(path);
    if (!size) return false;  // not there: it will be made
    const auto text = sys::read_beginning(path, kLargestPage + kPageHeader + kMetaSize);
    return text && !is_intact_bolt_database(*text, *size);
}

// The list of image names is written whole; after a crash of the machine it may be empty.
bool json_is_broken(const std::string& path) {
    if (!sys::exists(path)) return false;
    const auto text = sys::read_file(path, 64 << 20);
    return text && !parse_json(*text);
}

std::string stamp(std::chrono::system_clock::time_point now) {
    return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count());
}

Result<> set_aside(const std::string& path, std::chrono::system_clock::time_point now, Repairs& repairs) {
    const std::string target = path + ".broken-" + stamp(now);
    SUPERVISOR_TRY(sys::rename_path(path, target));
    repairs.set_aside.push_back(target);
    return {};
}

// A dockerd that runs now, by the pid file it writes; "" if the file is stale.
std::string live_daemon(const std::string& pid_file) {
    const std::string pid(trim(sys::read_file_or(pid_file)));
    if (!parse_unsigned(pid, INT32_MAX)) return {};
    return trim(sys::read_file_or("/proc/" + pid + "/comm")) == "dockerd" ? pid : "";
}

Result<> remove_stale(const std::string& path, Repairs& repairs) {
    if (!sys::exists(path)) return {};
    SUPERVISOR_TRY(sys::remove_tree(path));
    repairs.removed.push_back(path);
    return {};
}

}  // namespace

bool is_intact_bolt_database(std::string_view text, std::uint64_t size) {
    // The first meta page is at 0; the second one page later, whatever a page is on the machine that made it.
    auto meta = bolt_meta(text, 0);
    for (std::size_t page = 1024; !meta.valid && page <= kLargestPage; page *= 2) {
        meta = bolt_meta(text, page);
        meta.valid = meta.valid && meta.page_size == page;
    }
    return meta.valid && meta.pages * meta.page_size <= size;
}

Result<Repairs> repair_leftovers(const std::string& data_root, const std::string& exec_root,
                                 std::chrono::system_clock::time_point now) {
    Repairs repairs;
    for (const char* pid_file : {"/run/docker.pid", "/var/run/docker.pid"}) {
        const auto pid = live_daemon(pid_file);
        if (!pid.empty()) return fail(fmt::format("another dockerd (process {}) is running here", pid));
    }
    for (const std::string& path :
         {std::string("/run/docker.pid"), exec_root + "/containerd", exec_root + "/netns",
          exec_root + "/plugins", exec_root + "/swarm", exec_root + "/runtime-runc"})
        SUPERVISOR_TRY(remove_stale(path, repairs));
    for (const auto& path : databases(data_root)) {
        if (database_is_broken(path)) SUPERVISOR_TRY(set_aside(path, now, repairs));
    }
    for (const char* driver : {"overlay2", "fuse-overlayfs", "btrfs", "zfs", "vfs"}) {
        const std::string path = data_root + "/image/" + driver + "/repositories.json";
        if (json_is_broken(path)) SUPERVISOR_TRY(set_aside(path, now, repairs));
    }
    return repairs;
}

}  // namespace supervisor::engine
