// A child's stdout or stderr, read by the loop and handed on line by line.
//
// Memory is bounded: a line longer than kMaxLine is handed on in pieces. When the sink says that its reader
// is slow, the pump stops reading for a while, so that a burst loses nothing; a reader that takes nothing at
// all for kPatience then costs lines (the sink drops and counts them), but never stops the child.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/line_writer.hpp"
#include "loop/event_loop.hpp"

namespace supervisor::proc {

class OutputPump {
  public:
    static constexpr std::size_t kMaxLine = 64 * 1024;
    static constexpr Milliseconds kPatience{1000};

    using OnLine = std::function<void(std::string_view line)>;

    // Reads `pipe` until its end. `destination` is where on_line writes: the pump looks only at how full it
    // is.
    static Result<OutputPump> start(loop::EventLoop& loop, UniqueFd pipe, LineWriter& destination,
                                    OnLine on_line);

    // Reads what is there without waiting and hands on an unfinished last line: for after the child's end.
    void finish();

    OutputPump(OutputPump&&) noexcept;
    OutputPump& operator=(OutputPump&&) noexcept;
    ~OutputPump();

  private:
    struct State;
    explicit OutputPump(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace supervisor::proc
