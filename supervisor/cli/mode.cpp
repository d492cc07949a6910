#include "cli/mode.hpp"

#include "proc/spawn.hpp"
#include "sys/files.hpp"
#include "sys/unix_socket.hpp"

namespace supervisor::cli {
namespace {

// A socket file that nobody listens on is a leftover of this container's former life.
bool socket_answers(const std::string& path) {
    return sys::exists(path) && bool(sys::connect_unix(path));
}

}  // namespace

ModeChoice choose_mode(const Config& config, const std::vector<std::string>& environment) {
    if (config.general.mode != Mode::Auto)
        return {config.general.mode, "asked for by " + config.provenance.at("mode")};
    if (socket_answers(config.broker.host_socket)) {
        return {Mode::Dood, "a Docker socket that answers is mounted at " + config.broker.host_socket};
    }
    if (proc::find_executable("dockerd", environment)) {
        return {Mode::Dind, "no Docker socket is mounted and the image has a dockerd"};
    }
    return {Mode::Plain, "neither a Docker socket nor a dockerd is here"};
}

}  // namespace supervisor::cli
