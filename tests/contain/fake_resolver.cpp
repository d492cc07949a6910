#include "fake_resolver.hpp"

#include <arpa/inet.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <string_view>

namespace supervisor::contain {
namespace {

using namespace std::string_view_literals;
constexpr std::string_view kName = "\6server\5outer\7example\0"sv;

// RFC 1035: the question again, and for an A question about the name one answer.
std::string reply_to(std::string query, in_addr answer) {
    const std::size_t end = query.find('\0', 12);
    if (query.size() < 17 || end == std::string::npos || end + 5 > query.size()) return {};
    query.resize(end + 5);
    const bool known = std::string_view(query).substr(12, kName.size()) == kName;
    const bool address = query[end + 2] == 1;
    query[2] = static_cast<char>(0x81);                 // a response
    query[3] = static_cast<char>(known ? 0x80 : 0x83);  // or: no such name
    query.replace(6, 6, known && address ? "\0\1\0\0\0\0"sv : "\0\0\0\0\0\0"sv);
    if (!known || !address) return query;
    query += "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4"sv;
    return query.append(reinterpret_cast<const char*>(&answer), sizeof answer);
}

int bound_socket() {
    const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_in here{};
    here.sin_family = AF_INET;
    ::inet_pton(AF_INET, "127.0.0.11", &here.sin_addr);
    if (::bind(fd, reinterpret_cast<sockaddr*>(&here), sizeof here) != 0) std::abort();
    return fd;
}

[[noreturn]] void serve(int fd, in_addr answer) {
    for (;;) {
        char buffer[512];
        sockaddr_in from{};
        socklen_t size = sizeof from;
        const auto got = ::recvfrom(fd, buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from), &size);
        if (got <= 0) continue;
        const auto reply = reply_to({buffer, static_cast<std::size_t>(got)}, answer);
        ::sendto(fd, reply.data(), reply.size(), 0, reinterpret_cast<sockaddr*>(&from), size);
    }
}

}  // namespace

FakeResolver::FakeResolver(const char* answer) {
    in_addr address{};
    ::inet_pton(AF_INET, answer, &address);
    const int fd = bound_socket();
    child_ = ::fork();
    if (child_ == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        serve(fd, address);
    }
    ::close(fd);
}

FakeResolver::~FakeResolver() {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
}

}  // namespace supervisor::contain
