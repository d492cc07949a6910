#include "engine/shared_directories.hpp"

#include <fmt/core.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/strings.hpp"
#include "host/id_mapped_mount.hpp"
#include "sys/files.hpp"

namespace supervisor::engine {
namespace {

// Tells one container's directory from another's: containers have a host name and a root file system of
// their own.
std::string identity(const std::string& path, const struct stat& status) {
    utsname names{};
    (void)::uname(&names);
    return fmt::format("{} {} {}:{}\n", names.nodename, path, status.st_dev, status.st_ino);
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

Result<> copy_contents(const std::string& from, const std::string& to, const proc::Spawner& spawner) {
    proc::ChildPlan plan;
    plan.name = "cp";
    plan.executable = "/bin/cp";
    plan.arguments = {"cp", "-a", from + "/.", to + "/"};
    plan.environment = {"PATH=/usr/bin:/bin"};
    SUPERVISOR_TRY_ASSIGN(child, spawner.spawn(plan));
    int status = 0;
    while (::waitpid(child.pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return fail("copy " + from + ": cp failed");
    return {};
}

Result<> fill(const std::string& path, const std::string& store, const struct stat& status,
              const proc::Spawner& spawner) {
    const std::string stamp = store + ".origin";
    const auto origin = identity(path, status);
    if (sys::is_directory(store) && sys::read_file_or(stamp) == origin) return {};
    const auto entries = count_entries(path, SharedDirectories::kMostEntries);
    if (entries > SharedDirectories::kMostEntries)
        return fail(fmt::format("has more than {} files", SharedDirectories::kMostEntries));
    SUPERVISOR_TRY(sys::remove_file(stamp));
    SUPERVISOR_TRY(sys::remove_tree(store));
    SUPERVISOR_TRY(sys::make_directories(store, 0700));
    if (::chown(store.c_str(), status.st_uid, status.st_gid) != 0 ||
        ::chmod(store.c_str(), status.st_mode & 07777U) != 0) {
        return fail(system_error("set owner and mode of", store));
    }
    if (entries != 0) SUPERVISOR_TRY(copy_contents(path, store, spawner));
    return sys::replace_file(stamp, origin, 0600);
}

Result<> move_one(const std::string& path, const std::string& store, const proc::Spawner& spawner) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return fail(system_error("stat", path));
    SUPERVISOR_TRY(fill(path, store, status, spawner));
    SUPERVISOR_TRY_ASSIGN(mount, host::clone_mount(store));
    return host::attach_mount(mount.get(), path);
}

}  // namespace

SharedDirectories SharedDirectories::move(const std::vector<std::string>& paths, const std::string& stores,
                                          const proc::Spawner& spawner) {
    SharedDirectories result;
    for (const auto& path : paths) {
        const std::string store = stores + "/" + replace_all(std::string_view(path).substr(1), "/", "-");
        auto moved = sys::make_directories(stores, 0711);
        if (moved) moved = move_one(path, store, spawner);
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
