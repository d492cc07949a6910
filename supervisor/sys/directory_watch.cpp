#include "sys/directory_watch.hpp"

#include <sys/inotify.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>

namespace supervisor::sys {

Result<UniqueFd> watch_directory(const std::string& path) {
    UniqueFd watch(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (watch.get() < 0) return fail(system_error("inotify_init1", path));
    constexpr std::uint32_t kChanges = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR;
    if (::inotify_add_watch(watch.get(), path.c_str(), kChanges) < 0)
        return fail(system_error("watch", path));
    return watch;
}

std::set<std::string> take_changes(int watch) {
    std::set<std::string> names;
    alignas(inotify_event) char buffer[8192];
    const auto size = ::read(watch, buffer, sizeof buffer);
    for (ssize_t at = 0; at < size;) {
        inotify_event event;
        std::memcpy(&event, buffer + at, sizeof event);
        const char* name = buffer + at + sizeof event;
        names.emplace(event.len > 0 ? std::string(name, ::strnlen(name, event.len)) : std::string());
        at += static_cast<ssize_t>(sizeof event + event.len);
    }
    return names;
}

}  // namespace supervisor::sys
