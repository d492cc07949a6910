// The broker's second socket, for containers: `docker run -v /var/run/docker.sock:/var/run/docker.sock …` in
// a job asks the host's engine for a path on the host, so the socket has to lie on one of the agent's
// volumes. Jobs of the agent itself use the first one, on the container's own file system, which no other
// container can replace.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.hpp"
#include "sys/unix_socket.hpp"

namespace supervisor::cli {

struct SharedSocket {
    std::string directory;  // made for it, and removed after it
    std::string path;
    UniqueFd listener;
};

// Pure: the writable mounts of the container that come from a disk of the host, as /proc/self/mountinfo lists
// them, shortest path first. Whether they are directories has to be looked at.
std::vector<std::string> host_mounts(std::string_view mountinfo);

// Listens in a new directory on the best of this container's mounts: one whose top belongs to root if there
// is one, since its owner can put something else in the directory's place. Sockets of agents that were killed
// are removed. Nothing when there is no mount for it.
std::optional<SharedSocket> listen_on_host_mount(const std::string& tag, const sys::SocketAccess& access);
// The same among given directories.
std::optional<SharedSocket> listen_on_one_of(const std::vector<std::string>& directories,
                                             const std::string& tag, const sys::SocketAccess& access);

void remove_shared_socket(SharedSocket& socket);

}  // namespace supervisor::cli
