// TCP throughput between two places: `tcp_probe serve PORT` takes whatever comes, one connection after the
// other; `tcp_probe send ADDRESS PORT MEBIBYTES` prints MiB/s, until the other side has taken all of it.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

namespace {

std::vector<char> buffer(256 * 1024);

sockaddr_in address_of(const char* host, const char* port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(port)));
    ::inet_pton(AF_INET, host, &address.sin_addr);
    return address;
}

int serve(const char* port) {
    const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
    const int yes = 1;
    ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    const auto address = address_of("0.0.0.0", port);
    if (::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(listener, 8) != 0)
        return 1;
    for (int peer; (peer = ::accept(listener, nullptr, nullptr)) >= 0; ::close(peer)) {
        while (::read(peer, buffer.data(), buffer.size()) > 0) {
        }
    }
    return 1;
}

int send(const char* host, const char* port, const char* mebibytes) {
    const int peer = ::socket(AF_INET, SOCK_STREAM, 0);
    const auto address = address_of(host, port);
    if (::connect(peer, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return 1;
    const auto begin = std::chrono::steady_clock::now();
    auto left = std::atoll(mebibytes) << 20;
    while (left > 0) {
        const auto sent = ::write(peer, buffer.data(), buffer.size());
        if (sent <= 0) return 1;
        left -= sent;
    }
    ::shutdown(peer, SHUT_WR);
    if (::read(peer, buffer.data(), 1) < 0) return 1;  // it closes when it has read the end
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    std::printf("%.0f\n", static_cast<double>(std::atoll(mebibytes)) / took.count());
    return 0;
}

}  // namespace

int main(int count, char** words) {
    if (count == 3 && std::string_view(words[1]) == "serve") return serve(words[2]);
    if (count == 5 && std::string_view(words[1]) == "send") return send(words[2], words[3], words[4]);
    return 64;
}
