// Preloaded into gocd-supervisor: allocations number FAIL_FROM and the FAIL_COUNT - 1 after it find no
// memory. In PID 1 alone: what it starts inherits the environment.
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>

extern "C" void* __libc_malloc(std::size_t size);  // glibc's own

namespace {

long from_environment(const char* name) {
    const char* text = ::getenv(name);
    return text == nullptr ? 0 : std::atol(text);
}

bool fails_now() {
    static const long first = ::getpid() == 1 ? from_environment("FAIL_FROM") : 0;
    static const long count = from_environment("FAIL_COUNT");
    static long number = 0;
    return first > 0 && ++number >= first && number - first < count;
}

}  // namespace

extern "C" void* malloc(std::size_t size) {
    if (!fails_now()) return __libc_malloc(size);
    errno = ENOMEM;
    return nullptr;
}
