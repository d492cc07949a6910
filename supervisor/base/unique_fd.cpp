#include "base/unique_fd.hpp"

#include <unistd.h>

#include <cerrno>

namespace supervisor {

void UniqueFd::reset(int fd) noexcept {
    const int old = std::exchange(fd_, fd);
    if (old < 0 || old == fd) return;
    const int saved = errno;  // a destructor must not change the errno that somebody is about to report
    (void)::close(old);
    errno = saved;
}

}  // namespace supervisor
