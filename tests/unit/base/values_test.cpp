#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <type_traits>

#include "base/clock.hpp"
#include "base/json.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"
#include "base/unique_fd.hpp"

namespace supervisor {
namespace {

bool is_open(int fd) {
    return ::fcntl(fd, F_GETFD) >= 0;
}
int open_null() {
    return ::open("/dev/null", O_RDONLY | O_CLOEXEC);
}

TEST(UniqueFd, MoveAssignmentClosesWhatWasHeld) {
    UniqueFd a(open_null());
    const int first = a.get();
    UniqueFd b(open_null());
    const int second = b.get();
    a = std::move(b);
    EXPECT_FALSE(is_open(first));
    EXPECT_EQ(a.get(), second);
}

TEST(UniqueFd, SelfMoveKeepsTheDescriptor) {
    UniqueFd a(open_null());
    UniqueFd& alias = a;
    a = std::move(alias);
    EXPECT_TRUE(is_open(a.get()));
}

TEST(UniqueFd, ClosingKeepsErrno) {
    errno = EBUSY;
    { UniqueFd broken(123456); }
    EXPECT_EQ(errno, EBUSY);
}

TEST(Error, ReadsFromTheOutsideIn) {
    const Error error =
        system_error(EBUSY, "write", "/sys/x").context("enable controllers").advice("stop the other one");
    EXPECT_EQ(error.message(),
              "enable controllers: write /sys/x: Device or resource busy (stop the other one)");
    EXPECT_EQ(error.code(), EBUSY);
}

TEST(Deadline, StagesNeverOutliveTheWhole) {
    ManualClock clock;
    const auto whole = Deadline::after(clock, Milliseconds(1000));
    EXPECT_EQ(whole.stage(clock, Milliseconds(300)).remaining(clock), Milliseconds(300));
    clock.advance(Milliseconds(900));
    EXPECT_EQ(whole.stage(clock, Milliseconds(300)).remaining(clock), Milliseconds(100));
    clock.advance(Milliseconds(900));
    EXPECT_TRUE(whole.expired(clock));
    EXPECT_EQ(whole.remaining(clock), Milliseconds(0));
}

TEST(Json, SaysWhereItIsBroken) {
    const auto result = parse_json("{\n  \"a\": 1,\n  b\n}");
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().message().find("line 3"), 0U);
    EXPECT_FALSE(parse_json("{} {}"));
    EXPECT_FALSE(parse_json("{"));
    EXPECT_TRUE(parse_json(" {\"a\": [1, 2]} \n"));
}

TEST(Json, PrettyTextKeepsTheOrderOfKeys) {
    EXPECT_EQ(to_pretty_text(parse_json(R"({"b":[1],"a":{}})").value()),
              "{\n  \"b\": [\n    1\n  ],\n  \"a\": {}\n}\n");
}

template <class T>
concept Streamable = requires(std::ostream& out, const T& value) {
    out << value;
};
static_assert(!Streamable<Secret> && !std::is_convertible_v<Secret, std::string>,
              "a Secret must not become text unless reveal() is called");

}  // namespace
}  // namespace supervisor
