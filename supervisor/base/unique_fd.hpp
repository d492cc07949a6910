// Sole owner of a file descriptor.
#pragma once

#include <utility>

namespace supervisor {

class UniqueFd {
  public:
    UniqueFd() noexcept = default;
    explicit UniqueFd(int fd) noexcept : fd_(fd) {}
    UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
    UniqueFd& operator=(UniqueFd&& other) noexcept {
        // release first: moving onto itself then keeps the descriptor.
        const int taken = other.release();
        reset(taken);
        return *this;
    }
    UniqueFd(const UniqueFd&) = delete;
    UniqueFd& operator=(const UniqueFd&) = delete;
    ~UniqueFd() { reset(); }

    int get() const noexcept { return fd_; }
    explicit operator bool() const noexcept { return fd_ >= 0; }
    [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }

    // Closes what is held and takes `fd`. Errors of close(2) are ignored on purpose: the descriptor is gone
    // either way (Linux), and nothing that is written through this class needs the late write error.
    void reset(int fd = -1) noexcept;

  private:
    int fd_ = -1;
};

}  // namespace supervisor
