// What passes through a session, byte for byte, against a scripted engine.
#include <gmock/gmock.h>

#include "harness.hpp"

namespace supervisor::broker {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const std::string kId(64, 'a');

// A container of the agent, as the broker knows it.
void own(Harness& harness) {
    harness.broker().ledger().add(OwnContainer{kId, "db", "", 0, 0});
    harness.broker().ledger().add_exec(std::string(64, 'e'), kId);
}

TEST(Session, AnswersPingWithTheEnginesAnswerAndACappedVersion) {
    Harness harness;
    harness.answer = [](const std::string&) {
        return "HTTP/1.1 200 OK\r\nApi-Version: 1.99\r\nBuilder-Version: 2\r\nContent-Length: 2\r\n\r\nOK";
    };
    auto client = harness.client();
    client.send("GET /_ping HTTP/1.1\r\nHost: x\r\nX-Evil: 1\r\n\r\n");
    harness.settle();
    EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(client.received(), HasSubstr("Api-Version: 1.41\r\n"));
    EXPECT_THAT(client.received(), HasSubstr("Builder-Version: 1\r\n"));
    ASSERT_EQ(harness.requests.size(), 1U);
    EXPECT_EQ(harness.requests[0], "GET /v1.41/_ping HTTP/1.1\r\nHost: docker\r\n\r\n");
}

TEST(Session, ServesOneRequestAfterTheOtherOnOneConnection) {
    Harness harness;
    harness.answer = [](const std::string&) { return Harness::json_reply("OK"); };
    auto client = harness.client();
    client.send(
        "GET /_ping HTTP/1.1\r\nHost: x\r\n\r\nGET /_ping HTTP/1.1\r\nHost: x\r\n\r\nGET /_ping "
        "HTTP/1.1\r\nHost: x\r\n\r\n");
    harness.settle();
    EXPECT_EQ(harness.requests.size(), 3U);
    // The engine's connection is used again.
    EXPECT_EQ(std::count_if(harness.connections().begin(), harness.connections().end(),
                            [](const auto& c) { return !c->ended; }),
              1);
}

TEST(Session, RefusesSmugglingWithoutTellingTheEngine) {
    for (const char* request :
         {"POST /containers/prune HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: "
          "chunked\r\n\r\n0\r\n\r\nGET /info HTTP/1.1\r\nHost: x\r\n\r\n",
          "GET /info HTTP/1.1\nHost: x\n\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
          "GET /containers%2fjson HTTP/1.1\r\nHost: x\r\n\r\n", "GET //info HTTP/1.1\r\nHost: x\r\n\r\n",
          "GET /v1.41.1/info HTTP/1.1\r\nHost: x\r\n\r\n",
          "POST /swarm/init HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"}) {
        Harness harness;
        auto client = harness.client();
        client.send(request);
        harness.settle();
        EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 4")) << request;
        EXPECT_TRUE(harness.requests.empty()) << request;
    }
}

TEST(Session, RefusesBodiesWhereTheQueryCounts) {
    Harness harness;
    auto client = harness.client();
    client.send(
        "POST /containers/prune HTTP/1.1\r\nHost: x\r\nContent-Type: "
        "application/x-www-form-urlencoded\r\nContent-Length: 10\r\n\r\nfilters={}");
    harness.settle();
    EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 400"));
    EXPECT_TRUE(harness.requests.empty());
}

// Some clients send their query in the body too. It goes no further.
TEST(Session, LeavesOutOtherBodiesThatNobodyAskedFor) {
    Harness harness;
    own(harness);
    harness.answer = [](const std::string&) { return "HTTP/1.1 204 No Content\r\n\r\n"; };
    auto client = harness.client();
    for (const std::string framed : {"Content-Length: 7\r\n\r\n{\"t\":1}",
                                     "Transfer-Encoding: chunked\r\n\r\n7\r\n{\"t\":1}\r\n0\r\n\r\n"}) {
        client.send("POST /containers/db/stop?t=1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" +
                    framed);
        harness.settle();
        EXPECT_EQ(harness.requests.back(),
                  "POST /v1.41/containers/" + kId +
                      "/stop?t=1 HTTP/1.1\r\nHost: docker\r\nContent-Length: 0\r\n\r\n");
    }
    // The connection goes on where the body ended.
    (void)client.received();
    client.forget();
    client.send("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n");
    harness.settle();
    EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 404"));
}

TEST(Session, TakesABodyBeforeATunnelButNotOneWithoutALength) {
    Harness harness;
    own(harness);
    auto client = harness.client();
    client.send(
        "POST /containers/db/attach?stream=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
        "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}stdin");
    harness.settle();
    harness.last().send("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n");
    harness.settle();
    EXPECT_TRUE(harness.last().received.ends_with("\r\n\r\nstdin")) << harness.last().received;
    auto chunked = harness.client();
    chunked.send(
        "POST /containers/db/attach?stream=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
        "Transfer-Encoding: chunked\r\n\r\n");
    harness.settle();
    EXPECT_THAT(chunked.received(), StartsWith("HTTP/1.1 400"));
}

TEST(Session, AnswersVersionsInTheEnginesWords) {
    Harness harness;
    auto client = harness.client();
    client.send("GET /v1.99/info HTTP/1.1\r\nHost: x\r\n\r\nGET /v1.12/info HTTP/1.1\r\nHost: x\r\n\r\n");
    harness.settle();
    EXPECT_THAT(client.received(),
                HasSubstr("client version 1.99 is too new. Maximum supported API version is 1.41"));
    EXPECT_THAT(client.received(), HasSubstr("client version 1.12 is too old"));
}

TEST(Session, StreamsAnUploadAndItsEarlyAnswerAtOnce) {
    Harness harness;
    harness.answer = [](const std::string&) { return Harness::json_reply("[]"); };  // which images there are
    auto client = harness.client();
    client.send(
        "POST /images/load HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data\r\nTransfer-Encoding: "
        "chunked\r\n\r\n5\r\nhello\r\n");
    harness.settle();
    auto& engine = harness.last();
    EXPECT_THAT(engine.received, HasSubstr("Content-Type: application/x-tar\r\n"));
    EXPECT_THAT(engine.received, HasSubstr("\r\n\r\n5\r\nhello\r\n"));
    engine.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nearl\r\n");
    client.send("1\r\nx\r\n");
    engine.send("2\r\ny\n\r\n");
    harness.settle();
    EXPECT_THAT(client.received(), HasSubstr("early\n"));
    client.send("0\r\n\r\n");
    harness.settle();
    EXPECT_THAT(engine.received, HasSubstr("1\r\nx\r\n0\r\n\r\n"));
    engine.send("0\r\n\r\n");
    harness.settle();
    EXPECT_TRUE(client.received().ends_with("0\r\n\r\n"));
}

TEST(Session, SaysContinueBeforeABodyComes) {
    Harness harness;
    auto client = harness.client();
    client.send("POST /images/load HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    harness.settle();
    EXPECT_EQ(client.received(), "HTTP/1.1 100 Continue\r\n\r\n");
    EXPECT_THAT(harness.last().received, Not(HasSubstr("Expect")));
}

TEST(Session, FlushesAHeadThatComesAloneAsWaitNeedsIt) {
    Harness harness;
    own(harness);
    auto client = harness.client();
    client.send("POST /containers/db/wait HTTP/1.1\r\nHost: x\r\n\r\n");
    harness.settle();
    EXPECT_THAT(harness.requests.at(0), StartsWith("POST /v1.41/containers/" + kId + "/wait HTTP/1.1\r\n"));
    harness.last().send(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
    harness.settle();
    EXPECT_THAT(client.received(), HasSubstr("200 OK"));
    // Hours may pass.
    harness.advance(Milliseconds(6 * 3600 * 1000));
    EXPECT_FALSE(client.ended());
    harness.last().send("3\r\n{}\n\r\n0\r\n\r\n");
    harness.settle();
    EXPECT_TRUE(client.received().ends_with("0\r\n\r\n"));
}

TEST(Session, ClosesTheEnginesSideAtOnceWhenTheClientGoes) {
    Harness harness;
    own(harness);
    auto client = harness.client();
    client.send("GET /containers/db/logs?follow=1&stdout=1 HTTP/1.1\r\nHost: x\r\n\r\n");
    harness.settle();
    harness.last().send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    harness.settle();
    client.close();
    harness.settle();
    EXPECT_TRUE(harness.last().ended);
}

struct Form {
    const char* name;
    const char* asked;
    const char* answer;
};
class Hijack : public testing::TestWithParam<Form> {};

TEST_P(Hijack, CarriesBytesBothWaysAndEachEndAlone) {
    Harness harness;
    own(harness);
    auto client = harness.client();
    // Standard input comes before the answer.
    client.send("POST /containers/db/attach?stream=1&stdin=1 HTTP/1.1\r\nHost: x\r\n" +
                std::string(GetParam().asked) + "\r\nearly");
    harness.settle();
    auto& engine = harness.last();
    engine.send(std::string(GetParam().answer) + "out1");
    harness.settle();
    EXPECT_TRUE(engine.received.ends_with("early")) << engine.received;
    EXPECT_TRUE(client.received().ends_with("\r\n\r\nout1"));
    client.send("more");
    client.shutdown();
    harness.settle();
    EXPECT_TRUE(engine.received.ends_with("more"));
    EXPECT_TRUE(engine.ended);
    EXPECT_FALSE(client.ended());
    engine.send("out2");
    harness.settle();
    EXPECT_TRUE(client.received().ends_with("out2"));
    engine.close();
    harness.settle();
    (void)client.received();
    EXPECT_TRUE(client.ended());
}

INSTANTIATE_TEST_SUITE_P(
    Forms, Hijack,
    testing::Values(Form{"Switching", "Connection: Upgrade\r\nUpgrade: tcp\r\n",
                         "HTTP/1.1 101 UPGRADED\r\nContent-Type: "
                         "application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"},
                    Form{"Legacy", "",
                         "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n"}),
    [](const auto& test) { return test.param.name; });

TEST(Session, NeverTunnelsToAnythingElse) {
    Harness harness;
    own(harness);
    // An upgrade on a route that has none is not asked for upstream, and an answer that switches is an error.
    auto client = harness.client();
    client.send("GET /_ping HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
    harness.settle();
    EXPECT_THAT(harness.requests.at(0), Not(HasSubstr("Upgrade")));
    harness.last().send("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
    harness.settle();
    EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 502"));
    auto other = harness.client();
    other.send(
        "POST /containers/db/attach HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
    harness.settle();
    EXPECT_THAT(other.received(), StartsWith("HTTP/1.1 400"));
}

TEST(Session, PassesAnAttachErrorThatIsNoStream) {
    Harness harness;
    own(harness);
    auto client = harness.client();
    client.send(
        "POST /containers/db/attach HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n");
    harness.settle();
    harness.last().send(
        "HTTP/1.1 409 Conflict\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\nnot running");
    harness.last().close();
    harness.settle();
    EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 409 Conflict"));
    EXPECT_TRUE(client.received().ends_with("not running"));
    EXPECT_TRUE(client.ended());
}

TEST(Session, DropsClientsThatDribble) {
    Harness harness;
    auto slow_head = harness.client();
    slow_head.send("GET /_ping HT");
    auto slow_body = harness.client();
    slow_body.send("POST /volumes/create HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{");
    auto idle = harness.client();
    harness.settle();
    harness.advance(Milliseconds(31'000));
    (void)slow_head.received();
    (void)slow_body.received();
    (void)idle.received();
    EXPECT_TRUE(slow_head.ended());
    EXPECT_TRUE(slow_body.ended());
    EXPECT_FALSE(idle.ended());
}

TEST(Session, LimitsWhatItHolds) {
    Harness harness;
    auto big_head = harness.client();
    big_head.send("GET /_ping HTTP/1.1\r\nX: " + std::string(70'000, 'a'));
    auto big_body = harness.client();
    big_body.send("POST /volumes/create HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n" +
                  std::string(5'000'000, ' '));
    harness.settle();
    EXPECT_THAT(big_head.received(), StartsWith("HTTP/1.1 431"));
    EXPECT_THAT(big_body.received(), StartsWith("HTTP/1.1 413"));
}

TEST(Session, AClientThatDoesNotReadStopsTheEngineAndNotTheBroker) {
    Harness harness;
    own(harness);
    auto client = harness.client();
    client.send("GET /containers/db/export HTTP/1.1\r\nHost: x\r\n\r\n");
    harness.settle();
    auto& engine = harness.last();
    engine.send("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
    const std::string block(65536, 'x');
    std::size_t sent = 0;
    for (int i = 0; i < 400; ++i) {
        sent += sys::send_some(engine.fd.get(), block).bytes;
        harness.turn();
    }
    // Socket buffers on both sides, and no more than one read in between.
    EXPECT_LT(sent, 2U << 20);
    harness.answer = [](const std::string&) { return Harness::json_reply("OK"); };
    auto other = harness.client();
    other.send("GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n");
    harness.settle();
    EXPECT_THAT(other.received(), StartsWith("HTTP/1.1 200"));
}

TEST(Session, RepeatsARequestWhenAKeptConnectionWasClosedMeanwhile) {
    Harness harness;
    harness.answer = [](const std::string&) { return Harness::json_reply("OK"); };
    auto client = harness.client();
    client.send("GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n");
    harness.settle();
    client.forget();
    // Closed while the next request is on its way.
    harness.answer = [&harness](const std::string&) {
        harness.last().close();
        harness.answer = [](const std::string&) { return Harness::json_reply("again"); };
        return std::string();
    };
    client.send("GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n");
    harness.settle();
    EXPECT_THAT(client.received(), HasSubstr("again"));
}

TEST(Session, ReportsAnEngineThatDoesNotAnswer) {
    Harness harness;
    harness.answer = [&harness](const std::string&) {
        harness.last().close();
        return std::string();
    };
    auto client = harness.client();
    client.send("POST /auth HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}");
    harness.settle();
    EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 502"));
}

TEST(Session, SpeaksHttp10WithoutChunks) {
    Harness harness;
    own(harness);
    auto client = harness.client();
    client.send("GET /containers/db/logs HTTP/1.0\r\n\r\n");
    harness.settle();
    harness.last().send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
    harness.settle();
    EXPECT_TRUE(client.received().ends_with("\r\n\r\nabc"));
    EXPECT_TRUE(client.ended());
}

TEST(Session, HoldsHundredsOfIdleTunnelsAndLetsThemGo) {
    Harness harness("isolated", [](Config& config) { config.limits.sessions = 2000; });
    own(harness);
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int i = 0; i < 400; ++i) {
        clients.push_back(std::make_unique<RawClient>(harness.client()));
        clients.back()->send(
            "POST /containers/db/attach HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n");
        harness.turn();
        harness.turn();
        harness.last().send("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n");
    }
    harness.settle();
    for (auto& client : clients) EXPECT_THAT(client->received(), StartsWith("HTTP/1.1 101"));
    clients.clear();
    for (int i = 0; i < 200; ++i) harness.turn();
    EXPECT_TRUE(std::all_of(harness.connections().begin(), harness.connections().end(),
                            [](const auto& connection) { return connection->ended || !connection->fd; }));
}

}  // namespace
}  // namespace supervisor::broker
