#include "proc/leftovers.hpp"

#include <signal.h>
#include <unistd.h>

#include "base/strings.hpp"
#include "sys/files.hpp"

namespace supervisor::proc {

int kill_leftovers() {
    // Linux 4.2 and CONFIG_PROC_CHILDREN; without it only PID 1 can do this, and it does not need the list.
    const std::string self = std::to_string(::getpid());
    const std::string children = sys::read_file_or("/proc/self/task/" + self + "/children");
    int hit = 0;
    for (const auto& word : split_words(children)) {
        const auto pid = parse_unsigned(word, 1U << 30U);
        if (pid && *pid > 1 && ::kill(static_cast<pid_t>(*pid), SIGKILL) == 0) ++hit;
    }
    // Processes that entered from outside (docker exec) are nobody's children here.
    if (::getpid() == 1) (void)::kill(-1, SIGKILL);
    return hit;
}

}  // namespace supervisor::proc
