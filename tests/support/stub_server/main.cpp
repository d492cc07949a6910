#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>
#include <csignal>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "go_server.hpp"
#include "options.hpp"
#include "record.hpp"
#include "responder.hpp"
#include "stream.hpp"

namespace stub_server {
namespace {

using supervisor::fail;
using supervisor::Result;
using supervisor::UniqueFd;

struct Shared {
    Options options;
    Record record;
    GoServer server;
    Faults faults;
    TlsContext tls;

    explicit Shared(Options chosen)
        : options(std::move(chosen)),
          record(options.record),
          server(options, record),
          faults(options.faults) {}
};

Result<UniqueFd> bound_socket(Options& options) {
    UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int on = 1;
    ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(options.port);
    if (::inet_pton(AF_INET, options.host.c_str(), &address.sin_addr) != 1)
        return fail("no IPv4 address: " + options.host);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(socket.get(), generic, size) != 0) return fail(supervisor::system_error("bind", options.host));
    ::getsockname(socket.get(), generic, &size);
    options.port = ntohs(address.sin_port);
    return socket;
}

void announce(const Options& options) {
    if (!options.port_file.empty()) {
        std::ofstream(options.port_file + ".part") << options.port << '\n';
        std::rename((options.port_file + ".part").c_str(), options.port_file.c_str());
    }
    std::printf("http%s://%s:%d/go\n", options.tls_certificate.empty() ? "" : "s", options.host.c_str(),
                options.port);
    std::fflush(stdout);
}

bool start_tls(Shared& shared, Stream& stream) {
    if (const auto started = stream.start_tls(shared.tls.get()); !started) {
        shared.record.write("tls_failure", {{"message", started.error().message()}});
        return false;
    }
    return true;
}

bool answer_one(Shared& shared, Stream& stream, const Request& request) {
    if (request.method == "CONNECT") {
        shared.record.write("connect", {{"target", request.target}});
        return stream.write("HTTP/1.1 200 Connection established\r\n\r\n") && start_tls(shared, stream);
    }
    auto answer = shared.server.handle(request);
    std::uint64_t sent = 0;
    const bool open = respond(stream, request, answer, shared.faults.take(request), sent);
    shared.record.write("request", {{"method", request.method},
                                    {"path", request.path},
                                    {"status", answer.status},
                                    {"sent", sent},
                                    {"proxied", request.absolute},
                                    {"client", stream.client_subject()}});
    const auto connection = request.headers.find("connection");
    return open && (connection == request.headers.end() || connection->second != "close");
}

void serve(Shared& shared, UniqueFd socket) {
    const int on = 1;
    ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    Stream stream(std::move(socket));
    if (shared.tls && !shared.options.proxy && !start_tls(shared, stream)) return;
    while (const auto request = stream.read_request()) {
        if (!answer_one(shared, stream, *request)) return;
    }
}

[[noreturn]] void exit_when_finished(const Shared& shared) {
    while (!shared.server.finished()) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    std::_Exit(0);
}

Result<> run(Options options) {
    SUPERVISOR_TRY_ASSIGN(socket, bound_socket(options));
    announce(options);
    Shared shared(std::move(options));
    if (!shared.options.tls_certificate.empty()) {
        SUPERVISOR_TRY_ASSIGN(tls, make_tls_context(shared.options.tls_certificate, shared.options.tls_key,
                                                    shared.options.client_ca));
        shared.tls = std::move(tls);
    }
    std::this_thread::sleep_for(shared.options.down_for);
    if (::listen(socket.get(), 64) != 0) return fail(supervisor::system_error("listen"));
    if (shared.options.exit_after_jobs > 0) std::thread([&shared] { exit_when_finished(shared); }).detach();
    while (true) {
        UniqueFd client(::accept4(socket.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!client) continue;
        std::thread([&shared, peer = std::move(client)]() mutable {
            serve(shared, std::move(peer));
        }).detach();
    }
}

}  // namespace
}  // namespace stub_server

int main(int argc, char** argv) {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    if (arguments == std::vector<std::string>{"--help"})
        return std::fputs(stub_server::usage().c_str(), stdout) < 0;
    std::signal(SIGPIPE, SIG_IGN);
    auto options = stub_server::parse_options(arguments);
    const auto done = options ? stub_server::run(std::move(*options)) : supervisor::fail(options.error());
    std::fprintf(stderr, "gocd-stub-server: %s\n", done.error().message().c_str());
    return options ? 1 : 64;
}
