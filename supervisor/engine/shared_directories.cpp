#include "engine/shared_directories.hpp"

#include <fmt/core.h>

#include <filesystem>
#include <utility>

#include "base/strings.hpp"
#include "host/id_mapped_mount.hpp"
#include "host/program_output.hpp"
#include "sys/files.hpp"
#include "sys/paths.hpp"

namespace supervisor::engine {
namespace {

// `cp` of a few thousand files on a slow disk.
constexpr Milliseconds kCopyPatience{60'000};

// Tells one container's directory from another's: containers have a host name and a root file system of
// their own.
std::string identity(const std::string& path, const sys::EntryFacts& facts) {
    return fmt::format("{} {} {}:{}\n", trim(sys::read_file_or("/proc/sys/kernel/hostname")), path,
                       facts.device, facts.inode);
}

std::size_t count_entries(const std::string& path, std::size_t limit) {
    std::size_t count = 0;
    std::error_code error;
    for (std::filesystem::recursive_directory_iterator at(path, error), end; !error && at != end;
         at.increment(error)) {
        if (++count > limit) break;
    }
    return count;
}

Result<> copy_contents(const std::string& from, const std::string& to) {
    SUPERVISOR_TRY_ASSIGN(copied,
                          host::program_output({"/bin/cp", "-a", from + "/.", to + "/"}, kCopyPatience));
    if (copied.status != 0) return fail(fmt::format("copy {}: {}", from, printable(trim(copied.text))));
    return {};
}

Result<> fill(const std::string& path, const std::string& store, const sys::EntryFacts& facts) {
    const std::string stamp = store + ".origin";
    const auto origin = identity(path, facts);
    if (sys::is_directory(store) && sys::read_file_or(stamp) == origin) return {};
    const auto entries = count_entries(path, SharedDirectories::kMostEntries);
    if (entries > SharedDirectories::kMostEntries)
        return fail(fmt::format("has more than {} files", SharedDirectories::kMostEntries));
    SUPERVISOR_TRY(sys::remove_file(stamp));
    SUPERVISOR_TRY(sys::remove_tree(store));
    SUPERVISOR_TRY(sys::make_directories(store, 0700));
    SUPERVISOR_TRY(sys::change_owner(store, facts.user, facts.group));
    SUPERVISOR_TRY(sys::change_mode(store, facts.mode));
    if (entries != 0) SUPERVISOR_TRY(copy_contents(path, store));
    return sys::replace_file(stamp, origin, 0600);
}

Result<> move_one(const std::string& path, const std::string& store) {
    SUPERVISOR_TRY_ASSIGN(facts, sys::entry_facts(path));
    SUPERVISOR_TRY(fill(path, store, facts));
    SUPERVISOR_TRY_ASSIGN(mount, host::clone_mount(store));
    return host::attach_mount(mount.get(), path);
}

}  // namespace

SharedDirectories SharedDirectories::move(const std::vector<std::string>& paths, const std::string& stores) {
    SharedDirectories result;
    for (const auto& path : paths) {
        const std::string store = stores + "/" + replace_all(std::string_view(path).substr(1), "/", "-");
        auto moved = sys::make_directories(stores, 0711);
        if (moved) moved = move_one(path, store);
        if (moved) {
            result.moved_.push_back({path, store});
        } else {
            result.left_.push_back(path + ": " + moved.error().message());
        }
    }
    return result;
}

void SharedDirectories::undo() noexcept {
    for (auto entry = moved_.rbegin(); entry != moved_.rend(); ++entry) (void)host::detach_mount(entry->path);
    moved_.clear();
}

SharedDirectories::SharedDirectories(SharedDirectories&& other) noexcept
    : moved_(std::exchange(other.moved_, {})), left_(std::move(other.left_)) {}

SharedDirectories& SharedDirectories::operator=(SharedDirectories&& other) noexcept {
    if (this == &other) return *this;
    undo();
    moved_ = std::exchange(other.moved_, {});
    left_ = std::move(other.left_);
    return *this;
}

}  // namespace supervisor::engine
