// Time that tests can own. Everything that waits takes a Clock or a Deadline, never the system's clock
// itself.
#pragma once

#include <algorithm>
#include <chrono>

namespace supervisor {

using Milliseconds = std::chrono::milliseconds;
using TimePoint = std::chrono::steady_clock::time_point;

class Clock {
  public:
    virtual ~Clock() = default;
    virtual TimePoint now() const = 0;
};

// CLOCK_MONOTONIC.
class SteadyClock final : public Clock {
  public:
    TimePoint now() const override { return std::chrono::steady_clock::now(); }
};

class ManualClock final : public Clock {
  public:
    TimePoint now() const override { return now_; }
    void advance(Milliseconds by) { now_ += by; }

  private:
    TimePoint now_{std::chrono::seconds(1000)};
};

// An absolute end, computed once. Stages of a job take min(own budget, what remains).
class Deadline {
  public:
    explicit Deadline(TimePoint end) : end_(end) {}
    static Deadline after(const Clock& clock, Milliseconds budget) { return Deadline(clock.now() + budget); }
    static Deadline never() { return Deadline(TimePoint::max()); }

    TimePoint end() const noexcept { return end_; }
    bool expired(const Clock& clock) const { return clock.now() >= end_; }
    Milliseconds remaining(const Clock& clock) const {
        const auto now = clock.now();
        return now >= end_ ? Milliseconds(0) : std::chrono::ceil<Milliseconds>(end_ - now);
    }
    // The earlier of this end and now + budget.
    Deadline stage(const Clock& clock, Milliseconds budget) const {
        return Deadline(std::min(end_, clock.now() + budget));
    }

  private:
    TimePoint end_;
};

}  // namespace supervisor
