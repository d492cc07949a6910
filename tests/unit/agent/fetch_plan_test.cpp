#include "agent/fetch_plan.hpp"

#include <gmock/gmock.h>

#include "agent/fetch_result.hpp"

namespace supervisor::agent {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Source = PlannedFile::Source;

std::string sum(char digit) {
    return std::string(32, digit);
}

Headers good_headers() {
    return {{"agent-content-md5", sum('A')},
            {"agent-launcher-content-md5", sum('b')},
            {"agent-plugins-content-md5", ' ' + sum('c')},
            {"tfs-sdk-content-md5", sum('d')}};
}

TEST(ParseServerStatus, ReadsSumsAndProperties) {
    auto headers = good_headers();
    headers["gocd-agent-extra-properties"] = "YS5iPTEgYz14JTIweQ==";  // a.b=1 c=x%20y
    const auto status = parse_server_status(headers);
    ASSERT_TRUE(status) << status.error().message();
    EXPECT_EQ(status->agent_md5, sum('a'));
    EXPECT_EQ(status->plugins_md5, sum('c'));
    EXPECT_THAT(status->extra_properties, ElementsAre("a.b=1", "c=x y"));
}

TEST(ParseServerStatus, RefusesAnAnswerThatIsNoGoCDServers) {
    for (const auto& [name, value] : good_headers()) {
        auto headers = good_headers();
        headers.erase(name);
        const bool optional = name.starts_with("agent-launcher") || name.starts_with("tfs");
        EXPECT_EQ(parse_server_status(headers).has_value(), optional) << name;
        headers[name] = "no sum";
        EXPECT_FALSE(parse_server_status(headers)) << name;
    }
    EXPECT_THAT(parse_server_status({}).error().message(), HasSubstr("is this a GoCD server"));
}

TEST(ParseServerStatus, DoesWithoutWhatAnAgentDoesWithout) {
    auto headers = good_headers();
    headers.erase("tfs-sdk-content-md5");
    headers["gocd-agent-extra-properties"] = "not base64!";
    const auto status = parse_server_status(headers);
    ASSERT_TRUE(status) << status.error().message();
    EXPECT_EQ(status->tfs_md5, "");
    EXPECT_THAT(status->extra_properties, ElementsAre());
    for (const auto& file : plan_fetch(*status, {})) EXPECT_NE(file.name, "tfs-impl.jar");
}

TEST(PlanFetch, PrefersWhatIsThereAndLetsTheServerWin) {
    struct Case {
        const char* what;
        std::map<std::string, LocalSums> local;
        Source expected;
    };
    const auto right = sum('a');
    const auto wrong = sum('0');
    for (const auto& c :
         std::vector<Case>{{"nothing here", {}, Source::Server},
                           {"in place", {{"agent.jar", {right, {}}}}, Source::InPlace},
                           {"baked", {{"agent.jar", {{}, right}}}, Source::Baked},
                           {"both", {{"agent.jar", {right, right}}}, Source::InPlace},
                           {"stale in place", {{"agent.jar", {wrong, {}}}}, Source::Server},
                           {"stale in place, baked right", {{"agent.jar", {wrong, right}}}, Source::Baked},
                           {"both stale", {{"agent.jar", {wrong, wrong}}}, Source::Server},
                           {"another file", {{"tfs-impl.jar", {right, right}}}, Source::Server}}) {
        const auto plan = plan_fetch(*parse_server_status(good_headers()), c.local);
        ASSERT_EQ(plan.size(), 3U);
        EXPECT_EQ(plan[0].name, "agent.jar");
        EXPECT_EQ(plan[0].url_path, "/admin/agent");
        EXPECT_EQ(plan[0].md5, right);
        EXPECT_EQ(plan[0].source, c.expected) << c.what;
    }
}

TEST(ParseMd5List, ReadsMd5sumsOutput) {
    const auto sums = parse_md5_list(sum('a') + "  agent.jar\n" + sum('B') + " *tfs-impl.jar\n\n");
    ASSERT_TRUE(sums) << sums.error().message();
    EXPECT_EQ(sums->at("agent.jar"), sum('a'));
    EXPECT_EQ(sums->at("tfs-impl.jar"), sum('b'));
    EXPECT_FALSE(parse_md5_list("agent.jar\n"));
    EXPECT_FALSE(parse_md5_list("xyz  agent.jar\n"));
}

TEST(DecodeExtraProperties, IsTolerantOfEmptyAndStrictOfGarbage) {
    EXPECT_THAT(*decode_extra_properties(""), ElementsAre());
    EXPECT_FALSE(decode_extra_properties("not base64!"));
}

TEST(FetchResult, SurvivesItsLine) {
    FetchResult result;
    result.status = *parse_server_status(good_headers());
    result.status.extra_properties = {"a=b c", "d=\"e\""};
    result.checked_sum = "0123";
    result.baked = 2;
    result.fetched = 1;
    result.bytes_fetched = 41'000'000;
    const auto back = parse_fetch_result(render_fetch_result(result));
    ASSERT_TRUE(back) << back.error().message();
    EXPECT_EQ(back->status.agent_md5, sum('a'));
    EXPECT_EQ(back->status.tfs_md5, sum('d'));
    EXPECT_EQ(back->status.extra_properties, result.status.extra_properties);
    EXPECT_EQ(back->baked, 2);
    EXPECT_EQ(back->checked_sum, "0123");
    EXPECT_EQ(back->bytes_fetched, 41'000'000U);
    EXPECT_FALSE(parse_fetch_result("nonsense"));
    EXPECT_FALSE(parse_fetch_result("[]"));
    EXPECT_FALSE(parse_fetch_result("{\"agent_md5\": \"x\"}"));
}

}  // namespace
}  // namespace supervisor::agent
