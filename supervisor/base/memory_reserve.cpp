#include "base/memory_reserve.hpp"

#include <cstddef>
#include <cstdlib>
#include <new>
#include <utility>

namespace supervisor {
namespace {

// Room for the status, the messages and the timers of a stop. Below malloc's threshold for maps of their own,
// so that what is freed serves small allocations; never touched, so that it costs no resident memory.
constexpr std::size_t kReserve = 96UL * 1024UL;

void* reserve = nullptr;
bool spent = false;

void spend_reserve() {
    std::set_new_handler(nullptr);  // the next failure is a bad_alloc
    std::free(std::exchange(reserve, nullptr));
    spent = true;
}

}  // namespace

bool keep_memory_reserve() {
    if (reserve == nullptr) reserve = std::malloc(kReserve);
    if (reserve == nullptr) return false;
    spent = false;
    std::set_new_handler(spend_reserve);
    return true;
}

bool memory_reserve_spent() noexcept {
    return spent;
}

}  // namespace supervisor
