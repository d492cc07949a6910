#include <gmock/gmock.h>

#include "broker/http/json_guard.hpp"

namespace supervisor::broker {
namespace {

class GuardRefuses : public testing::TestWithParam<std::string> {};
TEST_P(GuardRefuses, TheText) {
    EXPECT_FALSE(guard_json(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(
    Texts, GuardRefuses,
    testing::Values(R"({"a":1,"a":2})", R"({"HostConfig":{},"x":1,"HostConfig":{"Privileged":true}})",
                    R"({"a":{"b":1,"b":2}})", R"({"HostConfig":{},"Ho\u0073tConfig":{}})", R"({} {})",
                    R"({}x)", R"({"a":1,})", R"([1,])", R"({"a")", R"({"a":})", R"("\ud800")",
                    R"("\ud800\u0041")", "\"\xff\"", "\"\xc0\xaf\"", "\"\xed\xa0\x80\"", "\"a\nb\"",
                    R"("\x")", R"({"n":99999999999999999999})", R"({"n":9223372036854775808})", R"({"n":+1})",
                    "2-22", "0e2520", "01", "1.", ".5", "1e", "--1", "-", "nul", "",
                    std::string(40, '[') + std::string(40, ']')));

TEST(Guard, AcceptsWhatClientsSend) {
    for (const char* text : {R"({})", R"([])", R"({"Labels":{"a":"1","A":"2"}})",
                             R"({"n":-9223372036854775807,"f":1.5,"e":1e3})",
                             R"({"s":"\u00e9\ud83d\ude00 \"x\""})", " { \"a\" : [ true , null ] } "}) {
        EXPECT_TRUE(guard_json(text)) << text;
    }
}

TEST(ParseGuarded, TakesAnEmptyBodyAsNull) {
    EXPECT_TRUE(parse_guarded("")->is_null());
    EXPECT_TRUE(parse_guarded(" \n")->is_null());
}

TEST(Folding, IsGos) {
    EXPECT_TRUE(folds_to("hostconfig", "HostConfig"));
    EXPECT_TRUE(folds_to("Ho\xC5\xBFtConfig", "HostConfig"));
    EXPECT_TRUE(folds_to("Networ\xE2\x84\xAAMode", "NetworkMode"));
    EXPECT_FALSE(folds_to("HostConfigs", "HostConfig"));
}

}  // namespace
}  // namespace supervisor::broker
