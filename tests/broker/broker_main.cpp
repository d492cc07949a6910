// Runs the broker alone, for tests with real clients: broker_main CONFIG.json (without descriptors, which are
// made here) or broker_main --sweep SOCKET [AGENT_ID].
#include <unistd.h>

#include <cstdio>
#include <string>

#include "broker/broker.hpp"
#include "sys/files.hpp"
#include "sys/unix_socket.hpp"

using namespace supervisor;

namespace {

int sweep(int argc, char** argv) {
    broker::SweepOptions options;
    if (argc > 2) options.host_socket = argv[2];
    if (argc > 3) options.agent_id = argv[3];
    return broker::sweep(options);
}

int serve(const std::string& path) {
    const auto text = sys::read_file(path);
    if (!text) return std::fprintf(stderr, "%s\n", text.error().message().c_str()), 64;
    auto config = broker::config_from_json(*text);
    if (!config) return std::fprintf(stderr, "%s\n", config.error().message().c_str()), 64;
    auto listener = sys::listen_unix(config->listen_path, {::getuid(), ::getgid(), 0666});
    if (!listener) return std::fprintf(stderr, "%s\n", listener.error().message().c_str()), 70;
    config->listener_fd = listener->get();
    if (config->audit_fd < 0) config->audit_fd = 1;
    return broker::run(*config);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) return std::fprintf(stderr, "usage: broker_main CONFIG | --sweep SOCKET [AGENT]\n"), 64;
    return std::string(argv[1]) == "--sweep" ? sweep(argc, argv) : serve(argv[1]);
}
