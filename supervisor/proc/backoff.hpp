// When may something that died be started again? Pure given the time of each death.
#pragma once

#include <deque>
#include <optional>

#include "base/clock.hpp"

namespace supervisor::proc {

struct BackoffPolicy {
    Milliseconds minimum{0};      // wait before the first restart
    Milliseconds cap{10'000};     // the wait doubles up to this
    int limit = 5;                // so many deaths …
    Milliseconds window{60'000};  // … within this time are too many
    Milliseconds stable{30'000};  // a run of this length starts the count afresh
};

class Backoff {
  public:
    explicit Backoff(const BackoffPolicy& policy) : policy_(policy) {}

    // Tells of a death at `now` after a run of `ran`. The wait before the next start, or nothing: give up.
    std::optional<Milliseconds> next(TimePoint now, Milliseconds ran);
    void reset();

  private:
    BackoffPolicy policy_;
    std::deque<TimePoint> deaths_;
    Milliseconds wait_{0};
};

}  // namespace supervisor::proc
