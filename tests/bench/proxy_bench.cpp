// Both ends of a socket proxy's benchmark, so that what is measured is the proxy.
//
//   proxy_bench engine SOCKET                        a stand-in that answers at once
//   proxy_bench requests SOCKET PATH CONNECTIONS SECONDS   "requests/s p50 p99" (microseconds)
//   proxy_bench upload SOCKET MEBIBYTES              seconds to send an image to load
//   proxy_bench download SOCKET MEBIBYTES            seconds to read an image
//   proxy_bench exec SOCKET MEBIBYTES                seconds to read from a hijacked exec
//   proxy_bench hold SOCKET COUNT SECONDS            idle hijacked connections
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
const std::string kId(64, 'a');

[[noreturn]] void die(const char* what) {
    std::perror(what);
    std::exit(1);
}

sockaddr_un address(const std::string& path) {
    sockaddr_un out{};
    out.sun_family = AF_UNIX;
    std::snprintf(out.sun_path, sizeof out.sun_path, "%s", path.c_str());
    return out;
}

int connect_to(const std::string& path) {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const auto where = address(path);
    if (fd < 0 || ::connect(fd, reinterpret_cast<const sockaddr*>(&where), sizeof where) != 0) die("connect");
    return fd;
}

// The stand-in must outlive clients that go away in the middle.
void send_all(int fd, const char* data, std::size_t size) {
    while (size > 0) {
        const auto sent = ::send(fd, data, size, MSG_NOSIGNAL);
        if (sent <= 0) return;
        data += sent;
        size -= static_cast<std::size_t>(sent);
    }
}
void send_all(int fd, const std::string& text) {
    send_all(fd, text.data(), text.size());
}

std::string with_length(const std::string& type, const std::string& body) {
    return "HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Type: " + type +
           "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

// ---- the engine's stand-in: one thread per streaming connection, one loop for the rest ----

std::string container_list() {
    std::string list = "[";
    for (int i = 0; i < 4; ++i) {
        list +=
            std::string(i > 0 ? "," : "") + R"({"Id":")" + kId + R"(","Names":["/gocd-0123456789-web)" +
            std::to_string(i) + R"("],"Image":"alpine","ImageID":"sha256:)" + kId +
            R"(","Command":"sleep 1000","Created":1700000000,"Ports":[],)"
            R"("Labels":{"org.gocd.agent.id":"bench"},"State":"running","Status":"Up 5 minutes",)"
            R"("HostConfig":{"NetworkMode":"default"},"NetworkSettings":{"Networks":{"bridge":{"NetworkID":"x"}}},"Mounts":[]})";
    }
    return list + "]\n";
}

void stream_down(int fd, const std::string& head, std::size_t mebibytes, bool chunked) {
    std::vector<char> block(1 << 20, 'x');
    send_all(fd, head);
    for (std::size_t i = 0; i < mebibytes; ++i) {
        if (chunked) send_all(fd, "100000\r\n");
        send_all(fd, block.data(), block.size());
        if (chunked) send_all(fd, "\r\n");
    }
    if (chunked) send_all(fd, "0\r\n\r\n");
}

void take_upload(int fd, std::string seen) {
    std::vector<char> buffer(1 << 20);
    while (!seen.ends_with("\r\n0\r\n\r\n")) {
        const auto got = ::recv(fd, buffer.data(), buffer.size(), 0);
        if (got <= 0) return;
        seen.append(buffer.data() + std::max<ssize_t>(0, got - 16),
                    static_cast<std::size_t>(std::min<ssize_t>(got, 16)));
        seen.erase(0, seen.size() > 32 ? seen.size() - 32 : 0);
    }
    send_all(fd, with_length("application/json", "{}"));
}

std::size_t size_in(const std::string& head) {
    const auto at = head.find("size-");
    return at == std::string::npos ? 0 : static_cast<std::size_t>(std::atol(head.c_str() + at + 5));
}

// Streams leave the loop: they get the connection, blocking.
void serve_stream(int fd, std::string head) {
    ::fcntl(fd, F_SETFL, 0);
    if (head.find("/images/load") != std::string::npos) {
        take_upload(fd, head.substr(head.find("\r\n\r\n") + 4));
    } else if (head.find("/images/get") != std::string::npos) {
        stream_down(
            fd, "HTTP/1.1 200 OK\r\nContent-Type: application/x-tar\r\nTransfer-Encoding: chunked\r\n\r\n",
            size_in(head), true);
    } else {
        stream_down(fd,
                    "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: "
                    "Upgrade\r\nUpgrade: tcp\r\n\r\n",
                    size_in(head), false);
        char byte = 0;
        if (size_in(head) > 0) ::shutdown(fd, SHUT_WR);
        while (::recv(fd, &byte, 1, 0) > 0) continue;
    }
    ::close(fd);
}

bool is_stream(const std::string& head) {
    return head.find("/images/load") != std::string::npos || head.find("/images/get?") != std::string::npos ||
           head.find("/attach") != std::string::npos;
}

std::string answer(const std::string& head) {
    static const std::string list = container_list();
    if (head.find("/_ping ") != std::string::npos) return with_length("text/plain", "OK");
    if (head.find("/containers/json") != std::string::npos) return with_length("application/json", list);
    if (head.find("/networks") != std::string::npos) return with_length("application/json", "[]");
    if (head.find("/volumes") != std::string::npos)
        return with_length("application/json", R"({"Volumes":[]})");
    // An image, where it is asked for one.
    return with_length("application/json",
                       R"({"ApiVersion":"1.41","RepoTags":["a:1"],"Id":")" + kId + R"("})");
}

int listen_on(const std::string& path) {
    ::unlink(path.c_str());
    const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const auto where = address(path);
    if (::bind(listener, reinterpret_cast<const sockaddr*>(&where), sizeof where) != 0 ||
        ::listen(listener, 4096) != 0)
        die("listen");
    return listener;
}

void serve_requests(int epoll, int fd, std::map<int, std::string>& inputs) {
    char buffer[16384];
    const auto got = ::recv(fd, buffer, sizeof buffer, 0);
    if (got <= 0) {
        inputs.erase(fd);
        ::close(fd);
        return;
    }
    auto& input = inputs[fd];
    input.append(buffer, static_cast<std::size_t>(got));
    for (auto end = input.find("\r\n\r\n"); end != std::string::npos; end = input.find("\r\n\r\n")) {
        const auto head = input.substr(0, end + 4);
        if (is_stream(head)) {
            ::epoll_ctl(epoll, EPOLL_CTL_DEL, fd, nullptr);
            std::thread(serve_stream, fd, input).detach();
            inputs.erase(fd);
            return;
        }
        input.erase(0, end + 4);
        const auto text = answer(head);
        (void)!::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    }
}

int run_engine(const std::string& path) {
    const int listener = listen_on(path);
    const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = listener;
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    std::map<int, std::string> inputs;
    std::vector<epoll_event> ready(256);
    for (;;) {
        const int count = ::epoll_wait(epoll, ready.data(), static_cast<int>(ready.size()), -1);
        for (int i = 0; i < count; ++i) {
            const int fd = ready[static_cast<std::size_t>(i)].data.fd;
            if (fd != listener) {
                serve_requests(epoll, fd, inputs);
                continue;
            }
            const int client = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
            event.data.fd = client;
            if (client >= 0) ::epoll_ctl(epoll, EPOLL_CTL_ADD, client, &event);
        }
    }
}

// ---- load ----

struct Client {
    int fd;
    std::string input;
    Clock::time_point sent;
};

// A length, or (a real engine's longer lists) chunks.
bool take_answer(std::string& input) {
    const auto end = input.find("\r\n\r\n");
    if (end == std::string::npos) return false;
    const auto mark = input.find("ength: ");
    if (mark > end) {
        if (!input.ends_with("0\r\n\r\n")) return false;
        input.clear();
        return true;
    }
    const auto length = static_cast<std::size_t>(std::atol(input.c_str() + mark + 7));
    if (input.size() < end + 4 + length) return false;
    input.erase(0, end + 4 + length);
    return true;
}

int run_requests(const std::string& path, const std::string& what, int connections, double seconds) {
    const auto request = "GET " + what + " HTTP/1.1\r\nHost: docker\r\nUser-Agent: bench\r\n\r\n";
    const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
    std::vector<Client> clients(static_cast<std::size_t>(connections));
    for (std::size_t i = 0; i < clients.size(); ++i) {
        clients[i].fd = connect_to(path);
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.u64 = i;
        ::epoll_ctl(epoll, EPOLL_CTL_ADD, clients[i].fd, &event);
        clients[i].sent = Clock::now();
        send_all(clients[i].fd, request);
    }
    std::vector<double> times;
    const auto start = Clock::now();
    const auto end =
        start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    std::vector<epoll_event> ready(64);
    char buffer[65536];
    while (Clock::now() < end) {
        const int count = ::epoll_wait(epoll, ready.data(), static_cast<int>(ready.size()), 1000);
        if (count <= 0) die("no answer within a second");
        for (int i = 0; i < count; ++i) {
            auto& client = clients[ready[static_cast<std::size_t>(i)].data.u64];
            const auto got = ::recv(client.fd, buffer, sizeof buffer, 0);
            if (got <= 0) die("connection closed");
            client.input.append(buffer, static_cast<std::size_t>(got));
            if (!take_answer(client.input)) continue;
            const auto now = Clock::now();
            times.push_back(std::chrono::duration<double, std::micro>(now - client.sent).count());
            client.sent = now;
            send_all(client.fd, request);
        }
    }
    const double taken = std::chrono::duration<double>(Clock::now() - start).count();
    std::sort(times.begin(), times.end());
    std::printf("%.0f %.1f %.1f\n", static_cast<double>(times.size()) / taken, times[times.size() / 2],
                times[times.size() * 99 / 100]);
    return 0;
}

int report(Clock::time_point start) {
    std::printf("%.3f\n", std::chrono::duration<double>(Clock::now() - start).count());
    return 0;
}

int run_upload(const std::string& path, std::size_t mebibytes) {
    const int fd = connect_to(path);
    std::vector<char> block(32 * 1024, 'x');
    const auto start = Clock::now();
    send_all(fd,
             "POST /v1.41/images/load HTTP/1.1\r\nHost: docker\r\nContent-Type: "
             "application/x-tar\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (std::size_t i = 0; i < mebibytes * 32; ++i) {
        send_all(fd, "8000\r\n");
        send_all(fd, block.data(), block.size());
        send_all(fd, "\r\n");
    }
    send_all(fd, "0\r\n\r\n");
    char buffer[4096];
    if (::recv(fd, buffer, sizeof buffer, 0) <= 0 || std::strncmp(buffer, "HTTP/1.1 200", 12) != 0)
        die("upload refused");
    return report(start);
}

int drain(int fd, std::size_t bytes, Clock::time_point start) {
    std::vector<char> buffer(1 << 20);
    std::size_t seen = 0;
    while (seen < bytes) {
        const auto got = ::recv(fd, buffer.data(), buffer.size(), 0);
        if (got <= 0) break;
        seen += static_cast<std::size_t>(got);
    }
    if (seen < bytes) die("stream ended early");
    return report(start);
}

int run_download(const std::string& path, std::size_t mebibytes) {
    const int fd = connect_to(path);
    const auto start = Clock::now();
    send_all(fd, "GET /v1.41/images/get?names=size-" + std::to_string(mebibytes) +
                     " HTTP/1.1\r\nHost: docker\r\n\r\n");
    return drain(fd, mebibytes << 20, start);
}

std::string attach_request(std::size_t mebibytes) {
    return "POST /v1.41/containers/" + kId + "/attach?stream=1&detachKeys=size-" + std::to_string(mebibytes) +
           " HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";
}

int run_exec(const std::string& path, std::size_t mebibytes) {
    const int fd = connect_to(path);
    const auto start = Clock::now();
    send_all(fd, attach_request(mebibytes));
    return drain(fd, mebibytes << 20, start);
}

int run_hold(const std::string& path, int count, int seconds) {
    for (int i = 0; i < count; ++i) {
        const int fd = connect_to(path);
        send_all(fd, attach_request(0));
        char buffer[512];
        if (::recv(fd, buffer, sizeof buffer, 0) <= 0 || std::strncmp(buffer, "HTTP/1.1 101", 12) != 0)
            die("hijack refused");
    }
    std::printf("held\n");
    std::fflush(stdout);
    std::this_thread::sleep_for(std::chrono::seconds(seconds));
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    (void)std::signal(SIGPIPE, SIG_IGN);
    const std::vector<std::string> args(argv + 1, argv + argc);
    const std::string mode = args.empty() ? "" : args[0];
    if (mode == "engine" && args.size() == 2) return run_engine(args[1]);
    if (mode == "requests" && args.size() == 5)
        return run_requests(args[1], args[2], std::atoi(args[3].c_str()), std::atof(args[4].c_str()));
    if (mode == "upload" && args.size() == 3) return run_upload(args[1], std::stoul(args[2]));
    if (mode == "download" && args.size() == 3) return run_download(args[1], std::stoul(args[2]));
    if (mode == "exec" && args.size() == 3) return run_exec(args[1], std::stoul(args[2]));
    if (mode == "hold" && args.size() == 4)
        return run_hold(args[1], std::atoi(args[2].c_str()), std::atoi(args[3].c_str()));
    std::fprintf(stderr, "usage: see the head of proxy_bench.cpp\n");
    return 64;
}
