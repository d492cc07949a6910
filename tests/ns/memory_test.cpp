// Allocations that fail, at any moment of a life: PID 1 goes on, or ends in order and says why; it is never
// killed by it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <iostream>

#include "ns/box.hpp"

// The sanitizer brings an allocator of its own.
#ifndef SANITIZED

namespace ns_test {
namespace {

using testing::AnyOf;
using testing::Eq;
using testing::HasSubstr;

constexpr int kProgramsStatus = 4;

BoxOptions failing(const std::string& script, int from, int count) {
    BoxOptions options{.arguments = plain({"sh", "-c", script})};
    options.environment = {std::string("LD_PRELOAD=") + kFailingMalloc, "FAIL_FROM=" + std::to_string(from),
                           "FAIL_COUNT=" + std::to_string(count)};
    return options;
}

// The first ones belong to what runs before main(), where nothing is at stake yet. Then dense where a life
// begins, further and further apart later.
constexpr int kBeforeMain = 12;
std::vector<int> instants() {
    std::vector<int> all;
    for (int at = kBeforeMain; at < 3'000; at += 1 + at / 10) all.push_back(at);
    return all;
}

class NoMemory : public testing::TestWithParam<int> {};

TEST_P(NoMemory, AtAnyInstantEndsInOrderOrNotAtAll) {
    int went_on = 0;
    int stopped = 0;
    for (const int from : instants()) {
        Box box(failing("exit 4", from, GetParam()));
        const int status = box.wait(20s);
        // 64: what reads the command line failed; 71: what prepares the host; 126: the program was not
        // started; 0, 70: a stop in order.
        EXPECT_THAT(status, AnyOf(Eq(kProgramsStatus), Eq(0), Eq(64), Eq(70), Eq(71), Eq(126)))
            << "from allocation " << from << "\n"
            << box.text();
        ++(status == kProgramsStatus ? went_on : stopped);
    }
    std::cout << went_on << " went on, " << stopped << " ended in order\n";
    EXPECT_GT(went_on, 0);
    EXPECT_GT(stopped + (GetParam() == 1 ? 1 : 0), 0) << "no allocation failed at all";
}

// One: the reserve makes up for it. A few: beyond the reserve. All: nothing comes back.
INSTANTIATE_TEST_SUITE_P(Allocations, NoMemory, testing::Values(1, 30, 1'000'000'000));

TEST(MemoryReserve, MakesUpForASingleFailureAndSaysSo) {
    int told = 0;
    for (int from = 500; from <= 1'300; from += 100) {
        Box box(failing("sleep 0.2; exit 4", from, 1));
        // 70: it hit a library in C, which has no reserve to fall back to.
        EXPECT_THAT(box.wait(), AnyOf(Eq(kProgramsStatus), Eq(70))) << from << "\n" << box.text();
        told += box.err().find("memory was short") != std::string::npos ? 1 : 0;
    }
    EXPECT_GT(told, 0);
}

TEST(NoMemory, ATermThatComesThenIsObeyed) {
    for (const int from : {1'000, 2'000, 3'000}) {
        Box box(failing("echo up; exec sleep 1000", from, 1'000'000'000));
        (void)box.says("up", 2s);
        box.signal(SIGTERM);
        EXPECT_THAT(box.wait(20s), AnyOf(Eq(0), Eq(70), Eq(71), Eq(126))) << box.text();
    }
}

}  // namespace
}  // namespace ns_test

#endif
