// Writes whole lines to a descriptor that may stop accepting them, without ever blocking the caller.
// What the descriptor does not take is kept up to a bound; beyond it whole lines are dropped and counted, and
// one line says how many as soon as there is room again.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/unique_fd.hpp"

namespace supervisor {

class LineWriter {
  public:
    static constexpr std::size_t kDefaultCapacity = 256 * 1024;

    // Opens a description of its own for `fd` (a pipe, terminal, file or socket) so that O_NONBLOCK is not
    // shared with children that inherited it. Falls back to non-blocking sends (sockets) or to poll before
    // each write.
    explicit LineWriter(int fd, std::size_t capacity = kDefaultCapacity);

    // `line` without its newline. Never blocks, never fails.
    void write_line(std::string_view line);

    // Gives the descriptor what it takes now. Call when fd() is writable.
    void flush();
    // Waits up to `milliseconds` for the reader to take the rest: only for the very end.
    void drain(int milliseconds);

    // Bytes that wait for the reader.
    std::size_t unsent() const noexcept { return buffer_.size() - sent_; }
    bool pending() const noexcept { return sent_ < buffer_.size() || unreported_ > 0; }
    int fd() const noexcept { return fd_; }
    std::uint64_t dropped_lines() const noexcept { return dropped_; }

  private:
    enum class Method { Write, Send, PollThenWrite };

    std::ptrdiff_t try_write(std::string_view bytes) const;
    void append(std::string_view line);
    void report_dropped();

    UniqueFd owned_;
    int fd_;
    Method method_;
    std::size_t capacity_;
    std::string buffer_;  // unsent bytes start at sent_
    std::size_t sent_ = 0;
    std::uint64_t dropped_ = 0;
    std::uint64_t unreported_ = 0;
};

}  // namespace supervisor
