#include "proc/backoff.hpp"

#include <gtest/gtest.h>

namespace supervisor::proc {
namespace {

using ms = Milliseconds;

TEST(Backoff, FirstRestartIsAtOnceThenDoublesUpToTheCap) {
    ManualClock clock;
    Backoff backoff(
        {.minimum = ms(0), .cap = ms(500), .limit = 10, .window = ms(60'000), .stable = ms(30'000)});
    std::vector<long> waits;
    for (int i = 0; i < 6; ++i) waits.push_back(backoff.next(clock.now(), ms(10))->count());
    EXPECT_EQ(waits, (std::vector<long>{0, 100, 200, 400, 500, 500}));
}

TEST(Backoff, GivesUpWhenDeathsCrowdTheWindow) {
    ManualClock clock;
    Backoff backoff(
        {.minimum = ms(0), .cap = ms(500), .limit = 3, .window = ms(10'000), .stable = ms(30'000)});
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(backoff.next(clock.now(), ms(10)));
    EXPECT_FALSE(backoff.next(clock.now(), ms(10)));
}

TEST(Backoff, DeathsOutsideTheWindowDoNotCount) {
    ManualClock clock;
    Backoff backoff(
        {.minimum = ms(0), .cap = ms(500), .limit = 1, .window = ms(10'000), .stable = ms(300'000)});
    EXPECT_TRUE(backoff.next(clock.now(), ms(10)));
    clock.advance(ms(10'001));
    EXPECT_EQ(backoff.next(clock.now(), ms(10)), ms(0));
}

TEST(Backoff, AStableRunStartsAfresh) {
    ManualClock clock;
    Backoff backoff(
        {.minimum = ms(5), .cap = ms(500), .limit = 2, .window = ms(600'000), .stable = ms(30'000)});
    backoff.next(clock.now(), ms(10));
    backoff.next(clock.now(), ms(10));
    EXPECT_EQ(backoff.next(clock.now(), ms(30'000)), ms(5));
}

}  // namespace
}  // namespace supervisor::proc
