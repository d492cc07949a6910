#include "proc/output_pump.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include "sys/unix_socket.hpp"

namespace supervisor::proc {
namespace {

class OutputPumpTest : public testing::Test {
  protected:
    OutputPumpTest() {
        pump.emplace(
            std::move(OutputPump::start(*loop, std::move(source.read), writer, [this](std::string_view line) {
                          lines.emplace_back(line);
                      }).value()));
    }
    void send(std::string_view text) {
        ASSERT_EQ(::write(source.write.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
    }
    void turn() { ASSERT_TRUE(loop->turn(Milliseconds(0))); }

    std::unique_ptr<loop::EventLoop> loop =
        std::move(loop::EventLoop::create(std::make_shared<ManualClock>()).value());
    sys::Pipe source = std::move(sys::make_pipe().value());
    sys::Pipe sink = std::move(sys::make_pipe().value());
    LineWriter writer{sink.write.get()};
    std::vector<std::string> lines;
    std::optional<OutputPump> pump;
};

TEST_F(OutputPumpTest, PutsLinesTogetherAcrossReads) {
    send("one\ntw");
    turn();
    send("o\n\nrest");
    turn();
    EXPECT_EQ(lines, (std::vector<std::string>{"one", "two", ""}));
    source.write.reset();
    turn();
    EXPECT_EQ(lines.back(), "rest");
}

TEST_F(OutputPumpTest, HandsOnALongLineInPieces) {
    const std::string part(32 * 1024, 'x');
    for (int i = 0; i < 6; ++i) {
        send(part);
        turn();
    }
    send("\n");
    turn();
    std::size_t total = 0;
    for (const auto& line : lines) {
        EXPECT_LE(line.size(), OutputPump::kMaxLine);
        total += line.size();
    }
    EXPECT_EQ(total, 6 * part.size());
}

TEST_F(OutputPumpTest, FinishTakesWhatIsThereWithoutWaitingForTheEnd) {
    send("a\nlast words");
    pump->finish();
    EXPECT_EQ(lines, (std::vector<std::string>{"a", "last words"}));
}

}  // namespace
}  // namespace supervisor::proc
