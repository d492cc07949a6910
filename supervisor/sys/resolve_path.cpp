#include "sys/resolve_path.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "base/strings.hpp"
#include "base/unique_fd.hpp"

namespace supervisor::sys {
namespace {

// Kernels before 5.6 and some seccomp profiles lack openat2; plain open(2) resolves the same path there, and
// the result is checked against /proc by the caller in any case.
UniqueFd open_without_magic(const std::string& path) {
    open_how how{};
    how.flags = O_PATH | O_CLOEXEC;
    how.resolve = RESOLVE_NO_MAGICLINKS;
    UniqueFd fd(static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof how)));
    if (!fd && (errno == ENOSYS || errno == EPERM)) fd.reset(::open(path.c_str(), O_PATH | O_CLOEXEC));
    return fd;
}

Result<std::string> path_of(const UniqueFd& fd) {
    std::string buffer(4096, '\0');
    const auto link = "/proc/self/fd/" + std::to_string(fd.get());
    const auto length = ::readlink(link.c_str(), buffer.data(), buffer.size());
    if (length <= 0 || buffer.front() != '/') return fail(system_error("read", link));
    buffer.resize(static_cast<std::size_t>(length));
    return buffer;
}

bool is_plain(std::string_view name) {
    return !name.empty() && name != "." && name != "..";
}

}  // namespace

Result<ResolvedPath> resolve_path(const std::string& path) {
    if (path.empty() || path.front() != '/') return fail("path " + printable(path) + " is not absolute");
    std::string existing = path;
    std::string missing;
    for (;;) {
        if (const auto fd = open_without_magic(existing)) {
            SUPERVISOR_TRY_ASSIGN(real, path_of(fd));
            if (missing.empty()) return ResolvedPath{real, true};
            return ResolvedPath{(real == "/" ? "" : real) + missing, false};
        }
        if (errno != ENOENT) return fail(system_error("resolve", printable(existing)));
        while (existing.size() > 1 && existing.back() == '/') existing.pop_back();
        // A link to nowhere may well lead somewhere in another mount namespace.
        struct stat status {};
        if (::lstat(existing.c_str(), &status) == 0)
            return fail(printable(existing) + " is a link that leads nowhere");
        const auto slash = existing.rfind('/');
        const auto name = existing.substr(slash + 1);
        if (!is_plain(name))
            return fail("resolve " + printable(path) + ": \"" + printable(name) +
                        "\" follows a missing directory");
        missing = "/" + name + missing;
        existing.resize(slash == 0 ? 1 : slash);
    }
}

}  // namespace supervisor::sys
