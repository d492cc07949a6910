// Unix sockets: listening, connecting, pairs, peer credentials. All descriptors are O_CLOEXEC and
// non-blocking.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace supervisor::sys {

struct SocketAccess {
    uid_t user;
    gid_t group;
    mode_t mode;
};

// Binds and listens. A socket file that is left over at `path` is replaced; anything else there is an error
// and stays. Owner and mode are in place before the first client can connect.
Result<UniqueFd> listen_unix(const std::string& path, const SocketAccess& access, int backlog = 4096);

// A datagram socket bound to `path`, as NOTIFY_SOCKET wants it (sd_notify(3)). SO_PASSCRED is on.
Result<UniqueFd> bind_datagram(const std::string& path, const SocketAccess& access);

// Starts connecting; a unix socket either connects at once or fails (EAGAIN: the backlog is full).
Result<UniqueFd> connect_unix(const std::string& path);

// accept4(2); no value when nobody waits.
Result<UniqueFd> accept_unix(int listener);

struct PeerCredentials {
    pid_t process;
    uid_t user;
    gid_t group;
};
Result<PeerCredentials> peer_credentials(int socket);

struct SocketPair {
    UniqueFd first;
    UniqueFd second;
};
// type: SOCK_STREAM, SOCK_SEQPACKET or SOCK_DGRAM.
Result<SocketPair> socket_pair(int type);

struct Pipe {
    UniqueFd read;
    UniqueFd write;
};
// Blocking pipe; both ends O_CLOEXEC.
Result<Pipe> make_pipe();

Result<> set_nonblocking(int fd);

}  // namespace supervisor::sys
