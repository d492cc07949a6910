// Requests and answers in pairs: what the client says and what the engine hears, and back.
#include <gmock/gmock.h>

#include <filesystem>

#include "rewriting.hpp"

namespace supervisor::broker {
namespace {

// The mounts of an agent that is no container of this engine, or has the engine inside, cannot be asked for.
TEST(Binds, WithoutKnownMountsAreRefusedOrOfTheDirectoriesThatAreNamed) {
    for (const bool named : {false, true}) {
        Harness harness("isolated", [named](Config& config) {
            config.mode = Mode::Dind;
            config.mounts.reset();
            if (named) config.mounts = {{"/usr", "/usr", true}};
        });
        harness.answer = [](const std::string& request) {
            return request.starts_with("POST ") ? Harness::json_reply(R"({"Id":"1"})", 201)
                                                : Harness::json_reply(R"({"RepoTags":["busybox:latest"]})");
        };
        const auto received = harness.ask("POST /containers/create",
                                          R"({"Image":"busybox","HostConfig":{"Binds":["/usr/bin:/x"]}})");
        EXPECT_THAT(received, HasSubstr(named ? "HTTP/1.1 201" : "HTTP/1.1 403"));
        EXPECT_THAT(received, HasSubstr(named ? R"("Id":"1")" : "is not on a volume or bind mount"));
    }
}

// A job's own directory in a volume of the agent's, with a link that it put there.
class Workspace : public testing::Test {
  protected:
    Workspace() {
        char pattern[] = "/tmp/broker-work-XXXXXX";
        directory = ::mkdtemp(pattern);
        std::filesystem::create_directory(directory + "/src");
        std::filesystem::create_directory_symlink("/etc", directory + "/link");
        harness = std::make_unique<Harness>(
            "isolated",
            [this](Config& config) {
                config.mounts = {{directory, "/volumes/work/_data", true, "work"}};
            },
            Harness::EngineSays{.version = R"({"ApiVersion":"1.47"})"});
        harness->broker().ledger().add(OwnContainer{kId, "db", "", 0, 0});
        harness->answer = [this](const std::string& request) {
            if (request.find("/containers/create") != std::string::npos)
                return Harness::json_reply(R"({"Id":"1"})", 201);
            if (request.find(kId + "/json") != std::string::npos) return Harness::json_reply(inspected);
            if (request.find("/volumes?") != std::string::npos) return Harness::json_reply(volumes);
            return Harness::json_reply(R"({"RepoTags":["busybox:latest"]})");
        };
    }
    ~Workspace() override { std::filesystem::remove_all(directory); }
    std::string ask(const std::string& line, const std::string& body = {}) {
        return harness->ask(line, body);
    }
    std::string last_create() const {
        for (const auto& request : harness->requests) {
            if (request.starts_with("POST ")) return request;
        }
        return {};
    }

    std::string directory;
    std::string inspected;
    std::string volumes;
    std::unique_ptr<Harness> harness;
};

TEST_F(Workspace, PartsOfVolumesAreAskedForInAVersionThatHasThem) {
    const auto body = R"({"Image":"busybox","HostConfig":{"Binds":[")" + directory + R"(/src:/x"]}})";
    EXPECT_THAT(ask("POST /v1.41/containers/create", body), StartsWith("HTTP/1.1 201"));
    EXPECT_THAT(last_create(),
                AllOf(StartsWith("POST /v1.45/containers/create "),
                      HasSubstr(R"("Source":"work","Target":"/x")"), HasSubstr(R"("Subpath":"src")")));
}

TEST_F(Workspace, NothingElseIsAskedForInAnotherVersion) {
    EXPECT_THAT(ask("POST /v1.41/containers/create", R"({"Image":"busybox"})"), StartsWith("HTTP/1.1 201"));
    EXPECT_THAT(last_create(), StartsWith("POST /v1.41/containers/create "));
}

TEST_F(Workspace, ABindThatBecameALinkIsNotFollowedAgain) {
    for (const std::string line :
         {"POST /containers/db/start", "POST /containers/db/restart",
          "GET /containers/db/archive?path=/x/passwd", "PUT /containers/db/archive?path=/x"}) {
        inspected = R"({"HostConfig":{"Binds":["/volumes/work/_data/src:/x"]}})";
        EXPECT_THAT(ask(line), StartsWith("HTTP/1.1 200")) << line;
        inspected = R"({"HostConfig":{"Binds":["/volumes/work/_data/link:/x"]}})";
        const auto count = harness->requests.size();
        EXPECT_THAT(ask(line), AllOf(StartsWith("HTTP/1.1 403"), HasSubstr("has become a link"))) << line;
        EXPECT_EQ(harness->requests.size(), count + 1) << line << ": only the look at the container";
    }
}

// What the engine does not tell is not known to be harmless.
TEST_F(Workspace, WhatTheEngineDoesNotTellIsNotMounted) {
    const auto broken = Harness::json_reply(R"({"message":"out of memory"})", 500);
    for (const char* part : {"/json ", "/volumes?"}) {
        harness->forget_requests();
        harness->answer = [&](const std::string& request) {
            if (request.find(part) != std::string::npos) return broken;
            return Harness::json_reply(R"({"HostConfig":{},"Mounts":[{"Type":"volume","Name":"v"}]})");
        };
        EXPECT_THAT(
            ask("POST /containers/db/start"),
            AllOf(StartsWith("HTTP/1.1 502"), HasSubstr("cannot be checked"), HasSubstr("out of memory")))
            << part;
        EXPECT_THAT(ask("PUT /containers/db/archive?path=/x"), StartsWith("HTTP/1.1 502")) << part;
        for (const auto& request : harness->requests) EXPECT_THAT(request, StartsWith("GET ")) << part;
    }
    // One that is gone is the engine's to tell.
    harness->answer = [](const std::string&) { return Harness::json_reply(R"({"message":"gone"})", 404); };
    EXPECT_THAT(ask("POST /containers/db/start"), AllOf(StartsWith("HTTP/1.1 404"), HasSubstr("gone")));
}

TEST_F(Workspace, AVolumeThatBindsWhatBecameALinkIsNotMountedAgain) {
    inspected = R"({"HostConfig":{"Binds":["v:/x"]},"Mounts":[{"Type":"volume","Name":"v"}]})";
    volumes = R"({"Volumes":[{"Name":"v","Options":{"o":"bind","device":"/volumes/work/_data/src"}},)"
              R"({"Name":"other","Options":{"o":"bind","device":"/volumes/work/_data/link"}}]})";
    EXPECT_THAT(ask("POST /containers/db/start"), StartsWith("HTTP/1.1 200"));
    volumes = R"({"Volumes":[{"Name":"v","Options":{"o":"bind","device":"/volumes/work/_data/link"}}]})";
    EXPECT_THAT(ask("POST /containers/db/start"),
                AllOf(StartsWith("HTTP/1.1 403"), HasSubstr("has become a link")));
}

TEST_F(Rewriting, ListsAreAskedForOwnObjectsAndShownPlain) {
    replies = {
        {"/containers/json", Harness::json_reply(R"([{"Id":"1","Names":["/)" + hidden("db") + R"("]}])")}};
    EXPECT_THAT(ask("GET /containers/json?all=1&filters=%7B%22label%22%3A%5B%22a%3Db%22%5D%7D"),
                HasSubstr(R"("Names":["/db"])"));
    EXPECT_THAT(last(),
                StartsWith("GET /v1.41/containers/json?all=1&filters=" +
                           percent_encode(R"({"label":{"a=b":true,"org.gocd.agent.id=agent":true}})") + " "));
}

TEST_F(Rewriting, NamePatternsAreMatchedAgainstPlainNames) {
    replies = {{"/containers/json",
                Harness::json_reply(R"([{"Id":"1","Names":["/)" + hidden("db") +
                                    R"("]},{"Id":"2","Names":["/)" + hidden("db2") + R"("]}])")}};
    const auto answer =
        ask("GET /containers/json?limit=1&filters=" + percent_encode(R"({"name":["^/db2$"]})"));
    EXPECT_THAT(answer, HasSubstr("/db2"));
    EXPECT_THAT(answer, Not(HasSubstr("\"/db\"")));
    EXPECT_THAT(last(), Not(HasSubstr("limit")));
}

TEST_F(Rewriting, ReferencesBecomeFullIds) {
    replies = {{"/start", "HTTP/1.1 204 No Content\r\n\r\n"}};
    EXPECT_THAT(ask("POST /containers/db/start"), StartsWith("HTTP/1.1 204"));
    EXPECT_THAT(last(), StartsWith("POST /v1.41/containers/" + kId + "/start HTTP/1.1\r\n"));
}

TEST_F(Rewriting, StrangersDoNotExist) {
    replies = {{"/containers/json", Harness::json_reply("[]")},
               {"/networks?", Harness::json_reply("[]")},
               {"/volumes?", Harness::json_reply("{}")}};
    EXPECT_THAT(ask("GET /containers/stranger/json"),
                HasSubstr(R"({"message":"No such container: stranger"})"));
    EXPECT_THAT(ask("POST /containers/" + std::string(64, 'b') + "/kill"), StartsWith("HTTP/1.1 404"));
    EXPECT_THAT(ask("GET /networks/stranger"), HasSubstr("network stranger not found"));
    for (const auto& request : harness.requests) EXPECT_THAT(request, Not(HasSubstr("stranger")));
}

TEST_F(Rewriting, AMissIsLookedUpAgain) {
    replies = {{"/containers/json", Harness::json_reply(R"([{"Id":")" + std::string(64, 'd') +
                                                        R"(","Names":["/late"],"Labels":{}}])")},
               {"/networks?", Harness::json_reply("[]")},
               {"/volumes?", Harness::json_reply("{}")},
               {"/pause", "HTTP/1.1 204 No Content\r\n\r\n"}};
    EXPECT_THAT(ask("POST /containers/late/pause"), StartsWith("HTTP/1.1 204"));
    EXPECT_TRUE(heard("POST /v1.41/containers/" + std::string(64, 'd') + "/pause"));
}

TEST_F(Rewriting, CreateIsLabelledNamedAndRecorded) {
    const std::string made(64, '9');
    replies = {
        {"/images/busybox/json",
         Harness::json_reply(R"({"Id":"sha256:1","RepoTags":["busybox:latest"],"Config":{}})")},
        {"/volumes/create", Harness::json_reply(R"({"Name":"x"})", 201)},
        {"/containers/create", Harness::json_reply(R"({"Id":")" + made + R"("})", 201)},
        {"/containers/" + made + "/json",
         Harness::json_reply(R"({"Name":"/)" + hidden("web") + R"(","Mounts":[{"Type":"volume","Name":")" +
                             std::string(64, '7') + R"("}]})")}};
    EXPECT_THAT(ask("POST /containers/create?name=web",
                    R"({"Image":"busybox","HostConfig":{"Binds":["data:/d"],"NetworkMode":"app"}})"),
                StartsWith("HTTP/1.1 201"));
    EXPECT_TRUE(heard("POST /v1.41/volumes/create "));
    EXPECT_TRUE(heard("POST /v1.41/containers/create?name=" + hidden("web") + " "));
    EXPECT_EQ(harness.broker().ledger().container("web")->id, made);
    EXPECT_TRUE(harness.broker().ledger().owns_volume(std::string(64, '7')));
    EXPECT_TRUE(harness.broker().ledger().owns_volume(hidden("data")));
}

TEST_F(Rewriting, ConflictsAreToldUnderTheGivenName) {
    replies = {{"/images/", Harness::json_reply(R"({"Id":"1","RepoTags":["busybox:latest"]})")},
               {"/containers/create",
                Harness::json_reply(R"({"message":"Conflict. The container name \"/)" + hidden("db") +
                                        R"(\" is already in use by container \"1\"."})",
                                    409)}};
    EXPECT_THAT(ask("POST /containers/create?name=db", R"({"Image":"busybox"})"),
                HasSubstr(R"(The container name \"/db\" is already in use)"));
}

TEST_F(Rewriting, DuplicateAndFoldedKeysNeverReachTheEngine) {
    for (const char* body : {R"({"Image":"x","HostConfig":{},"HostConfig":{"Privileged":true}})",
                             R"({"Image":"x","hostconfig":{"Privileged":true}})",
                             R"({"Image":"x"}{"HostConfig":{"Privileged":true}})"}) {
        EXPECT_THAT(ask("POST /containers/create", body), StartsWith("HTTP/1.1 400")) << body;
    }
    EXPECT_TRUE(harness.requests.empty());
}

TEST_F(Rewriting, DenialsNameFieldAndRule) {
    EXPECT_THAT(ask("POST /containers/create", R"({"Image":"x","HostConfig":{"Privileged":true}})"),
                HasSubstr(R"(HostConfig.Privileged: must not be set (permission \"privileged\"))"));
}

TEST_F(Rewriting, ColumnsOfTopKeepTheirNames) {
    EXPECT_THAT(ask("GET /containers/db/top?ps_args=-eorss%3DPID,args"), StartsWith("HTTP/1.1 400"));
    EXPECT_TRUE(harness.requests.empty());
    replies = {{"/top", Harness::json_reply("{}")}};
    EXPECT_THAT(ask("GET /containers/db/top?ps_args=-o+pid,args"), StartsWith("HTTP/1.1 200"));
}

// Two agents publish the same port: the engine says so, under the name that the job gave.
TEST_F(Rewriting, ClashesOfPortsAreToldUnderTheGivenName) {
    replies = {{"/start", Harness::json_reply(
                              R"({"message":"driver failed programming external connectivity on endpoint )" +
                                  hidden("db") +
                                  R"( (1f0c): Bind for 0.0.0.0:8080 failed: port is already allocated"})",
                              500)}};
    EXPECT_THAT(ask("POST /containers/db/start"),
                HasSubstr("endpoint db (1f0c): Bind for 0.0.0.0:8080 failed: port is already allocated"));
}

TEST_F(Rewriting, ContainerNamesAreCheckedBeforeAPrefixHidesWhatIsWrongWithThem) {
    for (const char* name : {"-x", "_x", ".x", "a%20b", "a%2Fb", "x", "%C3%A9e", "a%0Ab"}) {
        EXPECT_THAT(ask("POST /containers/create?name=" + std::string(name), R"({"Image":"x"})"),
                    AllOf(StartsWith("HTTP/1.1 400"), HasSubstr("Invalid container name")))
            << name;
        EXPECT_THAT(ask("POST /containers/db/rename?name=" + std::string(name)), StartsWith("HTTP/1.1 400"))
            << name;
    }
    EXPECT_TRUE(harness.requests.empty());
}

TEST_F(Rewriting, BuildsAreLabelledAndConfined) {
    auto client = harness.client();
    client.send(
        "POST /build?t=app&networkmode=app&remote=&securityopt=null HTTP/1.1\r\nHost: x\r\nContent-Type: "
        "application/x-tar\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    harness.settle();
    const auto& request = harness.last().received;
    EXPECT_THAT(request, StartsWith("POST /v1.41/build?"));
    EXPECT_THAT(request, HasSubstr("networkmode=" + hidden("app")));
    EXPECT_THAT(request, HasSubstr("org.gocd.agent.id"));
    EXPECT_THAT(request, HasSubstr("forcerm=1"));
    harness.last().send(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n61\r\n{\"aux\":{\"ID\":\"sha256:" +
        std::string(64, '5') + "\"}}        \n\r\n");
    harness.settle();
    ASSERT_NE(harness.broker().ledger().image("app:latest"), nullptr);
    EXPECT_EQ(harness.broker().ledger().image("app:latest")->id, "sha256:" + std::string(64, '5'));
}

TEST_F(Rewriting, BuildsOnTheHostsNetworkOrFromAUrlAreRefused) {
    EXPECT_THAT(ask("POST /build?networkmode=host"), HasSubstr("host-network"));
    EXPECT_THAT(ask("POST /build?remote=https://example.invalid/x.git"), HasSubstr("remote-sources"));
    EXPECT_THAT(ask("POST /images/create?fromSrc=http://example.invalid/x"), HasSubstr("remote-sources"));
}

TEST_F(Rewriting, BuildKitIsRefusedWithAdvice) {
    // Without a session, too: an archive is all that it needs.
    EXPECT_THAT(ask("POST /build?version=2&t=x"), AllOf(StartsWith("HTTP/1.1 403"), HasSubstr("buildkit")));
    EXPECT_TRUE(harness.requests.empty());
    auto client = harness.client();
    client.send("POST /session HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
    harness.settle();
    EXPECT_THAT(client.received(), AllOf(StartsWith("HTTP/1.1 403"), HasSubstr("DOCKER_BUILDKIT=0")));
}

TEST_F(Trusted, BuildKitIsTunnelled) {
    auto client = harness.client();
    harness.answer = {};
    client.send(
        "POST /grpc HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: "
        "h2c\r\nX-Docker-Expose-Session-Uuid: u\r\n\r\n");
    harness.settle();
    EXPECT_THAT(harness.last().received, AllOf(StartsWith("POST /v1.41/grpc "), HasSubstr("Upgrade: h2c"),
                                               HasSubstr("X-Docker-Expose-Session-Uuid: u")));
    harness.last().send(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\nframes");
    harness.settle();
    EXPECT_TRUE(client.received().ends_with("frames"));
}

// Node's clients end a body that has nothing in it before the tunnel.
TEST_F(Trusted, AnEmptyBodyMayPrecedeATunnel) {
    auto client = harness.client();
    harness.answer = {};
    client.send(
        "POST /session HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: "
        "chunked\r\n\r\n0\r\n\r\n");
    harness.settle();
    EXPECT_THAT(harness.last().received, StartsWith("POST /v1.41/session "));
    EXPECT_TRUE(harness.last().received.ends_with("Content-Length: 0\r\n\r\n"));
    harness.last().send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
    harness.settle();
    EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 101"));
}

TEST_F(Trusted, ABodyWithContentBeforeATunnelIsRefused) {
    EXPECT_THAT(ask("POST /session HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: "
                    "chunked\r\n\r\n2\r\nPR\r\n0\r\n\r\nGET /x"),
                StartsWith("HTTP/1.1 400"));
    EXPECT_TRUE(harness.requests.empty());
}

TEST_F(Rewriting, EventsOfOthersAreLeftOut) {
    auto client = harness.client();
    harness.answer = {};
    client.send("GET /events?filters=" + percent_encode(R"({"container":["db"]})") +
                " HTTP/1.1\r\nHost: x\r\nAccept: application/json-seq\r\n\r\n");
    harness.settle();
    EXPECT_THAT(harness.last().received, AllOf(HasSubstr(kId), Not(HasSubstr("json-seq"))));
    const auto line = [&](const std::string& text) {
        char size[16];
        std::snprintf(size, sizeof size, "%zx\r\n", text.size() + 1);
        harness.last().send(size + text + "\n\r\n");
    };
    harness.last().send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    line(
        R"({"Type":"container","Actor":{"ID":"x","Attributes":{"org.gocd.agent.id":"other","name":"theirs"}}})");
    line(R"({"Type":"container","Actor":{"ID":"y","Attributes":{"org.gocd.agent.id":"agent","name":")" +
         hidden("web") + R"("}}})");
    line(R"({"Type":"network","Actor":{"ID":")" + kNet + R"(","Attributes":{"name":")" + hidden("app") +
         R"("}}})");
    line(R"({"Type":"volume","Actor":{"ID":"foreign","Attributes":{}}})");
    line(R"({"Type":"network","Action":"joined","Actor":{"ID":"bridge","Attributes":{"container":")" + kId +
         R"("}}})");
    line(R"({"Type":"network","Action":"theirs","Actor":{"ID":"bridge","Attributes":{"container":"b"}}})");
    harness.settle();
    EXPECT_THAT(client.received(),
                AllOf(HasSubstr(R"("name":"web")"), HasSubstr(R"("name":"app")"), HasSubstr("joined"),
                      Not(HasSubstr("theirs")), Not(HasSubstr("foreign"))));
}

TEST_F(Rewriting, VolumesGoByHiddenNames) {
    replies = {{"/volumes/create", Harness::json_reply(R"({"Name":")" + hidden("v") + R"("})", 201)},
               {"/volumes/" + hidden("v"), Harness::json_reply(R"({"Name":")" + hidden("v") + R"("})")},
               {"/volumes", Harness::json_reply(R"({"Volumes":[{"Name":")" + hidden("v") +
                                                R"("},{"Name":"foreign"}],"Warnings":null})")}};
    EXPECT_THAT(ask("POST /volumes/create", R"({"Name":"v"})"), HasSubstr(R"({"Name":"v"})"));
    EXPECT_THAT(ask("GET /volumes/v"), HasSubstr(R"({"Name":"v"})"));
    EXPECT_THAT(ask("GET /volumes"), AllOf(HasSubstr("\"v\""), Not(HasSubstr("foreign"))));
}

TEST_F(Rewriting, BuiltInNetworksAreShownWithoutStrangers) {
    replies = {{"/networks/bridge", Harness::json_reply(R"({"Name":"bridge","Id":"1","Containers":{")" + kId +
                                                        R"(":{},"stranger":{}}})")}};
    EXPECT_THAT(ask("GET /networks/bridge"), AllOf(HasSubstr(kId), Not(HasSubstr("stranger"))));
}

TEST_F(Rewriting, PrunesAreForOwnObjects) {
    replies = {{"/prune", Harness::json_reply("{}")}};
    for (const char* kind : {"containers", "images", "networks", "volumes"}) {
        EXPECT_THAT(ask("POST /" + std::string(kind) + "/prune"), StartsWith("HTTP/1.1 200")) << kind;
        EXPECT_THAT(last(), HasSubstr(percent_encode("org.gocd.agent.id=agent"))) << kind;
    }
    harness.forget_requests();
    EXPECT_THAT(ask("POST /build/prune"), HasSubstr("CachesDeleted"));
    EXPECT_TRUE(harness.requests.empty());
}

TEST_F(Rewriting, ExecIdsOfStrangersDoNotExist) {
    const std::string exec(64, 'e');
    replies = {{"/exec/" + exec + "/json",
                Harness::json_reply(R"({"ID":"e","ContainerID":")" + std::string(64, 'b') + R"("})")}};
    EXPECT_THAT(ask("POST /exec/" + exec + "/start", "{}"), HasSubstr("No such exec instance"));
    EXPECT_FALSE(heard("POST /v1.41/exec"));
}

TEST_F(Rewriting, SwarmAndPluginsAnswerAsIfThereWereNone) {
    EXPECT_THAT(ask("GET /plugins"), HasSubstr("[]"));
    EXPECT_THAT(ask("GET /swarm"), StartsWith("HTTP/1.1 503"));
    EXPECT_THAT(ask("GET /services"), HasSubstr("not a swarm manager"));
    EXPECT_TRUE(harness.requests.empty());
}

TEST_F(Rewriting, ContainersOfTheAgentItselfAreUntouchable) {
    replies = {{"json", Harness::json_reply("[]")}};
    EXPECT_THAT(ask("POST /containers/" + std::string(64, 'f') + "/exec", R"({"Cmd":["sh"]})"),
                StartsWith("HTTP/1.1 404"));
    EXPECT_THAT(ask("GET /containers/" + std::string(64, 'f') + "/archive?path=/"),
                StartsWith("HTTP/1.1 404"));
}

TEST(AgentsOwnLimits, HoldForWhatItStartsBesideItself) {
    const auto limits = [](std::uint64_t asked, const std::string& own) {
        Harness harness("isolated",
                        [asked](Config& config) {
                            config.mounts.reset();
                            config.limits.pids = asked;
                        },
                        {.self = R"({"Id":")" + std::string(64, 'f') +
                                 R"(","Mounts":[],"HostConfig":{"PidsLimit":)" + own + "}}"});
        return harness.broker().config().limits.pids;
    };
    EXPECT_EQ(limits(0, "100"), 100U);
    EXPECT_EQ(limits(50, "100"), 50U);
    EXPECT_EQ(limits(0, "null"), 0U);
    EXPECT_EQ(limits(0, "-1"), 0U);
}

TEST(RawSocket, IsNotReachedThroughWhatLiesBesideIt) {
    std::string directory;
    Harness harness("isolated", [&](Config& config) {
        directory = config.host_socket.substr(0, config.host_socket.rfind('/'));
        config.mounts = {{directory, "/var/run", true}, {"/srv", "/vol/srv", true}};
    });
    const auto create = [&](const std::string& source) {
        const auto body = R"({"Image":"x","HostConfig":{"Binds":[")" + source + R"(:/x"]}})";
        auto client = harness.client();
        client.send(
            "POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            "Content-Length: " +
            std::to_string(body.size()) + "\r\n\r\n" + body);
        harness.settle();
        return client.received();
    };
    for (const char* beside : {"", "/containerd", "/containerd/containerd.sock"})
        EXPECT_THAT(create(directory + beside), StartsWith("HTTP/1.1 403")) << beside;
    EXPECT_EQ(create("/srv"), "");  // the engine is asked
}

class WithASharedSocket : public Rewriting {
  protected:
    WithASharedSocket()
        : Rewriting("isolated", [](Config& config) {
              config.mounts = {{"/srv", "/vol/srv", true}};
              config.shared_path = "/srv/.gocd-docker-1/docker.sock";
          }) {
        replies = {{"/images/", Harness::json_reply(R"({"Id":"sha256:1","RepoTags":["x:latest"]})")},
                   {"/containers/create", Harness::json_reply("{}", 400)}};
    }
    std::string binds_for(const std::string& bind) {
        (void)ask("POST /containers/create", R"({"Image":"x","HostConfig":{"Binds":[")" + bind + "\"]}}");
        const auto at = last().find("\"Binds\":");
        return at == std::string::npos ? last() : last().substr(at, last().find(']', at) - at + 1);
    }
};

TEST_F(WithASharedSocket, ContainersCannotPutALinkInItsPlace) {
    const std::string kept = R"("/vol/srv/.gocd-docker-1:/x/.gocd-docker-1:ro")";
    EXPECT_EQ(binds_for("/srv:/x"), R"("Binds":["/vol/srv:/x",)" + kept + "]");
    EXPECT_EQ(binds_for("/srv/.gocd-docker-1:/x"), R"("Binds":["/vol/srv/.gocd-docker-1:/x:ro"])");
    EXPECT_EQ(binds_for("/srv/job:/x"), R"("Binds":["/vol/srv/job:/x"])");
    EXPECT_EQ(binds_for("/var/run/docker.sock:/s"), R"("Binds":["/vol/srv/.gocd-docker-1/docker.sock:/s"])");
    EXPECT_THAT(ask("POST /volumes/create",
                    R"({"Name":"v","DriverOpts":{"type":"none","o":"bind","device":"/srv"}})"),
                AllOf(StartsWith("HTTP/1.1 400"), HasSubstr("DriverOpts.device")));
}

}  // namespace
}  // namespace supervisor::broker
