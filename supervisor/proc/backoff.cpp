#include "proc/backoff.hpp"

#include <algorithm>

namespace supervisor::proc {

void Backoff::reset() {
    deaths_.clear();
    wait_ = Milliseconds(0);
}

std::optional<Milliseconds> Backoff::next(TimePoint now, Milliseconds ran) {
    if (ran >= policy_.stable) reset();
    while (!deaths_.empty() && now - deaths_.front() > policy_.window) deaths_.pop_front();
    deaths_.push_back(now);
    if (static_cast<int>(deaths_.size()) > policy_.limit) return std::nullopt;
    const Milliseconds wait = deaths_.size() == 1 ? policy_.minimum : std::max(2 * wait_, Milliseconds(100));
    wait_ = std::min(wait, policy_.cap);
    return wait_;
}

}  // namespace supervisor::proc
