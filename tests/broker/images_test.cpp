// Images: which of them a job sees, and what it may do with tags, which are one space for all agents.
#include "rewriting.hpp"

namespace supervisor::broker {
namespace {

TEST_F(Rewriting, ImagesOfOtherAgentsAreNotSeen) {
    const std::string other =
        R"({"Id":"sha256:2","RepoTags":["theirs:1"],"Labels":{"org.gocd.agent.id":"other"}})";
    replies = {
        {"/images/json",
         Harness::json_reply(R"([{"Id":"sha256:1","RepoTags":["alpine:latest"],"Labels":null},)" + other +
                             "]")},
        {"/images/theirs",
         Harness::json_reply(R"({"Id":"sha256:2","Config":{"Labels":{"org.gocd.agent.id":"other"}}})")}};
    EXPECT_THAT(ask("GET /images/json"), AllOf(HasSubstr("alpine"), Not(HasSubstr("theirs"))));
    EXPECT_THAT(ask("GET /images/theirs/json"), HasSubstr("No such image: theirs"));
    EXPECT_THAT(ask("POST /images/theirs/push"), StartsWith("HTTP/1.1 404"));
    EXPECT_THAT(ask("POST /containers/create", R"({"Image":"theirs"})"), StartsWith("HTTP/1.1 404"));
    EXPECT_THAT(ask("GET /images/get?names=theirs"), StartsWith("HTTP/1.1 404"));
}

TEST_F(Rewriting, SharedTagsStayWhereTheyAre) {
    replies = {
        {"/images/other/",
         Harness::json_reply(R"({"Id":"sha256:2","RepoTags":["other:latest"],"Config":{}})")},
        {"/images/", Harness::json_reply(R"({"Id":"sha256:1","RepoTags":["alpine:latest"],"Config":{}})")}};
    for (const char* line : {"POST /images/other/tag?repo=alpine&tag=latest", "POST /build?t=alpine",
                             "POST /images/create?fromSrc=-&repo=alpine", "DELETE /images/alpine"}) {
        EXPECT_THAT(ask(line), HasSubstr("shared-tags")) << line;
    }
}

TEST_F(Rewriting, LoadedArchivesDoNotMoveSharedTags) {
    replies = {{"/images/json", Harness::json_reply(R"([{"Id":"sha256:old","RepoTags":["alpine:latest"]},
                                                        {"Id":"sha256:same","RepoTags":["same:1"]}])")},
               {"/images/alpine:latest/json", Harness::json_reply(R"({"Id":"sha256:evil"})")},
               {"/images/same:1/json", Harness::json_reply(R"({"Id":"sha256:same"})")},
               {"/images/load", Harness::json_reply("{\"stream\":\"Loaded image: alpine:latest\\n\"}\n"
                                                    "{\"stream\":\"Loaded image: same:1\\n\"}\n"
                                                    "{\"stream\":\"Loaded image: fresh:1\\n\"}\n")},
               {"/tag?", "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"}};
    EXPECT_THAT(ask("POST /images/load", "tar"), HasSubstr("Loaded image: alpine:latest"));
    EXPECT_TRUE(heard("POST /v1.41/images/sha256:old/tag?repo=alpine&tag=latest "));
    EXPECT_FALSE(heard("POST /v1.41/images/sha256:same/tag"));
    const auto& ledger = harness.broker().ledger();
    // The job's own alpine is the one that it loaded; at the end that one goes, the others' tag stays.
    EXPECT_EQ(ledger.image("alpine:latest")->id, "sha256:evil");
    EXPECT_FALSE(ledger.image("alpine:latest")->made);
    EXPECT_TRUE(ledger.image("sha256:evil")->made);
    EXPECT_EQ(ledger.image("same:1"), nullptr);
    EXPECT_TRUE(ledger.image("fresh:1")->made);
}

// An engine that has the whole archive loads it to the end, whoever waits for the answer.
TEST_F(Rewriting, LoadedArchivesDoNotMoveSharedTagsWhenTheClientLeaves) {
    const std::string line = "{\"stream\":\"Loaded image: alpine:latest\\n\"}\n";
    replies = {{"/images/json", Harness::json_reply(R"([{"Id":"sha256:old","RepoTags":["alpine:latest"]}])")},
               {"/images/alpine:latest/json", Harness::json_reply(R"({"Id":"sha256:evil"})")},
               {"/images/load", "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " +
                                    std::to_string(line.size()) + "\r\n\r\n"},
               {"/tag?", "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"}};
    auto client = harness.client();
    client.send("POST /images/load HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\ntar");
    harness.settle();
    auto& engine = harness.last();
    client.close();
    harness.settle();
    engine.send(line);
    harness.settle();
    EXPECT_TRUE(heard("POST /v1.41/images/sha256:old/tag?repo=alpine&tag=latest "));
    EXPECT_EQ(harness.broker().ledger().image("alpine:latest")->id, "sha256:evil");
}

TEST_F(Rewriting, LoadsOfClientsThatDoNotReadAreSeenToTheEnd) {
    replies = {{"/images/json", Harness::json_reply(R"([{"Id":"sha256:old","RepoTags":["alpine:latest"]}])")},
               {"/images/alpine:latest/json", Harness::json_reply(R"({"Id":"sha256:evil"})")},
               {"/images/load", "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"},
               {"/tag?", "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"}};
    auto client = harness.client();
    client.send("POST /images/load HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\ntar");
    harness.settle();
    auto& engine = harness.last();
    const std::string progress = R"({"progress":")" + std::string(60'000, '=') + "\"}\n";
    for (int i = 0; i < 100; ++i) {
        engine.send(progress);
        harness.settle();
    }
    engine.send("{\"stream\":\"Loaded image: alpine:latest\\n\"}\n");
    harness.settle();
    EXPECT_TRUE(heard("POST /v1.41/images/sha256:old/tag?repo=alpine&tag=latest "));
}

// Two agents build the same tag; what one of them saves, pushes, looks at or removes is its own image.
TEST_F(Rewriting, TagsThatAnotherAgentMovedStillMeanTheOwnImage) {
    harness.broker().ledger().add_image("app:1", {"job", "sha256:own"});
    replies = {
        {"/images/sha256:own/json", Harness::json_reply(R"({"Id":"sha256:own","RepoTags":[],"Config":{}})")},
        {"/tag?", "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"},
        {"DELETE /v1.41/images/sha256:own", Harness::json_reply(R"([{"Deleted":"sha256:own"}])")},
        {"/images/", Harness::json_reply("[]")}};
    const std::string back = "POST /v1.41/images/sha256:own/tag?repo=app&tag=1 ";
    for (const char* line : {"GET /images/app:1/get", "GET /images/get?names=app:1",
                             "GET /images/app:1/history", "POST /images/app/push?tag=1"}) {
        harness.forget_requests();
        EXPECT_THAT(ask(line), StartsWith("HTTP/1.1 200")) << line;
        EXPECT_TRUE(heard(back)) << line;
    }
    harness.forget_requests();
    EXPECT_THAT(ask("DELETE /images/app:1"), HasSubstr("Deleted"));
    EXPECT_TRUE(heard("DELETE /v1.41/images/sha256:own "));
    EXPECT_FALSE(heard("DELETE /v1.41/images/app:1"));
    EXPECT_EQ(harness.broker().ledger().image("app:1"), nullptr);
}

TEST_F(Rewriting, AMovedTagGoesAloneWhereTheOwnImageHasAnother) {
    harness.broker().ledger().add_image("app:1", {"job", "sha256:own"});
    replies = {
        {"/images/sha256:own/json",
         Harness::json_reply(
             R"({"Id":"sha256:own","RepoTags":["app:2"],"Config":{"Labels":{"org.gocd.agent.id":"agent"}}})")}};
    EXPECT_THAT(ask("DELETE /images/app:1"), HasSubstr(R"([{"Untagged":"app:1"}])"));
    EXPECT_FALSE(heard("DELETE"));
}

// What was loaded over a tag of others is this job's alone, whatever is done with it.
TEST_F(Rewriting, ATagOfOthersIsNotMovedByWhatTheJobMeansByIt) {
    harness.broker().ledger().add_image("app:1", {"job", "sha256:own", false, false});
    replies = {
        {"/images/sha256:own/json", Harness::json_reply(R"({"Id":"sha256:own","RepoTags":[],"Config":{}})")},
        {"/images/", Harness::json_reply("[]")}};
    const std::pair<const char*, const char*> rows[] = {
        {"GET /images/app:1/get", "GET /v1.41/images/sha256:own/get "},
        {"GET /images/get?names=busy&names=app:1", "GET /v1.41/images/get?names=busy&names=sha256%3Aown "},
        {"GET /images/app:1/history", "GET /v1.41/images/sha256:own/history "}};
    harness.broker().ledger().add_image("busy:latest", {"job", "sha256:own", false, false, true});
    replies.insert(replies.begin(), {"/images/busy/json",
                                     Harness::json_reply(R"({"Id":"sha256:b","RepoTags":["busy:latest"]})")});
    for (const auto& [line, meant] : rows) {
        EXPECT_THAT(ask(line), StartsWith("HTTP/1.1 200")) << line;
        EXPECT_TRUE(heard(meant)) << line;
    }
    EXPECT_THAT(ask("POST /images/app/push?tag=1"),
                AllOf(StartsWith("HTTP/1.1 403"), HasSubstr("shared-tags")));
    EXPECT_FALSE(heard("POST"));
}

const std::string kPulled = R"({"status":"Pulling from app","id":"1"})"
                            "\n"
                            R"({"status":"Digest: sha256:d1"})"
                            "\n"
                            R"({"status":"Status: Downloaded newer image for app:1"})"
                            "\n";

TEST_F(Rewriting, WhatWasPulledTakesThePlaceOfWhatWasBuiltBefore) {
    harness.broker().ledger().add_image("app:1", {"job", "sha256:built"});
    replies = {{"POST /v1.41/images/create", Harness::json_reply(R"({"error":"no such registry"})")}};
    EXPECT_THAT(ask("POST /images/create?fromImage=app&tag=1"), HasSubstr("no such registry"));
    EXPECT_EQ(harness.broker().ledger().image("app:1")->id, "sha256:built");
    replies = {{"POST /v1.41/images/create", Harness::json_reply(kPulled)},
               {"/images/app@sha256:d1/json", Harness::json_reply(R"({"Id":"sha256:pulled"})")},
               {"/images/app:1/json", Harness::json_reply(R"({"Id":"sha256:newer","RepoTags":["app:1"]})")}};
    EXPECT_THAT(ask("POST /images/create?fromImage=app&tag=1"), HasSubstr("Downloaded"));
    const auto* known = harness.broker().ledger().image("app:1");
    EXPECT_EQ(known->id, "sha256:pulled");
    EXPECT_FALSE(known->made);
    EXPECT_TRUE(known->introduced);  // by the build
    // The tag is everybody's: it means what it means on the engine.
    EXPECT_THAT(ask("GET /images/app:1/json"), HasSubstr("sha256:newer"));
}

TEST_F(Rewriting, WhatAnotherAgentBuiltUnderAPulledTagIsNotWhatWasPulled) {
    const std::string theirs =
        R"({"Id":"sha256:theirs","RepoTags":["app:1"],"Config":{"Labels":{"org.gocd.agent.id":"other"}}})";
    replies = {{"POST /v1.41/images/create", Harness::json_reply(kPulled)},
               {"/images/app@sha256:d1/json", Harness::json_reply(R"({"Id":"sha256:pulled"})")},
               {"/images/app:1/json", Harness::json_reply(theirs)},
               {"/images/sha256:pulled/json", Harness::json_reply(R"({"Id":"sha256:pulled","RepoTags":[]})")},
               {"/images/json", Harness::json_reply(R"([{"Id":"sha256:theirs","RepoTags":["app:1"],)"
                                                    R"("Labels":{"org.gocd.agent.id":"other"}}])")}};
    EXPECT_THAT(ask("POST /images/create?fromImage=app&tag=1"), HasSubstr("Downloaded"));
    EXPECT_THAT(ask("GET /images/app:1/json"), HasSubstr("sha256:pulled"));
    EXPECT_THAT(ask("GET /images/json"), Not(HasSubstr("theirs")));
    // Pushed by one agent and pulled by another it carries the first one's label, and is seen.
    replies[1].second = Harness::json_reply(R"({"Id":"sha256:theirs"})");
    EXPECT_THAT(ask("POST /images/create?fromImage=app&tag=1"), HasSubstr("Downloaded"));
    EXPECT_THAT(ask("GET /images/app:1/json"), HasSubstr("sha256:theirs"));
    EXPECT_THAT(ask("GET /images/json"), HasSubstr("theirs"));
}

TEST_F(Rewriting, PullsOfAllTagsAreNotedByWhatTheyAre) {
    replies = {{"POST /v1.41/images/create", Harness::json_reply(kPulled)},
               {"/images/app@sha256:d1/json", Harness::json_reply(R"({"Id":"sha256:pulled"})")}};
    EXPECT_THAT(ask("POST /images/create?fromImage=app"), HasSubstr("Downloaded"));
    EXPECT_EQ(harness.broker().ledger().image("app:latest"), nullptr);
    EXPECT_TRUE(harness.broker().ledger().has_image("sha256:pulled"));
}

TEST_F(Rewriting, LoadedImagesAreNotedByTheirId) {
    replies = {{"/images/json", Harness::json_reply("[]")},
               {"/images/fresh:1/json", Harness::json_reply(R"({"Id":"sha256:loaded"})")},
               {"/images/load", Harness::json_reply("{\"stream\":\"Loaded image: fresh:1\\n\"}\n")}};
    EXPECT_THAT(ask("POST /images/load", "tar"), StartsWith("HTTP/1.1 200"));
    EXPECT_EQ(harness.broker().ledger().image("fresh:1")->id, "sha256:loaded");
    EXPECT_TRUE(harness.broker().ledger().image("fresh:1")->made);
}

// Between the look at it and its removal another agent may move the tag.
TEST_F(Rewriting, OwnImagesAreRemovedByTheirIdUnlessTheyAreInUse) {
    harness.broker().ledger().add_image("app:1", {"job", "sha256:own"});
    const std::string own =
        R"({"Id":"sha256:own","RepoTags":["app:1"],"Config":{"Labels":{"org.gocd.agent.id":"agent"}}})";
    replies = {{"GET /v1.41/images/sha256:own/json", Harness::json_reply(own)},
               {"DELETE /v1.41/images/sha256:own ", Harness::json_reply(R"({"message":"in use"})", 409)},
               {"DELETE /v1.41/images/app:1?force=1 ", Harness::json_reply(R"([{"Untagged":"app:1"}])")}};
    for (const char* name : {"app:1", "docker.io/library/app:1"}) {
        replies[2].first = "DELETE /v1.41/images/" + std::string(name) + "?force=1 ";
        EXPECT_THAT(ask("DELETE /images/" + std::string(name) + "?force=1"), HasSubstr("Untagged")) << name;
        harness.broker().ledger().add_image("app:1", {"job", "sha256:own"});
    }
    replies[1].second = Harness::json_reply(R"([{"Deleted":"sha256:own"}])");
    EXPECT_THAT(ask("DELETE /images/app:1?force=1"), HasSubstr("Deleted"));
    EXPECT_EQ(harness.broker().ledger().image("app:1"), nullptr);
}

// And between the look at it and its use.
TEST_F(Rewriting, AContainerOfATagThatMovedMeanwhileIsMadeAgain) {
    const auto image =
        R"({"Id":"sha256:own","RepoTags":["app:1"],"Config":{"Labels":{"org.gocd.agent.id":"agent"}}})";
    const std::string made(64, '9');
    harness.broker().ledger().add_image("app:1", {"job", "sha256:own"});
    replies = {
        {"GET /v1.41/images/", Harness::json_reply(image)},
        {"/containers/create", Harness::json_reply(R"({"Id":")" + made + R"("})", 201)},
        {"GET /v1.41/containers/" + made, Harness::json_reply(R"({"Name":"/x","Image":"sha256:theirs"})")},
        {"DELETE", "HTTP/1.1 204 No Content\r\n\r\n"}};
    EXPECT_THAT(ask("POST /containers/create", R"({"Image":"app:1"})"), StartsWith("HTTP/1.1 201"));
    std::vector<std::string> seen;
    for (const auto& request : harness.requests) {
        if (request.find("/containers/") != std::string::npos && !request.starts_with("GET"))
            seen.push_back(request.substr(0, 4) +
                           (request.find("\"Image\":\"app:1\"") != std::string::npos ? " tag" : "") +
                           (request.find("\"Image\":\"sha256:own\"") != std::string::npos ? " id" : ""));
    }
    EXPECT_THAT(seen, testing::ElementsAre("POST tag", "DELE", "POST id"));
}

TEST_F(Rewriting, ATagThatMeansTheImageAlreadyCanBeGivenByAll) {
    replies = {
        {"/images/", Harness::json_reply(R"({"Id":"sha256:1","RepoTags":["reg:5000/x:1","x:latest"]})")}};
    EXPECT_THAT(ask("POST /images/reg:5000/x:1/tag?repo=docker.io/library/x&tag=latest"),
                StartsWith("HTTP/1.1 201"));
    EXPECT_FALSE(heard("POST"));
    EXPECT_FALSE(harness.broker().ledger().image("x:latest")->introduced);
}

TEST_F(Rewriting, ImagesThatAreMountedAreThoseThatTheJobSees) {
    const std::string made(64, '9');
    const std::string own = "sha256:" + std::string(64, '5');
    harness.broker().ledger().add_image("tools:1", {"job", own});
    replies = {
        {"/images/" + own + "/json",
         Harness::json_reply(
             R"({"Id":")" + own +
             R"(","RepoTags":["tools:1"],"Config":{"Labels":{"org.gocd.agent.id":"agent"}}})")},
        {"/images/busybox/json", Harness::json_reply(R"({"Id":"sha256:b","RepoTags":["busybox:latest"]})")},
        {"/images/theirs/json",
         Harness::json_reply(R"({"Id":"sha256:2","Config":{"Labels":{"org.gocd.agent.id":"other"}}})")},
        {"/containers/create", Harness::json_reply(R"({"Id":")" + made + R"("})", 201)},
        {"GET /v1.41/containers/" + made, Harness::json_reply("{}")}};
    const auto create = [this](const std::string& source) {
        return ask("POST /containers/create",
                   R"({"Image":"busybox","HostConfig":{"Mounts":[{"Type":"tmpfs","Target":"/t"},)"
                   R"({"Type":"image","Source":")" +
                       source + R"(","Target":"/i","ImageOptions":{"Subpath":"bin"}}]}})");
    };
    // Clients take 404 for the container's own image and pull that.
    for (const char* source : {"theirs", "none", "../x"})
        EXPECT_THAT(create(source),
                    AllOf(StartsWith("HTTP/1.1 400"), HasSubstr("No such image: " + std::string(source))));
    EXPECT_THAT(create(""), AllOf(StartsWith("HTTP/1.1 400"), HasSubstr("an image")));
    EXPECT_FALSE(heard("POST"));
    const auto mounted = [this](const std::string& source) {
        return std::any_of(harness.requests.begin(), harness.requests.end(), [&](const std::string& request) {
            return request.find(R"("Source":")" + source + "\"") != std::string::npos;
        });
    };
    EXPECT_THAT(create("tools:1"), StartsWith("HTTP/1.1 201"));
    EXPECT_TRUE(mounted(std::string(12, '5')));
    EXPECT_THAT(create("busybox"), StartsWith("HTTP/1.1 201"));
    EXPECT_TRUE(mounted("busybox"));
}

// BuildKit makes tags of which the broker hears nothing.
TEST_F(Trusted, ATagMeansWhatBuildKitBuiltSince) {
    harness.broker().ledger().add_image("app:1", {"job", "sha256:before"});
    replies = {{"/images/app:1/json", Harness::json_reply(R"({"Id":"sha256:since","RepoTags":["app:1"]})")},
               {"/images/sha256:before/json", Harness::json_reply(R"({"Id":"sha256:before"})")}};
    EXPECT_THAT(ask("GET /images/app:1/json"), HasSubstr("sha256:since"));
    replies.erase(replies.begin());
    EXPECT_THAT(ask("GET /images/app:1/json"), HasSubstr("sha256:before"));
}

// An engine that does not say whose an image or a tag is has not said that it is free.
TEST_F(Rewriting, ImagesThatTheEngineDoesNotTellOfAreNotTouched) {
    replies = {{"GET ", Harness::json_reply(R"({"message":"out of memory"})", 500)}};
    for (const char* line :
         {"POST /build?t=app", "POST /images/load", "POST /images/create?fromSrc=-&repo=app",
          "POST /commit?container=db&repo=app", "POST /images/x/tag?repo=app", "POST /images/app/push",
          "DELETE /images/app", "GET /images/app/get"}) {
        EXPECT_THAT(ask(line), AllOf(StartsWith("HTTP/1.1 50"), HasSubstr("out of memory"))) << line;
    }
    EXPECT_THAT(ask("POST /containers/create", R"({"Image":"app"})"), StartsWith("HTTP/1.1 500"));
    for (const auto& request : harness.requests) EXPECT_THAT(request, StartsWith("GET "));
}

// All changes are one text for the engine.
TEST_F(Rewriting, ChangesCannotTakeTheOwnersLabelWithThem) {
    for (const char* change :
         {"ENV a b \\", "ENV a b \\ ", "ENV a b `", "ONBUILD RUN <<E", "LABEL a=b\nENV a b \\\n"}) {
        for (const char* line :
             {"POST /commit?container=db&changes=", "POST /images/create?fromSrc=-&changes="}) {
            EXPECT_THAT(ask(line + percent_encode(change)),
                        AllOf(StartsWith("HTTP/1.1 400"), HasSubstr("changes")))
                << line << change;
        }
    }
    EXPECT_TRUE(harness.requests.empty());
    replies = {{"/commit", Harness::json_reply(R"({"Id":"sha256:2"})", 201)}};
    EXPECT_THAT(ask("POST /commit?container=db&changes=" + percent_encode("CMD [\"a\"]\nENV a=\\\n b\n")),
                StartsWith("HTTP/1.1 201"));
}

TEST_F(Rewriting, CredentialsForAPushGoIntoTheHeader) {
    replies = {{"/push", Harness::json_reply("{}")},
               {"/images/", Harness::json_reply(R"({"Id":"sha256:1","RepoTags":["mine:latest"]})")}};
    EXPECT_THAT(ask("POST /images/mine/push", R"({"username":"u","tag":"x"})"), StartsWith("HTTP/1.1 200"));
    EXPECT_THAT(last(), HasSubstr("X-Registry-Auth: " + base64_url(R"({"username":"u"})") + "\r\n"));
    EXPECT_TRUE(last().ends_with("\r\n\r\n"));
    EXPECT_THAT(ask("POST /images/mine/push"), StartsWith("HTTP/1.1 200"));
    EXPECT_THAT(last(), Not(HasSubstr("X-Registry-Auth")));  // the engine asks for it
}

TEST_F(Rewriting, PulledReferencesAreReadAsTheEngineReadsThem) {
    replies = {{"/images/create", Harness::json_reply("{}")}};
    const std::pair<const char*, const char*> rows[] = {
        {"fromImage=busybox", "/images/busybox:latest/json"},
        {"fromImage=busybox&tag=1.36", "/images/busybox:1.36/json"},
        {"fromImage=reg:5000/a/b", "/images/reg:5000/a/b:latest/json"},
        {"fromImage=reg:5000/a/b:2", "/images/reg:5000/a/b:2/json"},
        {"fromImage=a&tag=sha256:abc", "/images/a@sha256:abc/json"}};
    for (const auto& [query, looked_up] : rows) {
        harness.forget_requests();
        EXPECT_THAT(ask("POST /images/create?" + std::string(query)), StartsWith("HTTP/1.1 200")) << query;
        EXPECT_TRUE(heard("GET /v1.41" + std::string(looked_up))) << query;
    }
    harness.forget_requests();
    for (const char* query :
         {"fromImage=../containers/x", "fromImage=a//b", "fromImage=/a", "fromImage=a/./b"})
        EXPECT_THAT(ask("POST /images/create?" + std::string(query)), StartsWith("HTTP/1.1 400")) << query;
    EXPECT_TRUE(harness.requests.empty());
}

// Only the last step of a build carries labels; the others hold what somebody's build was given.
TEST_F(Rewriting, StepsOfOthersBuildsAreNotSeen) {
    const auto id = [](const char* digits) { return "sha256:" + std::string(digits) + std::string(52, '0'); };
    const auto step = [&](const char* digits, const char* tags) {
        return R"({"Id":")" + id(digits) + R"(","RepoTags":)" + tags +
               R"(,"RepoDigests":null,"Labels":null})";
    };
    const auto theirs = step("aaaaaaaaaaaa", "null");
    const auto dangling = step("bbbbbbbbbbbb", R"(["<none>:<none>"])");
    const auto own = step("cccccccccccc", "[]");
    const std::string by_digest =
        R"({"Id":"sha256:d","RepoTags":[],"RepoDigests":["x@sha256:1"],"Labels":null})";
    const std::string told = R"({"stream":" ---\u003e cccccccccccc\n"})"
                             "\n";
    replies = {{"/build?", Harness::json_reply(told)},
               {"/images/json",
                Harness::json_reply("[" + theirs + "," + dangling + "," + own + "," + by_digest + "]")},
               {"/images/aaaaaaaaaaaa/json", Harness::json_reply(theirs)},
               {"/images/cccccccccccc/", Harness::json_reply(own)}};
    EXPECT_THAT(ask("POST /build"), StartsWith("HTTP/1.1 200"));
    EXPECT_THAT(ask("GET /images/json?all=1"),
                AllOf(HasSubstr("cccccccccccc"), HasSubstr("x@sha256:1"), Not(HasSubstr("aaaaaaaaaaaa")),
                      Not(HasSubstr("bbbbbbbbbbbb"))));
    EXPECT_THAT(ask("GET /images/cccccccccccc/json"), StartsWith("HTTP/1.1 200"));
    for (const char* line : {"GET /images/aaaaaaaaaaaa/json", "GET /images/aaaaaaaaaaaa/get",
                             "GET /images/get?names=aaaaaaaaaaaa", "POST /images/aaaaaaaaaaaa/tag?repo=a"})
        EXPECT_THAT(ask(line), StartsWith("HTTP/1.1 404")) << line;
    EXPECT_THAT(ask("POST /containers/create", R"({"Image":"aaaaaaaaaaaa"})"), StartsWith("HTTP/1.1 404"));
}

}  // namespace
}  // namespace supervisor::broker
