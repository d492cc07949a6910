#include "base/line_writer.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <limits>

namespace supervisor {
namespace {

bool is_socket(int fd) {
    struct stat status {};
    return ::fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
}

// Opening /proc/self/fd/N makes a new open file description for pipes, terminals and files.
UniqueFd reopen(int fd) {
    const std::string path = "/proc/self/fd/" + std::to_string(fd);
    return UniqueFd(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY | O_APPEND));
}

bool accepts_now(int fd, int milliseconds) {
    pollfd entry{fd, POLLOUT, 0};
    return ::poll(&entry, 1, milliseconds) > 0 && (entry.revents & POLLOUT) != 0;
}

}  // namespace

LineWriter::LineWriter(int fd, std::size_t capacity)
    : fd_(fd), method_(Method::PollThenWrite), capacity_(capacity) {
    if (is_socket(fd)) {
        method_ = Method::Send;
    } else if ((owned_ = reopen(fd))) {
        fd_ = owned_.get();
        method_ = Method::Write;
    }
}

void LineWriter::write_line(std::string_view line) {
    report_dropped();
    if (unreported_ > 0 || buffer_.size() - sent_ + line.size() + 1 > capacity_) {
        ++dropped_;
        ++unreported_;
        return;
    }
    append(line);
    flush();
}

void LineWriter::append(std::string_view line) {
    if (sent_ > 0) {
        buffer_.erase(0, sent_);
        sent_ = 0;
    }
    buffer_.append(line).push_back('\n');
}

void LineWriter::report_dropped() {
    if (unreported_ == 0 || buffer_.size() - sent_ > capacity_ / 2) return;
    const std::string note = "gocd-supervisor: " + std::to_string(unreported_) +
                             " lines were dropped here because nobody read this stream";
    unreported_ = 0;
    append(note);
}

void LineWriter::flush() {
    while (sent_ < buffer_.size()) {
        const auto written = try_write(std::string_view(buffer_).substr(sent_));
        if (written > 0) {
            sent_ += static_cast<std::size_t>(written);
            continue;
        }
        if (errno == EINTR) continue;
        // EAGAIN: later. Anything else (EPIPE, EIO, ENOSPC) is not going to get better for these bytes.
        if (errno != EAGAIN && errno != EWOULDBLOCK) sent_ = buffer_.size();
        break;
    }
    if (sent_ == buffer_.size()) {
        buffer_.clear();
        sent_ = 0;
        if (buffer_.capacity() > capacity_ / 4) buffer_.shrink_to_fit();
    }
    if (unreported_ > 0 && buffer_.empty()) {
        report_dropped();
        flush();
    }
}

std::ptrdiff_t LineWriter::try_write(std::string_view bytes) const {
    if (method_ == Method::Send) return ::send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (method_ == Method::PollThenWrite) {
        if (!accepts_now(fd_, 0)) {
            errno = EAGAIN;
            return -1;
        }
        bytes = bytes.substr(0, 512);  // what POLLOUT promises of a pipe is one atomic write
    }
    return ::write(fd_, bytes.data(), bytes.size());
}

void LineWriter::drain(int milliseconds) {
    flush();
    while (pending() && milliseconds > 0) {
        constexpr int kSlice = 20;
        (void)accepts_now(fd_, kSlice);
        flush();
        milliseconds -= kSlice;
    }
}

}  // namespace supervisor
