#include "sys/stream_socket.hpp"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>

namespace supervisor::sys {
namespace {

TransferResult outcome_of(ssize_t count) {
    if (count >= 0) return {Transfer::Moved, static_cast<std::size_t>(count)};
    return {errno == EAGAIN || errno == EWOULDBLOCK ? Transfer::WouldBlock : Transfer::Broken};
}

}  // namespace

TransferResult read_some(int socket, char* buffer, std::size_t size) {
    ssize_t count = 0;
    do {
        count = ::recv(socket, buffer, size, MSG_DONTWAIT);
    } while (count < 0 && errno == EINTR);
    if (count == 0) return {Transfer::Ended};
    return outcome_of(count);
}

TransferResult send_some(int socket, std::string_view bytes) {
    ssize_t count = 0;
    do {
        count = ::send(socket, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (count < 0 && errno == EINTR);
    return outcome_of(count);
}

TransferResult send_some(int socket, std::string_view first, std::string_view second) {
    // Copying so little costs less than a message of two pieces.
    char joined[4096];
    if (first.size() + second.size() <= sizeof joined) {
        std::copy(second.begin(), second.end(), std::copy(first.begin(), first.end(), joined));
        return send_some(socket, std::string_view(joined, first.size() + second.size()));
    }
    iovec pieces[2] = {{const_cast<char*>(first.data()), first.size()},
                       {const_cast<char*>(second.data()), second.size()}};
    msghdr message{};
    message.msg_iov = pieces;
    message.msg_iovlen = 2;
    ssize_t count = 0;
    do {
        count = ::sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (count < 0 && errno == EINTR);
    return outcome_of(count);
}

void shutdown_write(int socket) {
    (void)::shutdown(socket, SHUT_WR);
}

void widen_send_buffer(int socket, int bytes) {
    (void)::setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
}

}  // namespace supervisor::sys
