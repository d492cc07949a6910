#include "engine/api_client.hpp"

#include <fmt/core.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "base/strings.hpp"
#include "sys/unix_socket.hpp"

namespace supervisor::engine {
namespace {

constexpr std::size_t kMaxAnswer = 64U << 20U;

Result<> wait_for(int fd, short events, const Clock& clock, Deadline deadline) {
    pollfd entry{fd, events, 0};
    const auto left = std::min(deadline.remaining(clock), Milliseconds(3'600'000));
    const int ready = ::poll(&entry, 1, static_cast<int>(left.count()));
    if (ready == 0) return fail(Error(ETIMEDOUT, "no answer in time"));
    if (ready < 0 && errno != EINTR) return fail(system_error("poll"));
    return {};
}

Result<> send_all(int fd, std::string_view data, const Clock& clock, Deadline deadline) {
    while (!data.empty()) {
        const auto written = ::write(fd, data.data(), data.size());
        if (written > 0) {
            data.remove_prefix(static_cast<std::size_t>(written));
        } else if (errno == EAGAIN) {
            SUPERVISOR_TRY(wait_for(fd, POLLOUT, clock, deadline));
        } else if (errno != EINTR) {
            return fail(system_error("send request"));
        }
    }
    return {};
}

Result<std::string> read_to_end(int fd, const Clock& clock, Deadline deadline) {
    std::string text;
    char chunk[16384];
    for (;;) {
        const auto got = ::read(fd, chunk, sizeof chunk);
        if (got == 0) return text;
        if (got > 0) {
            text.append(chunk, static_cast<std::size_t>(got));
            if (text.size() > kMaxAnswer) return fail(Error(EFBIG, "answer is larger than 64 MiB"));
        } else if (errno == EAGAIN) {
            SUPERVISOR_TRY(wait_for(fd, POLLIN, clock, deadline));
        } else if (errno != EINTR) {
            return fail(system_error("read answer"));
        }
    }
}

Result<ApiResponse> parse_answer(const std::string& text) {
    const auto end_of_head = text.find("\r\n\r\n");
    if (!text.starts_with("HTTP/1.") || end_of_head == std::string::npos) return fail("not an HTTP answer");
    const auto words = split_words(std::string_view(text).substr(0, text.find("\r\n")));
    const auto status =
        words.size() < 2 ? Result<std::uint64_t>(fail("no status")) : parse_unsigned(words[1], 999);
    if (!status) return fail("not an HTTP answer");
    return ApiResponse{static_cast<int>(*status), text.substr(end_of_head + 4)};
}

}  // namespace

Result<ApiResponse> ApiClient::request(const std::string& method, const std::string& path,
                                       Deadline deadline) const {
    const std::string what = method + " " + path;
    auto socket = sys::connect_unix(socket_path_);
    if (!socket) return fail(socket.error(), what);
    // HTTP/1.0: the answer is not chunked and ends with the connection.
    const std::string head =
        fmt::format("{} {} HTTP/1.0\r\nHost: docker\r\nContent-Length: 0\r\n\r\n", method, path);
    if (auto sent = send_all(socket->get(), head, clock_, deadline); !sent) return fail(sent.error(), what);
    auto text = read_to_end(socket->get(), clock_, deadline);
    if (!text) return fail(text.error(), what);
    auto answer = parse_answer(*text);
    if (!answer) return fail(answer.error(), what);
    return answer;
}

Result<json::value> ApiClient::get(const std::string& path, Deadline deadline) const {
    SUPERVISOR_TRY_ASSIGN(answer, request("GET", path, deadline));
    if (answer.status != 200) {
        return fail(fmt::format("GET {}: status {}: {}", path, answer.status, printable(trim(answer.body))));
    }
    auto body = parse_json(answer.body);
    if (!body) return fail(body.error(), "GET " + path);
    return body;
}

}  // namespace supervisor::engine
