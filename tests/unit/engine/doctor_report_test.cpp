#include "engine/doctor_report.hpp"

#include "base/strings.hpp"
#include "plan_fixture.hpp"

namespace supervisor::engine {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using DoctorReport = PlanTest;

TEST_F(DoctorReport, GoodHostNeedsNoAdvice) {
    host.root_shared = true;
    const auto text = doctor_text(drafted(), host);
    EXPECT_THAT(text, HasSubstr("ok    storage"));
    EXPECT_THAT(text, HasSubstr("Docker will work here.\n"));
    EXPECT_THAT(text, Not(HasSubstr("→")));
}

TEST_F(DoctorReport, FailureComesWithItsFix) {
    lose(sys::kCapSysAdmin);
    const auto text = doctor_text(drafted(), host, {false, 0});
    EXPECT_THAT(text, HasSubstr("FAIL  rights"));
    EXPECT_THAT(text, HasSubstr("→ docker run --privileged"));
    EXPECT_THAT(text, HasSubstr("Docker will not work here: 1 problem(s)."));
}

TEST_F(DoctorReport, LinesKeepToTheWidth) {
    refuse_overlay();
    const auto text = doctor_text(drafted(), host, {false, 60});
    for (const auto line : split_lines(text)) {
        const bool one_word = trim(line).find(' ') == std::string_view::npos;
        EXPECT_TRUE(line.size() <= 62 || one_word) << line;  // the arrow is three bytes wide
    }
}

TEST_F(DoctorReport, ColourOnlyWhenAsked) {
    EXPECT_THAT(doctor_text(drafted(), host), Not(HasSubstr("\x1b[")));
    EXPECT_THAT(doctor_text(drafted(), host, {true, 80}), HasSubstr("\x1b[32mok  \x1b[0m"));
}

TEST_F(DoctorReport, JsonHoldsTheSameRows) {
    lose(sys::kCapSysAdmin);
    const auto plan = drafted();
    const auto report = doctor_json(plan, host);
    EXPECT_EQ(report.at("suitable"), false);
    EXPECT_EQ(report.at("checks").as_array().size(), plan.decisions.size());
    EXPECT_EQ(report.at("checks").at(0).at("verdict"), "fail");
    EXPECT_THAT(std::string(report.at("checks").at(0).at("fix").as_string()), HasSubstr("--privileged"));
}

}  // namespace
}  // namespace supervisor::engine
