#include "loop/event_loop.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <optional>

#include "sys/unix_socket.hpp"

namespace supervisor::loop {
namespace {

class EventLoopTest : public testing::Test {
  protected:
    void turn() { ASSERT_TRUE(loop->turn(Milliseconds(0))); }
    void ready(const sys::Pipe& pipe) { ASSERT_EQ(::write(pipe.write.get(), "x", 1), 1); }

    std::shared_ptr<ManualClock> clock = std::make_shared<ManualClock>();
    std::unique_ptr<EventLoop> loop = std::move(EventLoop::create(clock).value());
};

TEST_F(EventLoopTest, TimersRunInOrderOfTimeThenOfCreation) {
    std::string order;
    auto c = loop->after(Milliseconds(20), [&] { order += 'c'; });
    auto a = loop->after(Milliseconds(10), [&] { order += 'a'; });
    auto b = loop->after(Milliseconds(10), [&] { order += 'b'; });
    turn();
    EXPECT_EQ(order, "");
    clock->advance(Milliseconds(20));
    turn();
    EXPECT_EQ(order, "abc");
}

TEST_F(EventLoopTest, ACancelledTimerNeverRuns) {
    bool ran = false;
    {
        auto timer = loop->after(Milliseconds(1), [&] { ran = true; });
    }
    clock->advance(Milliseconds(5));
    turn();
    EXPECT_FALSE(ran);
}

TEST_F(EventLoopTest, ATimerMayReplaceItselfInItsOwnCallback) {
    int runs = 0;
    Timer timer;
    std::function<void()> again = [&] {
        ++runs;
        timer = loop->after(Milliseconds(10), again);
    };
    timer = loop->after(Milliseconds(10), again);
    for (int i = 0; i < 3; ++i) {
        clock->advance(Milliseconds(10));
        turn();
    }
    EXPECT_EQ(runs, 3);
}

TEST_F(EventLoopTest, AnEventForAWatchRemovedInTheSameTurnIsDropped) {
    const auto one = std::move(sys::make_pipe().value());
    const auto two = std::move(sys::make_pipe().value());
    int calls = 0;
    std::optional<Watch> first;
    std::optional<Watch> second;
    const auto remove_both = [&](std::uint32_t) {
        ++calls;
        first.reset();
        second.reset();
    };
    first = std::move(loop->watch(one.read.get(), EPOLLIN, remove_both).value());
    second = std::move(loop->watch(two.read.get(), EPOLLIN, remove_both).value());
    ready(one);
    ready(two);
    turn();
    turn();
    EXPECT_EQ(calls, 1);
}

TEST_F(EventLoopTest, AReusedSlotDoesNotSeeTheOldWatchsEvents) {
    const auto one = std::move(sys::make_pipe().value());
    const auto two = std::move(sys::make_pipe().value());
    const auto quiet = std::move(sys::make_pipe().value());
    bool wrong = false;
    Watch second;
    Watch replacement;
    auto first = std::move(
        loop->watch(
                one.read.get(), EPOLLIN,
                [&](std::uint32_t) {
                    second.reset();
                    replacement = std::move(
                        loop->watch(quiet.read.get(), EPOLLIN, [&](std::uint32_t) { wrong = true; }).value());
                })
            .value());
    second = std::move(loop->watch(two.read.get(), EPOLLIN, [](std::uint32_t) {}).value());
    ready(one);
    ready(two);
    turn();
    EXPECT_FALSE(wrong);
}

TEST_F(EventLoopTest, UrgentDescriptorsComeFirst) {
    const auto one = std::move(sys::make_pipe().value());
    const auto two = std::move(sys::make_pipe().value());
    std::string order;
    auto normal = loop->watch(one.read.get(), EPOLLIN, [&](std::uint32_t) { order += 'n'; });
    auto urgent = loop->watch(
        two.read.get(), EPOLLIN, [&](std::uint32_t) { order += 'u'; }, Priority::Urgent);
    ready(one);
    ready(two);
    turn();
    EXPECT_EQ(order, "un");
}

TEST_F(EventLoopTest, AnExceptionInACallbackEndsTheTurnAsAnError) {
    auto timer = loop->after(Milliseconds(0), [] { throw std::runtime_error("boom"); });
    const auto result = loop->turn(Milliseconds(0));
    ASSERT_FALSE(result);
    EXPECT_NE(result.error().message().find("boom"), std::string::npos);
}

TEST_F(EventLoopTest, DeferredTasksRunOnceInOrder) {
    std::string order;
    loop->defer([&] { order += 'a'; });
    loop->defer([&] { order += 'b'; });
    turn();
    turn();
    EXPECT_EQ(order, "ab");
}

}  // namespace
}  // namespace supervisor::loop
