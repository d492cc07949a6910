#include "service/notify_socket.hpp"

#include <sys/socket.h>

#include <cstdint>

#include "base/strings.hpp"

namespace supervisor::service {
namespace {

bool says_ready(std::string_view message) {
    for (const auto& line : split(message, '\n')) {
        if (line == "READY=1") return true;
    }
    return false;
}

}  // namespace

Result<NotifySocket> NotifySocket::open(loop::EventLoop& loop, const std::string& path,
                                        const sys::SocketAccess& access, std::function<void()> on_ready) {
    NotifySocket socket;
    SUPERVISOR_TRY_ASSIGN(fd, sys::bind_datagram(path, access));
    const int number = fd.get();
    auto read_all = [number, on_ready = std::move(on_ready)](std::uint32_t) {
        char message[4096];
        for (ssize_t got; (got = ::recv(number, message, sizeof message, MSG_DONTWAIT)) >= 0;) {
            if (says_ready(std::string_view(message, static_cast<std::size_t>(got)))) on_ready();
        }
    };
    // Urgent: a last READY=1 must be seen before the death of its sender.
    SUPERVISOR_TRY_ASSIGN(watch, loop.watch(number, EPOLLIN, std::move(read_all), loop::Priority::Urgent));
    socket.fd_ = std::move(fd);
    socket.watch_ = std::move(watch);
    return socket;
}

}  // namespace supervisor::service
