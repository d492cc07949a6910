#include "sys/unix_socket.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace supervisor::sys {
namespace {

Result<sockaddr_un> address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
        return fail(Error(ENAMETOOLONG, "socket path " + path + " is longer than 107 bytes"));
    }
    std::memcpy(address.sun_path, path.data(), path.size());
    return address;
}

Result<UniqueFd> make_socket(int type) {
    UniqueFd fd(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) return fail(system_error("create unix socket"));
    return fd;
}

// Only a socket may be replaced: a file or directory there is somebody's mistake, not ours to delete.
Result<> remove_stale_socket(const std::string& path) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) {
        if (errno == ENOENT) return {};
        return fail(system_error("stat", path));
    }
    if (!S_ISSOCK(status.st_mode)) {
        return fail(Error(EEXIST, path + " exists and is not a socket")
                        .advice("remove it or mount the socket elsewhere"));
    }
    if (::unlink(path.c_str()) != 0) return fail(system_error("remove stale socket", path));
    return {};
}

// Root may always do this, unless somebody took its capabilities.
Error refused(const char* what, const std::string& path) {
    auto error = system_error(what, path);
    if (error.code() != EPERM) return error;
    return std::move(error).advice("capabilities of root were taken away: leave --cap-drop out");
}

Result<UniqueFd> bind_socket(int type, const std::string& path, const SocketAccess& access) {
    SUPERVISOR_TRY_ASSIGN(address, address_of(path));
    SUPERVISOR_TRY_ASSIGN(fd, make_socket(type));
    SUPERVISOR_TRY(remove_stale_socket(path));
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return fail(system_error("bind", path));
    }
    if (::chown(path.c_str(), access.user, access.group) != 0) return fail(refused("chown", path));
    if (::chmod(path.c_str(), access.mode) != 0) return fail(refused("chmod", path));
    return std::move(fd);
}

}  // namespace

Result<UniqueFd> listen_unix(const std::string& path, const SocketAccess& access, int backlog) {
    SUPERVISOR_TRY_ASSIGN(fd, bind_socket(SOCK_STREAM, path, access));
    if (::listen(fd.get(), backlog) != 0) return fail(system_error("listen on", path));
    return std::move(fd);
}

Result<UniqueFd> bind_datagram(const std::string& path, const SocketAccess& access) {
    SUPERVISOR_TRY_ASSIGN(fd, bind_socket(SOCK_DGRAM, path, access));
    const int on = 1;
    if (::setsockopt(fd.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0) {
        return fail(system_error("set SO_PASSCRED on", path));
    }
    return std::move(fd);
}

Result<UniqueFd> connect_unix(const std::string& path) {
    SUPERVISOR_TRY_ASSIGN(address, address_of(path));
    SUPERVISOR_TRY_ASSIGN(fd, make_socket(SOCK_STREAM));
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return fail(system_error("connect to", path));
    }
    return std::move(fd);
}

Result<UniqueFd> accept_unix(int listener) {
    UniqueFd fd(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (fd || errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) return fd;
    return fail(system_error("accept"));
}

Result<PeerCredentials> peer_credentials(int socket) {
    ucred credentials{};
    socklen_t size = sizeof credentials;
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
        return fail(system_error("read peer credentials"));
    }
    return PeerCredentials{credentials.pid, credentials.uid, credentials.gid};
}

Result<SocketPair> socket_pair(int type) {
    int ends[2];
    if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
        return fail(system_error("create socket pair"));
    }
    return SocketPair{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

Result<Pipe> make_pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return fail(system_error("create pipe"));
    return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

Result<> set_nonblocking(int fd) {
    const int flags = ::fcntl(fd, F_GETFL);
    if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
        return fail(system_error("set non-blocking"));
    return {};
}

}  // namespace supervisor::sys
