#include <gmock/gmock.h>

#include "broker/handlers/routes.hpp"
#include "broker/http/uri.hpp"

namespace supervisor::broker {
namespace {

using testing::ElementsAre;

TEST(Target, IsDecodedOnceWithItsVersion) {
    const auto target = parse_target("/v1.41/containers/db%20x/json?size=1&filters=%7B%7D&x=a+b");
    ASSERT_TRUE(target);
    EXPECT_EQ(target->version, "1.41");
    EXPECT_THAT(target->segments, ElementsAre("containers", "db x", "json"));
    EXPECT_EQ(target->query.get("filters"), "{}");
    EXPECT_EQ(target->query.get("x"), "a b");
}

TEST(Target, RefusesWhatRoutersReadDifferently) {
    for (const char* target :
         {"/containers//json", "/containers/../info", "/containers/./json", "/containers/json/",
          "/%2e%2e/info", "/a%2f%2e%2e%2fb", "/containers/a%00b/json", "/containers/a%0ab/json",
          "/images/..;x/json", "/images/.%3bx/json", "/images/;x/json", "/info?a=1;b=2", "/info#x", "/a%zz",
          "/a%2", "/", "/_ping?a%00=1"}) {
        EXPECT_FALSE(parse_target(target)) << target;
    }
}

TEST(Base64, IsThatOfHeaders) {
    EXPECT_EQ(base64_url(""), "");
    EXPECT_EQ(base64_url("a"), "YQ==");
    EXPECT_EQ(base64_url("ab"), "YWI=");
    EXPECT_EQ(base64_url("abc"), "YWJj");
    EXPECT_EQ(base64_url("\xfb\xff\xfe"), "-__-");
}

TEST(Query, ReadsFlagsAsTheDaemonDoes) {
    Query query;
    for (const char* value : {"", "0", "no", "False", " none "}) {
        query.set("v", value);
        EXPECT_FALSE(query.flag("v")) << value;
    }
    query.set("v", "anything");
    EXPECT_TRUE(query.flag("v"));
}

TEST(Query, IsWrittenSoThatItReadsTheSame) {
    Query query;
    query.add("t", "a b&c=d%");
    query.add("t", "é\n");
    const auto back = parse_target("/x" + query.text());
    ASSERT_TRUE(back);
    EXPECT_THAT(back->query.all("t"), ElementsAre("a b&c=d%", "é\n"));
}

struct Row {
    const char* method;
    const char* target;
    const char* pattern;  // nullptr: no route
    const char* name;
};
void PrintTo(const Row& row, std::ostream* out) {
    *out << row.method << " " << row.target;
}

class Routing : public testing::TestWithParam<Row> {};

TEST_P(Routing, FindsItsRow) {
    const auto& row = GetParam();
    const auto target = parse_target(row.target);
    ASSERT_TRUE(target);
    const auto match = match_route(row.method, target->segments);
    if (row.pattern == nullptr) {
        EXPECT_EQ(match.route, nullptr);
        return;
    }
    ASSERT_NE(match.route, nullptr);
    EXPECT_EQ(match.route->pattern, row.pattern);
    EXPECT_EQ(match.name, row.name);
}

INSTANTIATE_TEST_SUITE_P(
    Table, Routing,
    testing::Values(
        Row{"GET", "/_ping", "/_ping", ""}, Row{"HEAD", "/v1.41/_ping", "/_ping", ""},
        Row{"GET", "/containers/json", "/containers/json", ""},
        Row{"GET", "/containers/json/json", "/containers/{id}/json", "json"},
        Row{"POST", "/containers/create", "/containers/create", ""},
        Row{"POST", "/containers/db/start", "/containers/{id}/start", "db"},
        Row{"DELETE", "/containers/db", "/containers/{id}", "db"},
        Row{"GET", "/containers/a%2fb/json", nullptr, ""}, Row{"GET", "/containers%2fjson", nullptr, ""},
        Row{"GET", "/Containers/json", nullptr, ""}, Row{"GET", "/images/json", "/images/json", ""},
        Row{"GET", "/images/get", "/images/get", ""},
        Row{"GET", "/images/reg:5000/a/b/json", "/images/{name...}/json", "reg:5000/a/b"},
        Row{"GET", "/images/reg%2Fa/json", "/images/{name...}/json", "reg/a"},
        Row{"DELETE", "/images/a/b:c", "/images/{name...}", "a/b:c"},
        Row{"POST", "/images/a/b/push", "/images/{name...}/push", "a/b"},
        Row{"POST", "/networks/n/connect", "/networks/{id}/connect", "n"},
        Row{"GET", "/volumes/v", "/volumes/{id}", "v"}, Row{"POST", "/exec/x/start", "/exec/{id}/start", "x"},
        // What is not in the table does not exist.
        Row{"POST", "/swarm/init", nullptr, ""}, Row{"POST", "/plugins/pull", nullptr, ""},
        Row{"GET", "/libpod/info", nullptr, ""}, Row{"GET", "/debug/pprof", nullptr, ""},
        Row{"POST", "/containers/db/checkpoints", nullptr, ""}, Row{"POST", "/services/create", nullptr, ""},
        Row{"GET", "/containers/create", nullptr, ""}, Row{"PUT", "/volumes/v", nullptr, ""},
        Row{"POST", "/secrets/create", nullptr, ""}, Row{"CONNECT", "/info", nullptr, ""}));

TEST(AllowedQuery, DropsUnknownKeysAndRefusesASecondValue) {
    const auto route = match_route("POST", {"containers", "create"}).route;
    Query query;
    query.add("name", "db");
    query.add("checkpoint-dir", "/etc");
    const auto allowed = allowed_query(*route, query);
    ASSERT_TRUE(allowed);
    EXPECT_EQ(allowed->text(), "?name=db");
    query.add("name", "other");
    EXPECT_FALSE(allowed_query(*route, query));
}

TEST(AllowedQuery, KeepsRepeatedKeysWhereTheyCount) {
    const auto route = match_route("POST", {"build"}).route;
    Query query;
    query.add("t", "a");
    query.add("t", "b");
    EXPECT_EQ(allowed_query(*route, query)->text(), "?t=a&t=b");
}

}  // namespace
}  // namespace supervisor::broker
