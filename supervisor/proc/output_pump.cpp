#include "proc/output_pump.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "sys/unix_socket.hpp"

namespace supervisor::proc {
namespace {

constexpr std::size_t kChunk = 64 * 1024;
constexpr Milliseconds kRecheck{5};
// Beyond this much unsent text the reader counts as slow.
constexpr std::size_t kSlowBytes = LineWriter::kDefaultCapacity / 2;

}  // namespace

struct OutputPump::State {
    State(loop::EventLoop& owner, UniqueFd fd, LineWriter& sink, OnLine callback)
        : loop(owner), pipe(std::move(fd)), destination(sink), on_line(std::move(callback)) {}

    enum class Got { Data, Nothing, End };

    // One chunk a turn keeps a noisy child from starving everything else.
    Got read_chunk() {
        static char chunk[kChunk];  // one thread, used only inside this call
        const auto got = ::read(pipe.get(), chunk, sizeof chunk);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) return Got::Nothing;
        if (got <= 0) return Got::End;
        take(std::string_view(chunk, static_cast<std::size_t>(got)));
        return Got::Data;
    }

    void take(std::string_view bytes) {
        for (auto end = bytes.find('\n'); end != std::string_view::npos; end = bytes.find('\n')) {
            if (partial.empty()) {
                on_line(bytes.substr(0, end));
            } else {
                partial.append(bytes.substr(0, end));
                emit_partial();
            }
            bytes.remove_prefix(end + 1);
        }
        partial.append(bytes);
        if (partial.size() >= kMaxLine) emit_partial();
    }

    void emit_partial() {
        on_line(partial);
        partial.clear();
        if (partial.capacity() > kMaxLine / 4) partial.shrink_to_fit();
    }

    void readable() {
        if (read_chunk() == Got::End) {
            watch.reset();
            if (!partial.empty()) emit_partial();
            return;
        }
        if (destination.unsent() > kSlowBytes && !gave_up) pause();
        if (destination.unsent() == 0) gave_up = false;
    }

    void pause() {
        (void)watch.modify(0);
        unsent_before = destination.unsent();
        paused_until = loop.clock().now() + kPatience;
        retry = loop.after(kRecheck, [this] { recheck(); });
    }

    void recheck() {
        destination.flush();
        const auto unsent = destination.unsent();
        if (unsent < unsent_before) paused_until = loop.clock().now() + kPatience;
        unsent_before = unsent;
        gave_up = loop.clock().now() >= paused_until;
        if (unsent > kSlowBytes && !gave_up) {
            retry = loop.after(kRecheck, [this] { recheck(); });
            return;
        }
        (void)watch.modify(EPOLLIN);
    }

    loop::EventLoop& loop;
    UniqueFd pipe;
    LineWriter& destination;
    OnLine on_line;
    std::string partial;
    loop::Watch watch;
    loop::Timer retry;
    TimePoint paused_until{};
    std::size_t unsent_before = 0;
    bool gave_up = false;  // nobody reads: keep the child going and let the sink drop
};

OutputPump::OutputPump(std::unique_ptr<State> state) : state_(std::move(state)) {}
OutputPump::OutputPump(OutputPump&&) noexcept = default;
OutputPump& OutputPump::operator=(OutputPump&&) noexcept = default;
OutputPump::~OutputPump() = default;

Result<OutputPump> OutputPump::start(loop::EventLoop& loop, UniqueFd pipe, LineWriter& destination,
                                     OnLine on_line) {
    SUPERVISOR_TRY(sys::set_nonblocking(pipe.get()));
    auto state = std::make_unique<State>(loop, std::move(pipe), destination, std::move(on_line));
    State* raw = state.get();
    SUPERVISOR_TRY_ASSIGN(watch,
                          loop.watch(raw->pipe.get(), EPOLLIN, [raw](std::uint32_t) { raw->readable(); }));
    state->watch = std::move(watch);
    return OutputPump(std::move(state));
}

void OutputPump::finish() {
    if (!state_ || !state_->watch) return;
    // Bounded: a descendant that still holds the pipe could otherwise keep it full for ever.
    constexpr int kMaxChunks = 64;
    for (int i = 0; i < kMaxChunks && state_->read_chunk() == State::Got::Data; ++i) {
    }
    if (!state_->partial.empty()) state_->emit_partial();
    state_->watch.reset();
    state_->retry.cancel();
}

}  // namespace supervisor::proc
