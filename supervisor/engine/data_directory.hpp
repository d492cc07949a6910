// The directory that holds images, containers and volumes, for one engine at a time.
//
// A kernel lock on the directory keeps a second supervisor out, also one in another container on the same
// volume; a small file says who holds it. Whoever has the lock finds what a killed predecessor left and makes
// it usable: what only described running things is removed, what is broken is moved aside under a name that
// says so, and nothing else is touched.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace supervisor::engine {

// Who we are, for the message that another one gets: "agent-7 (container abc), since 2026-11-24T13:00:00Z".
std::string describe_holder(std::string_view host_name, std::chrono::system_clock::time_point since);

class DataDirectory {
  public:
    // Makes the directory if need be. The error names the holder where it is known.
    static Result<DataDirectory> lock(const std::string& path, const std::string& holder);

    const std::string& path() const { return path_; }

  private:
    DataDirectory(std::string path, UniqueFd lock) : path_(std::move(path)), lock_(std::move(lock)) {}
    std::string path_;
    UniqueFd lock_;
};

// One slot of a pool, DIR/slot-N: the first that nobody uses, so that short-lived agents on one host find
// warm caches and never share a live one.
struct PoolSlot {
    DataDirectory directory;
    // Slots beyond `most` that nobody used, the longest unused first; already renamed out of the way. To be
    // removed in the background: they may be large.
    std::vector<std::string> discarded;
};
Result<PoolSlot> take_pool_slot(const std::string& pool, int most, const std::string& holder);
// Removes one of them, however long that takes. False when another supervisor is at it.
Result<bool> remove_discarded_slot(const std::string& directory);

struct Repairs {
    std::vector<std::string> removed;    // stale pid files and sockets
    std::vector<std::string> set_aside;  // new paths of what did not open
};
// Needs the lock. Fails when a live dockerd that is not ours uses `exec_root`.
Result<Repairs> repair_leftovers(const std::string& data_root, const std::string& exec_root,
                                 std::chrono::system_clock::time_point now);

// Whether `text`, the beginning of a file of `size` bytes, can be a database of bbolt, which dockerd and
// containerd use: opening a damaged one hangs or crashes them.
bool is_intact_bolt_database(std::string_view text, std::uint64_t size);

// What to prune before a job, one step at a time: after each the use of the disk is looked at again.
enum class PruneStep { None, BuildCache, UnusedImages };
struct DiskUse {
    std::uint64_t size = 0;
    std::uint64_t available = 0;
    unsigned percent() const;
};
PruneStep next_prune_step(const DiskUse& use, unsigned high_water_percent, PruneStep last);
Result<DiskUse> disk_use(const std::string& path);

}  // namespace supervisor::engine
