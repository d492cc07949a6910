#include "loop/event_loop.hpp"

#include <algorithm>
#include <cerrno>
#include <exception>
#include <limits>

namespace supervisor::loop {

struct EventLoop::Slot {
    int fd = -1;
    std::uint32_t generation = 0;
    Priority priority = Priority::Normal;
    std::shared_ptr<Callback> callback;  // shared: it stays alive while it runs, even if it removes itself
};

struct Timer::Entry {
    TimePoint due;
    std::uint64_t sequence;
    EventLoop::Task task;
};

namespace {

std::uint64_t pack(std::uint32_t slot, std::uint32_t generation) {
    return (static_cast<std::uint64_t>(generation) << 32U) | slot;
}

bool later(const std::shared_ptr<Timer::Entry>& a, const std::shared_ptr<Timer::Entry>& b) {
    return a->due != b->due ? a->due > b->due : a->sequence > b->sequence;
}

}  // namespace

Watch::Watch(Watch&& other) noexcept : loop_(std::exchange(other.loop_, nullptr)), slot_(other.slot_) {}

Watch& Watch::operator=(Watch&& other) noexcept {
    if (this != &other) {
        reset();
        loop_ = std::exchange(other.loop_, nullptr);
        slot_ = other.slot_;
    }
    return *this;
}

void Watch::reset() noexcept {
    if (auto* loop = std::exchange(loop_, nullptr)) loop->forget(slot_);
}

Result<> Watch::modify(std::uint32_t events) {
    return loop_->modify(slot_, events);
}

Timer::Timer(Timer&& other) noexcept = default;

Timer& Timer::operator=(Timer&& other) noexcept {
    if (this != &other) {
        cancel();
        entry_ = std::move(other.entry_);
    }
    return *this;
}

void Timer::cancel() noexcept {
    // The entry stays in the heap until it is due, but without its task it does nothing.
    if (entry_) entry_->task = nullptr;
    entry_.reset();
}

Timer::operator bool() const noexcept {
    return entry_ && entry_->task;
}

EventLoop::EventLoop(UniqueFd epoll, std::shared_ptr<Clock> clock)
    : epoll_(std::move(epoll)), clock_(std::move(clock)) {
    ready_.resize(64);
}

EventLoop::~EventLoop() = default;

Result<std::unique_ptr<EventLoop>> EventLoop::create() {
    return create(std::make_shared<SteadyClock>());
}

Result<std::unique_ptr<EventLoop>> EventLoop::create(std::shared_ptr<Clock> clock) {
    UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll) return fail(system_error("create epoll instance"));
    return std::unique_ptr<EventLoop>(new EventLoop(std::move(epoll), std::move(clock)));
}

Result<Watch> EventLoop::watch(int fd, std::uint32_t events, Callback callback, Priority priority) {
    std::uint32_t index = 0;
    if (free_slots_.empty()) {
        index = static_cast<std::uint32_t>(slots_.size());
        slots_.emplace_back();
        free_slots_.reserve(slots_.size());  // forget() must not allocate: it runs where memory is short
    } else {
        index = free_slots_.back();
        free_slots_.pop_back();
    }
    Slot& slot = slots_[index];
    slot.fd = fd;
    slot.priority = priority;
    slot.callback = std::make_shared<Callback>(std::move(callback));
    epoll_event event{};
    event.events = events;
    event.data.u64 = pack(index, slot.generation);
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
        const Error error = system_error("watch descriptor");
        slot = Slot{-1, slot.generation + 1, Priority::Normal, nullptr};
        free_slots_.push_back(index);
        return fail(error);
    }
    return Watch(this, index);
}

Result<> EventLoop::modify(std::uint32_t index, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = pack(index, slots_[index].generation);
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, slots_[index].fd, &event) != 0) {
        return fail(system_error("change watched events"));
    }
    return {};
}

void EventLoop::forget(std::uint32_t index) noexcept {
    Slot& slot = slots_[index];
    // ENOENT or EBADF: the owner closed the descriptor first, and the kernel has forgotten it already.
    (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, slot.fd, nullptr);
    slot = Slot{-1, slot.generation + 1, Priority::Normal, nullptr};
    free_slots_.push_back(index);
}

Timer EventLoop::after(Milliseconds delay, Task task) {
    return at(clock_->now() + delay, std::move(task));
}

Timer EventLoop::at(TimePoint when, Task task) {
    auto entry = std::make_shared<Timer::Entry>(Timer::Entry{when, timer_sequence_++, std::move(task)});
    timers_.push_back(entry);
    std::push_heap(timers_.begin(), timers_.end(), later);
    return Timer(std::move(entry));
}

void EventLoop::defer(Task task) {
    deferred_.push_back(std::move(task));
}

Result<> EventLoop::run() {
    quit_ = false;
    while (!quit_) SUPERVISOR_TRY(turn(Milliseconds::max()));
    return {};
}

Result<> EventLoop::turn(Milliseconds limit) {
    try {
        turn_unguarded(limit);
        return {};
    } catch (const std::exception& exception) {
        return fail(std::string("unexpected exception: ") + exception.what());
    }
}

void EventLoop::turn_unguarded(Milliseconds limit) {
    run_deferred();
    if (idle_hook_) idle_hook_();
    if (quit_) return;
    const int count =
        ::epoll_wait(epoll_.get(), ready_.data(), static_cast<int>(ready_.size()), wait_time(limit));
    const std::span<const epoll_event> ready(ready_.data(), static_cast<std::size_t>(std::max(count, 0)));
    dispatch(Priority::Urgent, ready);
    dispatch(Priority::Normal, ready);
    run_due_timers();
}

void EventLoop::run_deferred() {
    std::vector<Task> tasks;
    tasks.swap(deferred_);
    for (auto& task : tasks) task();
}

void EventLoop::dispatch(Priority priority, std::span<const epoll_event> ready) {
    for (const auto& event : ready) {
        const auto index = static_cast<std::uint32_t>(event.data.u64);
        const auto generation = static_cast<std::uint32_t>(event.data.u64 >> 32U);
        if (slots_[index].generation != generation || slots_[index].priority != priority) continue;
        const auto callback = slots_[index].callback;
        (*callback)(event.events);
    }
}

void EventLoop::run_due_timers() {
    const auto now = clock_->now();
    // Timers that a callback sets for "now" wait for the next turn, so that one of them cannot starve
    // descriptors.
    const auto end_of_turn = timer_sequence_;
    while (!timers_.empty() && timers_.front()->due <= now && timers_.front()->sequence < end_of_turn) {
        std::pop_heap(timers_.begin(), timers_.end(), later);
        const auto entry = std::move(timers_.back());
        timers_.pop_back();
        if (!entry->task) continue;
        const Task task = std::exchange(entry->task, nullptr);
        task();
    }
}

int EventLoop::wait_time(Milliseconds limit) {
    if (!deferred_.empty()) return 0;
    drop_cancelled_timers();
    auto wait = limit;
    if (!timers_.empty()) {
        const auto now = clock_->now();
        const auto due = timers_.front()->due;
        wait = std::min(wait, due <= now ? Milliseconds(0) : std::chrono::ceil<Milliseconds>(due - now));
    }
    return wait > Milliseconds(std::numeric_limits<int>::max()) ? -1 : static_cast<int>(wait.count());
}

// A cancelled timer must not wake an idle loop.
void EventLoop::drop_cancelled_timers() {
    while (!timers_.empty() && !timers_.front()->task) {
        std::pop_heap(timers_.begin(), timers_.end(), later);
        timers_.pop_back();
    }
}

}  // namespace supervisor::loop
