#include <gmock/gmock.h>

#include "broker/http/http_body.hpp"
#include "broker/http/http_message.hpp"

namespace supervisor::broker {
namespace {

Result<RequestHead> parse(const std::string& lines) {
    return parse_request_head(lines + "\r\n");
}

struct Refused {
    const char* name;
    std::string head;
};
void PrintTo(const Refused& refused, std::ostream* out) {
    *out << refused.name;
}

class RefusesHead : public testing::TestWithParam<Refused> {};

TEST_P(RefusesHead, WithAnError) {
    const auto scan = scan_head(GetParam().head);
    if (scan.state == HeadScan::State::Malformed) return;
    ASSERT_EQ(scan.state, HeadScan::State::Complete);
    EXPECT_FALSE(parse_request_head(GetParam().head));
}

const std::string kHost = "Host: d\r\n";
INSTANTIATE_TEST_SUITE_P(
    Smuggling, RefusesHead,
    testing::Values(
        Refused{"LengthAndChunked",
                "POST / HTTP/1.1\r\n" + kHost + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"},
        Refused{"ChunkedAndLength",
                "POST / HTTP/1.1\r\n" + kHost + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n"},
        Refused{"TwoLengths",
                "POST / HTTP/1.1\r\n" + kHost + "Content-Length: 3\r\nContent-Length: 4\r\n\r\n"},
        Refused{"TwoEqualLengths",
                "POST / HTTP/1.1\r\n" + kHost + "Content-Length: 3\r\nContent-Length: 3\r\n\r\n"},
        Refused{"LengthList", "POST / HTTP/1.1\r\n" + kHost + "Content-Length: 3, 3\r\n\r\n"},
        Refused{"SignedLength", "POST / HTTP/1.1\r\n" + kHost + "Content-Length: +3\r\n\r\n"},
        Refused{"EmptyLength", "POST / HTTP/1.1\r\n" + kHost + "Content-Length:\r\n\r\n"},
        Refused{"HugeLength", "POST / HTTP/1.1\r\n" + kHost + "Content-Length: 99999999999999999999\r\n\r\n"},
        Refused{"OtherCoding", "POST / HTTP/1.1\r\n" + kHost + "Transfer-Encoding: gzip\r\n\r\n"},
        Refused{"CodingList", "POST / HTTP/1.1\r\n" + kHost + "Transfer-Encoding: gzip, chunked\r\n\r\n"},
        Refused{"CodingTwice", "POST / HTTP/1.1\r\n" + kHost +
                                   "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"},
        Refused{"ChunkedInHttp10", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"},
        Refused{"FoldedLine", "GET / HTTP/1.1\r\n" + kHost + "X: a\r\n b\r\n\r\n"},
        Refused{"BareLineFeed", "GET / HTTP/1.1\n" + kHost + "\r\n"},
        Refused{"BareLineFeedInHeaders", "GET / HTTP/1.1\r\nHost: d\nX: y\r\n\r\n"},
        Refused{"BareCarriageReturn", "GET / HTTP/1.1\r\nHost: d\rX: y\r\n\r\n"},
        Refused{"SpaceBeforeColon", "GET / HTTP/1.1\r\nHost : d\r\n\r\n"},
        Refused{"NoColon", "GET / HTTP/1.1\r\n" + kHost + "nonsense\r\n\r\n"},
        Refused{"NulInValue", "GET / HTTP/1.1\r\n" + kHost + std::string("X: a\0b\r\n\r\n", 10)},
        Refused{"NoHost", "GET / HTTP/1.1\r\nX: y\r\n\r\n"},
        Refused{"TwoHosts", "GET / HTTP/1.1\r\n" + kHost + kHost + "\r\n"},
        Refused{"Http2Preface", "PRI * HTTP/2.0\r\n\r\n"},
        Refused{"AbsoluteForm", "GET http://docker/info HTTP/1.1\r\n" + kHost + "\r\n"},
        Refused{"AsteriskForm", "OPTIONS * HTTP/1.1\r\n" + kHost + "\r\n"},
        Refused{"LowerCaseMethod", "get / HTTP/1.1\r\n" + kHost + "\r\n"},
        Refused{"SpaceInTarget", "GET /a b HTTP/1.1\r\n" + kHost + "\r\n"},
        Refused{"OtherExpectation", "POST / HTTP/1.1\r\n" + kHost + "Expect: miracles\r\n\r\n"},
        Refused{"EmptyFirstLine", "\r\nGET / HTTP/1.1\r\n" + kHost + "\r\n"}),
    [](const auto& test) { return test.param.name; });

TEST(RequestHead, IsReadWithItsFraming) {
    const auto head = parse(
        "POST /v1.41/build?t=x HTTP/1.1\r\nhost: docker\r\ntransfer-encoding: Chunked\r\nExpect: "
        "100-continue\r\n");
    ASSERT_TRUE(head);
    EXPECT_EQ(head->method, "POST");
    EXPECT_EQ(head->target, "/v1.41/build?t=x");
    EXPECT_EQ(head->body.kind, Framing::Chunked);
    EXPECT_TRUE(head->expects_continue);
    EXPECT_TRUE(head->keep_alive);
}

TEST(RequestHead, AsksForAnUpgradeOnlyThroughTheConnectionHeader) {
    const auto asked =
        parse("POST / HTTP/1.1\r\nHost: d\r\nConnection: keep-alive, Upgrade\r\nUpgrade: TCP\r\n");
    ASSERT_TRUE(asked);
    EXPECT_EQ(asked->upgrade, "tcp");
    const auto unasked = parse("POST / HTTP/1.1\r\nHost: d\r\nUpgrade: h2c\r\n");
    ASSERT_TRUE(unasked);
    EXPECT_EQ(unasked->upgrade, "");
}

TEST(RequestHead, MayBeHttp10WithoutHostAndThenCloses) {
    const auto head = parse("GET /_ping HTTP/1.0\r\n");
    ASSERT_TRUE(head);
    EXPECT_FALSE(head->keep_alive);
}

TEST(HeadScan, WaitsForTheEmptyLine) {
    EXPECT_EQ(scan_head("GET / HTTP/1.1\r\nHost: d\r\n").state, HeadScan::State::Incomplete);
    const auto scan = scan_head("GET / HTTP/1.1\r\n\r\nrest");
    EXPECT_EQ(scan.state, HeadScan::State::Complete);
    EXPECT_EQ(scan.size, 18U);
    EXPECT_EQ(scan_head(std::string(kMaxHeadBytes + 1, 'a')).state, HeadScan::State::Malformed);
}

TEST(HeadReader, PutsAHeadTogetherWhereverItIsCut) {
    const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n";
    const std::string all = head + "body";
    HeadReader reader;
    for (std::size_t cut = 0; cut <= all.size(); ++cut) {
        auto first = std::string_view(all).substr(0, cut);
        auto rest = std::string_view(all).substr(cut);
        auto& last = cut < head.size() ? rest : first;
        if (cut < head.size()) {
            EXPECT_EQ(reader.take(first), HeadScan::State::Incomplete);
            EXPECT_EQ(first, "") << "an unfinished head is taken whole";
        }
        ASSERT_EQ(reader.take(last), HeadScan::State::Complete) << cut;
        EXPECT_EQ(reader.head(), head);
        EXPECT_TRUE(std::string_view("body").starts_with(last) || last == "body");
        reader.reset();
    }
}

TEST(HeadReader, LeavesTheNextHeadAlone) {
    const std::string early = "HTTP/1.1 103 Early\r\n\r\n";
    const std::string both = early + "HTTP/1.1 204 No\r\n\r\n";
    HeadReader reader;
    std::string_view rest = both;
    ASSERT_EQ(reader.take(rest), HeadScan::State::Complete);
    EXPECT_EQ(reader.head(), early);
    reader.reset();
    ASSERT_EQ(reader.take(rest), HeadScan::State::Complete);
    EXPECT_EQ(reader.head(), "HTTP/1.1 204 No\r\n\r\n");
    EXPECT_EQ(rest, "");
}

TEST(Headers, KeepOnlyTheFirstFieldOfAName) {
    Headers headers;
    for (const char* value : {"1", "2"}) headers.add("X", value);
    headers.add("Content-Type", "a");
    headers.add("content-type", "b");
    headers.keep_only("content-TYPE");
    ASSERT_EQ(headers.fields().size(), 1U);
    EXPECT_EQ(headers.get("Content-Type"), "a");
    headers.keep_only("Y");
    EXPECT_TRUE(headers.fields().empty());
}

TEST(ResponseHead, WithoutLengthLastsUntilTheEnd) {
    const auto head = parse_response_head(
        "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n", "POST");
    ASSERT_TRUE(head);
    EXPECT_EQ(head->body.kind, Framing::UntilEof);
    EXPECT_FALSE(head->keep_alive);
}

TEST(ResponseHead, HasNoBodyForHeadRequestsAndFor204) {
    EXPECT_EQ(parse_response_head("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "HEAD")->body.kind,
              Framing::None);
    EXPECT_EQ(parse_response_head("HTTP/1.1 204 No Content\r\n\r\n", "POST")->body.kind, Framing::None);
    EXPECT_EQ(parse_response_head("HTTP/1.1 101 UPGRADED\r\n\r\n", "POST")->body.kind, Framing::None);
}

std::string read_body(BodyReader& reader, std::string_view bytes, std::size_t step) {
    std::string payload;
    while (!bytes.empty() && !reader.done() && !reader.malformed()) {
        const auto piece = reader.next(bytes.substr(0, step));
        payload.append(piece.payload);
        bytes.remove_prefix(piece.consumed);
    }
    return payload;
}

TEST(BodyReader, FindsTheEndOfChunksWhereverTheyAreCut) {
    const std::string wire = "4\r\nWiki\r\nA\r\npedia in a\r\n0\r\n\r\n";
    for (std::size_t step = 1; step <= wire.size(); ++step) {
        BodyReader reader({Framing::Chunked, 0});
        EXPECT_EQ(read_body(reader, wire, step), "Wikipedia in a");
        EXPECT_TRUE(reader.done());
    }
}

TEST(BodyReader, LeavesWhatFollowsTheBody) {
    BodyReader reader({Framing::Length, 3});
    const auto piece = reader.next("abcGET / HTTP/1.1");
    EXPECT_EQ(piece.consumed, 3U);
    EXPECT_EQ(piece.payload, "abc");
    EXPECT_TRUE(reader.done());
}

TEST(BodyReader, RefusesExtensionsTrailersAndOddSizes) {
    for (const char* wire : {"4;x=y\r\nWiki\r\n", "0\r\nTrailer: x\r\n\r\n", "-1\r\n", "\r\n", "4\nWiki",
                             "4\r\nWikiX", "ffffffffffffffffff\r\n", "0x4\r\nWiki\r\n", " 4\r\nWiki\r\n"}) {
        BodyReader reader({Framing::Chunked, 0});
        (void)read_body(reader, wire, 64);
        EXPECT_TRUE(reader.malformed()) << wire;
    }
}

}  // namespace
}  // namespace supervisor::broker
