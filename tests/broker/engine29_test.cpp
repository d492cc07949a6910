// What Docker 29 does differently from the engines before it. Answers are as 29.1.3 gave them (API 1.52,
// containerd's image store), shortened.
#include <gmock/gmock.h>

#include "harness.hpp"

namespace supervisor::broker {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const std::string kId(64, 'a');
const std::string kStranger(64, 'b');

constexpr std::string_view kVersion =
    R"({"Platform":{"Name":""},"Version":"29.1.3","ApiVersion":"1.52","MinAPIVersion":"1.44","Os":"linux"})";

json::value parsed(const std::string& text) {
    auto value = parse_json(text);
    return value ? std::move(*value) : json::value("not JSON: " + text);
}

void expect_json(const std::string& got, const std::string& wanted) {
    EXPECT_EQ(parsed(got), parsed(wanted));
}

class Engine29 : public testing::Test {
  protected:
    explicit Engine29(std::string_view version = kVersion)
        : harness("isolated", {}, {.version = std::string(version)}) {
        harness.broker().ledger().add(OwnContainer{kId, "db", "", 0, 0});
    }
    std::string ask(const std::string& line, const std::string& answer, const std::string& headers = {}) {
        harness.answer = [&answer](const std::string&) { return Harness::json_reply(answer); };
        auto client = harness.client();
        client.send(line + " HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n");
        harness.settle();
        const auto received = client.received();
        return received.substr(std::min(received.size(), received.find("\r\n\r\n") + 4));
    }
    std::string last() const { return harness.requests.empty() ? std::string() : harness.requests.back(); }

    Harness harness;
};

TEST_F(Engine29, IsAskedInItsOwnVersion) {
    EXPECT_EQ(harness.broker().api().text(), "1.52");
    (void)ask("GET /containers/db/json", "{}");
    EXPECT_THAT(last(), StartsWith("GET /v1.52/containers/" + kId + "/json "));
}

TEST_F(Engine29, ClientsThatItWouldRefuseAreToldWhyWhateverTheyAskFor) {
    for (const std::string path :
         {"/v1.41/containers/none/json", "/v1.43/containers/json", "/v1.41/plugins"}) {
        EXPECT_EQ(ask("GET " + path, "[]"),
                  R"({"message":"client version )" + path.substr(2, 4) +
                      " is too old. Minimum supported API version is 1.44, please upgrade your client to a "
                      "newer version\"}\n");
    }
    EXPECT_TRUE(harness.requests.empty());
    EXPECT_EQ(ask("GET /v1.44/plugins", ""), "[]\n");
}

class EngineOfTheFuture : public Engine29 {
  protected:
    EngineOfTheFuture() : Engine29(R"({"ApiVersion":"1.70","MinAPIVersion":"1.53"})") {}
};

TEST_F(EngineOfTheFuture, IsNotAskedForWhatTheTablesDoNotKnow) {
    EXPECT_EQ(harness.broker().api().text(), "1.52");
    EXPECT_THAT(ask("GET /v1.53/info", "{}"), HasSubstr("too new. Maximum supported API version is 1.52"));
    EXPECT_THAT(ask("GET /v1.52/info", "{}"), HasSubstr("too old. Minimum supported API version is 1.53"));
}

// ---- disk usage ----

const std::string kContainers =
    R"([{"Id":"1","State":"running","SizeRw":100,"Labels":{"org.gocd.agent.id":"agent"}},)"
    R"({"Id":"2","State":"exited","SizeRw":20,"Labels":{"org.gocd.agent.id":"agent"}},)"
    R"({"Id":"3","State":"running","SizeRw":4096,"Labels":{"org.gocd.agent.id":"other"}}])";
const std::string kOwnContainers =
    R"([{"Id":"1","State":"running","SizeRw":100,"Labels":{"org.gocd.agent.id":"agent"}},)"
    R"({"Id":"2","State":"exited","SizeRw":20,"Labels":{"org.gocd.agent.id":"agent"}}])";

TEST_F(Engine29, DiskUsageCountsOwnObjectsInListsAndSums) {
    const auto sums = R"("ActiveCount":2,"TotalCount":3,"TotalSize":4216)";
    expect_json(ask("GET /system/df", R"({"Containers":)" + kContainers + R"(,"ContainerUsage":{)" + sums +
                                          R"(,"Items":)" + kContainers + "}}"),
                R"({"Containers":)" + kOwnContainers +
                    R"(,"ContainerUsage":{"ActiveCount":1,"TotalCount":2,"TotalSize":120,"Items":)" +
                    kOwnContainers +
                    R"(,"Reclaimable":20}})"
                    "\n");
}

TEST_F(Engine29, DiskUsageOfOthersIsInNoSum) {
    const auto& prefix = harness.broker().names().prefix();
    expect_json(
        ask("GET /system/df?verbose=1",
            R"({"ImageUsage":{"ActiveCount":1,"Items":[{"Id":"i","RepoTags":["i:1"],"Containers":0,"Labels":{}},{"Id":"j","Containers":1,"Labels":{"org.gocd.agent.id":"other"}}],"TotalCount":2,"TotalSize":99},)"
            R"("ContainerUsage":{"ActiveCount":1,"Items":[{"Id":"3","State":"running","Labels":{}}],"TotalCount":1,"TotalSize":7},)"
            R"("VolumeUsage":{"Items":[{"Name":"theirs","UsageData":{"RefCount":0,"Size":5}},{"Name":")" +
                prefix +
                R"(v","UsageData":{"RefCount":1,"Size":-1}}],"Reclaimable":5,"TotalCount":2,"TotalSize":5},)"
                R"("BuildCacheUsage":{"ActiveCount":1,"Items":[{"ID":"c"}],"TotalCount":1,"TotalSize":5}})"),
        R"({"ImageUsage":{"TotalSize":99,"Items":[{"Id":"i","RepoTags":["i:1"],"Containers":0,"Labels":{}}],"TotalCount":1},)"
        R"("ContainerUsage":{},)"
        R"("VolumeUsage":{"ActiveCount":1,"Items":[{"Name":"v","UsageData":{"RefCount":1,"Size":-1}}],"TotalCount":1},)"
        R"("BuildCacheUsage":{}})"
        "\n");
}

TEST_F(Engine29, DiskUsageWithoutListsIsAddedUpFromThem) {
    expect_json(ask("GET /system/df?verbose=false",
                    R"({"ContainerUsage":{"ActiveCount":2,"Items":)" + kContainers + R"(,"TotalCount":3}})"),
                R"({"ContainerUsage":{"ActiveCount":1,"TotalSize":120,"TotalCount":2,"Reclaimable":20}})"
                "\n");
    EXPECT_THAT(last(), StartsWith("GET /v1.52/system/df?verbose=1 "));
    // An engine that gives no lists all the same: better nothing than everybody's.
    expect_json(ask("GET /system/df", R"({"ContainerUsage":{"ActiveCount":2,"TotalCount":3}})"),
                R"({"ContainerUsage":{}})"
                "\n");
}

// ---- images ----

TEST_F(Engine29, ContainersOfOthersAreNotNamedAsUsersOfAnImage) {
    const auto image = [](const std::string& users) {
        return R"({"Id":"sha256:1","RepoTags":["busybox:latest"],"Labels":{},"Manifests":[{"Kind":"image","ImageData":{"Containers":[)" +
               users +
               R"(]}},{"Kind":"attestation","AttestationData":{}},{"Kind":"image","ImageData":{"Containers":null}}]})";
    };
    const auto both = '"' + kId + "\",\"" + kStranger + '"';
    const auto own = '"' + kId + '"';
    EXPECT_EQ(ask("GET /images/json?manifests=1", "[" + image(both) + "]"), "[" + image(own) + "]\n");
    EXPECT_EQ(ask("GET /images/busybox/json?manifests=1", image(both)), image(own) + "\n");
}

TEST_F(Engine29, SeveralPlatformsOfAnImageCanBeSavedAndLoaded) {
    (void)ask("GET /images/get?names=busybox&platform=%7B%7D&platform=%5B%5D",
              R"({"Id":"sha256:1","RepoTags":["busybox:latest"]})");
    EXPECT_THAT(last(), StartsWith("GET /v1.52/images/get?names=busybox&platform=%7B%7D&platform=%5B%5D "));
    (void)ask("POST /images/load?platform=%7B%7D&platform=%5B%5D", "[]", "Content-Length: 0\r\n");
    EXPECT_THAT(last(), StartsWith("POST /v1.52/images/load?platform=%7B%7D&platform=%5B%5D "));
}

// ---- events ----

TEST_F(Engine29, EventsAreAlwaysLinesOfJson) {
    (void)ask("GET /events", "", "Accept: application/json-seq\r\n");
    EXPECT_THAT(last(), Not(HasSubstr("Accept:")));
    (void)ask("GET /events", "", "Accept: application/json-seq, application/x-ndjson\r\n");
    EXPECT_THAT(last(), HasSubstr("Accept: application/x-ndjson\r\n"));
    (void)ask("GET /events", "", "Accept: */*\r\n");
    EXPECT_THAT(last(), HasSubstr("Accept: application/x-ndjson\r\n"));
}

}  // namespace
}  // namespace supervisor::broker
