#include "sys/priority.hpp"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace supervisor::sys {
namespace {

// linux/ioprio.h, which C libraries do not wrap.
constexpr int kIoprioWhoProcess = 1;
constexpr int kIoprioClassIdle = 3;
constexpr int kIoprioClassShift = 13;
constexpr int kLeastNice = 19;

}  // namespace

void yield_to_others() {
    (void)::setpriority(PRIO_PROCESS, 0, kLeastNice);
    (void)::syscall(SYS_ioprio_set, kIoprioWhoProcess, 0, kIoprioClassIdle << kIoprioClassShift);
}

}  // namespace supervisor::sys
