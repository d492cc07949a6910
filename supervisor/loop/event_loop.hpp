// One thread, one loop. Descriptors, timers and deferred calls; the order within a turn is fixed:
// deferred calls, then urgent descriptors (the reaper), then other descriptors, then timers that are due.
//
// A Watch or Timer unregisters itself when it is destroyed, also from inside its own callback. Events are
// identified by slot and generation, so one that was already collected in this turn for a watch that has gone
// is dropped.
#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace supervisor::loop {

class EventLoop;

// Handle of a registered descriptor; the descriptor itself stays the caller's and must outlive the Watch.
class Watch {
  public:
    Watch() = default;
    Watch(Watch&& other) noexcept;
    Watch& operator=(Watch&& other) noexcept;
    ~Watch() { reset(); }
    void reset() noexcept;
    // Changes the set of awaited events (EPOLLIN, EPOLLOUT, …; 0 pauses, but errors and hang-ups still come).
    Result<> modify(std::uint32_t events);
    explicit operator bool() const noexcept { return loop_ != nullptr; }

  private:
    friend class EventLoop;
    Watch(EventLoop* loop, std::uint32_t slot) : loop_(loop), slot_(slot) {}
    EventLoop* loop_ = nullptr;
    std::uint32_t slot_ = 0;
};

class Timer {
  public:
    Timer() = default;
    Timer(Timer&& other) noexcept;
    Timer& operator=(Timer&& other) noexcept;
    ~Timer() { cancel(); }
    void cancel() noexcept;
    explicit operator bool() const noexcept;

    struct Entry;

  private:
    friend class EventLoop;
    explicit Timer(std::shared_ptr<Entry> entry) : entry_(std::move(entry)) {}
    std::shared_ptr<Entry> entry_;
};

enum class Priority { Normal, Urgent };

class EventLoop {
  public:
    using Callback = std::function<void(std::uint32_t events)>;
    using Task = std::function<void()>;

    static Result<std::unique_ptr<EventLoop>> create();
    // For tests: a loop whose time stands still until advance() of the clock.
    static Result<std::unique_ptr<EventLoop>> create(std::shared_ptr<Clock> clock);
    ~EventLoop();
    EventLoop(const EventLoop&) = delete;
    EventLoop& operator=(const EventLoop&) = delete;

    const Clock& clock() const noexcept { return *clock_; }

    [[nodiscard]] Result<Watch> watch(int fd, std::uint32_t events, Callback callback,
                                      Priority priority = Priority::Normal);
    [[nodiscard]] Timer after(Milliseconds delay, Task task);
    [[nodiscard]] Timer at(TimePoint when, Task task);
    // Runs at the start of the next turn, in order.
    void defer(Task task);

    // Runs until quit(). An exception that escapes a callback ends run() with that error.
    Result<> run();
    // One turn; waits at most `limit` for something to happen. Tests drive the loop with it.
    Result<> turn(Milliseconds limit);
    void quit() noexcept { quit_ = true; }
    // Called at the end of every turn, before waiting.
    void set_idle_hook(Task hook) { idle_hook_ = std::move(hook); }

  private:
    friend class Watch;
    struct Slot;

    EventLoop(UniqueFd epoll, std::shared_ptr<Clock> clock);
    void forget(std::uint32_t slot) noexcept;
    Result<> modify(std::uint32_t slot, std::uint32_t events);
    void run_deferred();
    void dispatch(Priority priority, std::span<const epoll_event> ready);
    void run_due_timers();
    int wait_time(Milliseconds limit);
    void drop_cancelled_timers();
    void turn_unguarded(Milliseconds limit);

    UniqueFd epoll_;
    std::shared_ptr<Clock> clock_;
    std::vector<Slot> slots_;
    std::vector<std::uint32_t> free_slots_;
    std::vector<std::shared_ptr<Timer::Entry>> timers_;  // a heap, earliest first
    std::vector<Task> deferred_;
    std::vector<epoll_event> ready_;
    Task idle_hook_;
    std::uint64_t timer_sequence_ = 0;
    bool quit_ = false;
};

}  // namespace supervisor::loop
