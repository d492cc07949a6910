#include "engine/data_directory.hpp"

#include <fmt/chrono.h>
#include <fmt/core.h>

#include <algorithm>
#include <cerrno>

#include "base/strings.hpp"
#include "sys/directory_lock.hpp"
#include "sys/files.hpp"

namespace supervisor::engine {
namespace {

constexpr const char* kHolderFile = "/.holder";
constexpr const char* kSlotPrefix = "slot-";
constexpr const char* kDiscardedPrefix = "discarded-slot-";
// Far above any sensible number of agents on one host.
constexpr int kMostSlots = 1024;

std::string slot_path(const std::string& pool, int number) {
    return fmt::format("{}/{}{}", pool, kSlotPrefix, number);
}

std::optional<int> slot_number(std::string_view name) {
    if (!name.starts_with(kSlotPrefix)) return std::nullopt;
    const auto number = parse_unsigned(name.substr(std::string_view(kSlotPrefix).size()), kMostSlots);
    return number ? std::optional<int>(static_cast<int>(*number)) : std::nullopt;
}

struct IdleSlot {
    std::string path;
    std::int64_t last_used;
};

// Renamed under its lock: nobody can be using it, and nobody will find it again.
std::optional<std::string> discard(const std::string& pool, const IdleSlot& slot) {
    const auto lock = sys::lock_directory(slot.path);
    if (!lock || !*lock) return std::nullopt;
    const std::string name =
        slot.path.substr(slot.path.find_last_of('/') + 1 + std::string_view(kSlotPrefix).size());
    const std::string target = fmt::format("{}/{}{}-{}", pool, kDiscardedPrefix, name, slot.last_used);
    return sys::rename_path(slot.path, target) ? std::optional<std::string>(target) : std::nullopt;
}

// Slots that are not `taken`, the longest unused first; what an earlier start could not remove comes along.
std::vector<std::string> discard_beyond(const std::string& pool, int most, const std::string& taken) {
    std::vector<IdleSlot> idle;
    std::vector<std::string> discarded;
    int slots = 0;
    for (const auto& name : sys::list_directory(pool).value_or(std::vector<std::string>{})) {
        const std::string path = pool + "/" + name;
        if (name.starts_with(kDiscardedPrefix)) discarded.push_back(path);
        if (!slot_number(name)) continue;
        ++slots;
        if (path != taken) idle.push_back({path, sys::modification_time(path + kHolderFile).value_or(0)});
    }
    std::sort(idle.begin(), idle.end(),
              [](const IdleSlot& a, const IdleSlot& b) { return a.last_used < b.last_used; });
    for (const auto& slot : idle) {
        if (slots <= most) break;
        if (auto path = discard(pool, slot)) {
            discarded.push_back(*path);
            --slots;
        }
    }
    return discarded;
}

}  // namespace

std::string describe_holder(std::string_view host_name, std::chrono::system_clock::time_point since) {
    const auto seconds = std::chrono::time_point_cast<std::chrono::seconds>(since);
    return fmt::format("{}, since {:%Y-%m-%dT%H:%M:%S}Z", host_name,
                       fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)));
}

Result<DataDirectory> DataDirectory::lock(const std::string& path, const std::string& holder) {
    // The root of a contained engine is somebody else out here and must get through to what is its own;
    // dockerd closes its part itself.
    SUPERVISOR_TRY(sys::make_directories(path, 0711));
    auto locked = sys::lock_directory(path);
    if (!locked) return fail(locked.error(), "data directory");
    if (!*locked) {
        const auto other = sys::read_file_or(path + kHolderFile);
        return fail(Error(EBUSY, fmt::format("the data directory {} is in use{}", path,
                                             trim(other).empty() ? "" : " by " + std::string(trim(other))))
                        .advice("give every agent a data directory of its own, or use --data-pool"));
    }
    SUPERVISOR_TRY(sys::replace_file(path + kHolderFile, holder + "\n", 0644));
    return DataDirectory(path, std::move(**locked));
}

namespace {

// No value when somebody else has it.
Result<std::optional<DataDirectory>> try_lock(const std::string& path, const std::string& holder) {
    auto locked = DataDirectory::lock(path, holder);
    if (locked) return std::optional<DataDirectory>(std::move(*locked));
    if (locked.error().code() == EBUSY) return std::optional<DataDirectory>();
    return fail(locked.error());
}

}  // namespace

Result<PoolSlot> take_pool_slot(const std::string& pool, int most, const std::string& holder) {
    SUPERVISOR_TRY(sys::make_directories(pool, 0711));
    for (int number = 0; number < kMostSlots; ++number) {
        SUPERVISOR_TRY_ASSIGN(directory, try_lock(slot_path(pool, number), holder));
        if (!directory) continue;
        auto discarded = discard_beyond(pool, most, directory->path());
        return PoolSlot{std::move(*directory), std::move(discarded)};
    }
    return fail(fmt::format("all {} slots of the data pool {} are in use", kMostSlots, pool));
}

Result<bool> remove_discarded_slot(const std::string& directory) {
    if (!sys::exists(directory)) return false;
    SUPERVISOR_TRY_ASSIGN(lock, sys::lock_directory(directory));
    if (!lock) return false;
    SUPERVISOR_TRY(sys::remove_tree(directory));
    return true;
}

unsigned DiskUse::percent() const {
    if (size == 0) return 0;
    return static_cast<unsigned>((size - std::min(available, size)) * 100 / size);
}

PruneStep next_prune_step(const DiskUse& use, unsigned high_water_percent, PruneStep last) {
    if (high_water_percent == 0 || use.percent() < high_water_percent) return PruneStep::None;
    if (last == PruneStep::None) return PruneStep::BuildCache;
    return last == PruneStep::BuildCache ? PruneStep::UnusedImages : PruneStep::None;
}

Result<DiskUse> disk_use(const std::string& path) {
    SUPERVISOR_TRY_ASSIGN(space, sys::disk_space(path));
    return DiskUse{space.size, space.available};
}

}  // namespace supervisor::engine
