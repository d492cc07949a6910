#include "odd_requests.hpp"

namespace supervisor::broker {
namespace {

#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_E "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"

struct Base {
    const char* method;
    const char* target;
    const char* body;
};

constexpr const char* kCreate =
    R"({"Image":"busybox","Cmd":["true"],"Labels":{"a":"b"},"HostConfig":{"Binds":["data:/d"],"NetworkMode":"app","Memory":1048576},"NetworkingConfig":{"EndpointsConfig":{"app":{"Aliases":["x"]}}}})";

constexpr Base kBases[] = {
    {"GET", "/_ping", ""},
    {"HEAD", "/_ping", ""},
    {"GET", "/v1.41/version", ""},
    {"GET", "/info", ""},
    {"POST", "/auth", R"({"username":"u","password":"p"})"},
    {"GET", "/events?since=0&filters=%7B%22type%22%3A%5B%22container%22%5D%7D", ""},
    {"GET", "/system/df?type=container", ""},
    {"GET", "/containers/json?all=1&limit=3&filters=%7B%22name%22%3A%5B%22d%22%5D%7D", ""},
    {"POST", "/containers/create?name=web", kCreate},
    {"POST", "/v1.41/containers/create", kCreate},
    {"POST", "/containers/prune?filters=%7B%7D", ""},
    {"GET", "/containers/db/json?size=1", ""},
    {"GET", "/containers/db/top?ps_args=aux", ""},
    {"GET", "/containers/db/logs?stdout=1&tail=5", ""},
    {"GET", "/containers/" ID_A "/changes", ""},
    {"GET", "/containers/aaaa/stats?stream=0", ""},
    {"POST", "/containers/db/start", ""},
    {"POST", "/containers/db/stop?t=1", ""},
    {"POST", "/containers/db/kill?signal=TERM", ""},
    {"POST", "/containers/db/wait?condition=not-running", ""},
    {"POST", "/containers/db/resize?h=1&w=2", ""},
    {"POST", "/containers/db/update", R"({"Memory":1048576})"},
    {"POST", "/containers/db/rename?name=other", ""},
    {"POST", "/containers/db/attach?stream=1&stdin=1", ""},
    {"POST", "/containers/db/exec", R"({"Cmd":["true"],"AttachStdout":true})"},
    {"POST", "/exec/" ID_E "/start", R"({"Detach":false,"Tty":false})"},
    {"GET", "/exec/" ID_E "/json", ""},
    {"GET", "/containers/db/archive?path=/etc", ""},
    {"PUT", "/containers/db/archive?path=/tmp", "tar-bytes"},
    {"DELETE", "/containers/db?v=1&force=1", ""},
    {"GET", "/images/json", ""},
    {"POST", "/images/create?fromImage=busybox&tag=1", ""},
    {"POST", "/images/create?fromSrc=-&repo=r&tag=1", "tar-bytes"},
    {"POST", "/images/load?quiet=1", "tar-bytes"},
    {"GET", "/images/get?names=a&names=b", ""},
    {"GET", "/images/reg:5000/a/b/json", ""},
    {"POST", "/images/busybox/tag?repo=mine&tag=1", ""},
    {"POST", "/images/mine/push?tag=1", ""},
    {"DELETE", "/images/mine:1?force=1", ""},
    {"POST", "/commit?container=db&repo=mine&tag=2", R"({"Labels":{"x":"y"}})"},
    {"POST", "/build?t=mine&labels=%7B%7D&networkmode=app", "tar-bytes"},
    {"POST", "/build/prune", ""},
    {"POST", "/session", ""},
    {"POST", "/grpc", ""},
    {"GET", "/networks", ""},
    {"POST", "/networks/create", R"({"Name":"n","Driver":"bridge","Labels":{}})"},
    {"POST", "/networks/app/connect", R"({"Container":"db","EndpointConfig":{"Aliases":["y"]}})"},
    {"POST", "/networks/app/disconnect", R"({"Container":"db","Force":true})"},
    {"DELETE", "/networks/app", ""},
    {"GET", "/networks/bridge?verbose=1", ""},
    {"GET", "/volumes", ""},
    {"POST", "/volumes/create", R"({"Name":"vol","Labels":{"a":"b"}})"},
    {"DELETE", "/volumes/data?force=1", ""},
    {"POST", "/volumes/prune", ""},
};

constexpr const char* kSmuggled =
    "DELETE /v1.41/containers/SMUGGLED?force=1 HTTP/1.1\r\nHost: SMUGGLED\r\n\r\n";

// Members that open something, and the words and spellings that a careless reader takes for harmless.
constexpr const char* kEvilMembers[] = {R"("Privileged":true)",
                                        R"("privileged":true)",
                                        R"("Privile\u0067ed":true)",
                                        R"("PRIVILEGED":true)",
                                        "\"Privileged\":false,\"privileged\":true",
                                        R"("HostConfig":{"Privileged":true})",
                                        R"("hostconfig":{"Privileged":true})",
                                        "\"Ho\\u0073tConfig\":{\"Privileged\":true}",
                                        "\"Ho\xc5\xbftConfig\":{\"Privileged\":true}",
                                        "\"Networ\xe2\x84\xaaMode\":\"host\"",
                                        R"("Devices":[{"PathOnHost":"/dev/SMUGGLED"}])",
                                        R"("PidMode":"host")",
                                        R"("UsernsMode":"host")",
                                        R"("Capabilities":["CAP_SYS_ADMIN"])",
                                        R"("Annotations":{"a":"b"})",
                                        R"("MaskedPaths":["/SMUGGLED"])",
                                        R"("Binds":["/SMUGGLED:/x"])",
                                        R"("Mounts":[{"Type":"bind","Source":"/SMUGGLED","Target":"/x"}])",
                                        R"("Unknown":"SMUGGLED")",
                                        R"("Labels":{"org.gocd.agent.id":"SMUGGLED"})",
                                        R"("CgroupParent":"/SMUGGLED")",
                                        R"("DriverOpts":{"device":"/SMUGGLED"})",
                                        R"("Driver":"SMUGGLED")",
                                        R"("VolumeDriver":"SMUGGLED")",
                                        R"("NetworkMode":"container:SMUGGLED")",
                                        R"("VolumesFrom":["SMUGGLED"])"};

}  // namespace

OddRequests::Parts OddRequests::plain() {
    const auto& base = kBases[pick(std::size(kBases))];
    Parts parts{base.method, base.target, "HTTP/1.1", {"Host: docker"}, base.body};
    if (parts.body.starts_with('{')) parts.lines.emplace_back("Content-Type: application/json");
    if (parts.body == "tar-bytes") parts.lines.emplace_back("Content-Type: application/x-tar");
    parts.chunked = !parts.body.empty() && pick(2) == 0;
    return parts;
}

void OddRequests::twist_target(Parts& parts) {
    auto& target = parts.target;
    if (target.size() < 2 || target.front() != '/') return;  // an earlier twist
    const auto slash = target.rfind('/', target.find('?'));
    const auto sign = [&target] { return target.find('?') == std::string::npos ? "?" : "&"; };
    switch (pick(16)) {
        case 0:
            target.replace(slash, 1, "%2f");
            break;
        case 1:
            target.replace(slash, 1, "//");
            break;
        case 2:
            target.replace(slash, 1, "/./");
            break;
        case 3:
            target.replace(slash, 1, "/x/%2e%2e/");
            break;
        case 4:
            target.insert(0, "http://SMUGGLED");
            break;
        case 5:
            target.insert(0, any({"/v1.24", "/v9.9", "/v1.41.1", "/V1.41", "/v", "/v1.41/v1.41", "/libpod"}));
            break;
        case 6:
            target +=
                sign() + std::string(any({"checkpoint-dir=/SMUGGLED", "SMUGGLED=1", "remote=http://SMUGGLED/",
                                          "cgroupparent=SMUGGLED", "networkmode=host", "securityopt=SMUGGLED",
                                          "fromSrc=http://SMUGGLED/"}));
            break;
        case 7:
            target += sign() +
                      std::string("name=SMUGGLED&name=b&filters=1&filters=2&path=1&path=2&t=a&t=b&v=1&v=0");
            break;
        case 8:
            target += sign() + std::string("a=1;b=SMUGGLED");
            break;
        case 9:
            target += any({"%00", "%0d%0a", "#SMUGGLED", "/", "%", "%zz", "\x80", "%ff"});
            break;
        case 10:
            target[1 + pick(target.size() - 1)] ^= 0x20;
            break;
        case 11:
            target = any({"*", "/", "", "SMUGGLED", "/containers/SMUGGLED/json", "/swarm/init",
                          "/plugins/pull?remote=SMUGGLED", "/debug/pprof", "/containers/db/checkpoints",
                          "/containers/db/copy", "/images/SMUGGLED/../x/json"});
            break;
        case 12:
            target +=
                sign() + std::string("filters=%7B%22label%22%3A%5B%22org.gocd.agent.id%3Dother%22%5D%7D");
            break;
        case 13:
            target.insert(pick(target.size()), any({" ", "\t", "\x01", "\\", "%20", "%5c", "..;", "%252f"}));
            break;
        case 14:
            target += std::string(pick(3) == 0 ? 70000 : 3000, 'a');
            break;
        default:
            parts.method = any({"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "CONNECT", "TRACE",
                                "PATCH", "get", "PO ST"});
    }
}

void OddRequests::twist_framing(Parts& parts) {
    const auto length = [&parts](std::size_t more) { return std::to_string(parts.body.size() + more); };
    const std::string smuggled(kSmuggled);
    parts.own_framing = true;
    switch (pick(15)) {
        case 0:
            parts.lines.push_back("Content-Length: " + length(0));
            parts.lines.emplace_back("Transfer-Encoding: chunked");
            parts.body = "0\r\n\r\n" + smuggled;
            break;
        case 1:
            parts.lines.push_back("Content-Length: " + length(0));
            parts.lines.push_back("Content-Length: " + length(5));
            break;
        case 2:
            parts.lines.push_back("Content-Length: " + length(0) + ", " + length(0));
            break;
        case 3:
            parts.lines.emplace_back(
                any({"Content-Length: -1", "Content-Length: +5", "Content-Length: 0x5", "Content-Length: 5 5",
                     "Content-Length: 99999999999999999999", "Content-Length:", "Content-Length: 5\x0b"}));
            parts.tail = smuggled;
            break;
        case 4:
            parts.lines.emplace_back(any({"Transfer-Encoding: chunked, identity",
                                          "Transfer-Encoding: identity", "Transfer-Encoding: gzip, chunked",
                                          "Transfer-Encoding: xchunked", "Transfer-Encoding: \"chunked\"",
                                          "Transfer-Encoding:\x0b"
                                          "chunked"}));
            parts.tail = "0\r\n\r\n" + smuggled;
            break;
        case 5:
            parts.lines.emplace_back("Transfer-Encoding : chunked");
            parts.tail = "0\r\n\r\n" + smuggled;
            break;
        case 6:
            parts.lines.emplace_back("Transfer-Encoding: chunked");
            parts.lines.emplace_back("Transfer-Encoding: chunked");
            break;
        case 7:
            parts.lines.emplace_back("Transfer-Encoding: chunked");
            parts.body = any({"5;ext=SMUGGLED\r\nhello\r\n0\r\n\r\n", "0\r\nSMUGGLED: 1\r\n\r\n",
                              "0x5\r\nhello\r\n0\r\n\r\n", "+5\r\nhello\r\n0\r\n\r\n", "5\nhello\n0\n\n",
                              "5\r\nhello!\r\n0\r\n\r\n", "fffffffffffffffff\r\nx",
                              " 5\r\nhello\r\n0\r\n\r\n", "5\r\nhel"});
            break;
        case 8:
            parts.lines.emplace_back("Content-Type: application/x-www-form-urlencoded");
            parts.body = "filters=%7B%7D&name=SMUGGLED&path=/SMUGGLED&remote=http://SMUGGLED/";
            parts.lines.push_back("Content-Length: " + length(0));
            break;
        case 9:
            parts.lines.emplace_back("Content-Type: multipart/form-data; boundary=x");
            parts.body = "--x\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\nSMUGGLED\r\n--x--\r\n";
            parts.lines.push_back("Content-Length: " + length(0));
            break;
        case 10:
            parts.lines.push_back("Content-Length: " + length(0));
            parts.tail = smuggled;
            break;
        case 11:
            parts.lines.push_back("Content-Length: " + length(40));
            break;
        case 12:
            parts.tail = smuggled;
            break;
        case 13:
            parts.lines.push_back("Content-Length: " + length(0));
            parts.lines.emplace_back("Content-Encoding: gzip");
            break;
        default:
            parts.own_framing = false;
            parts.body.clear();
    }
}

void OddRequests::twist_head(Parts& parts) {
    auto& lines = parts.lines;
    switch (pick(14)) {
        case 0:
            parts.line_end = "\n";
            break;
        case 1:
            lines.emplace_back("X-Odd: b\r\n SMUGGLED");
            break;
        case 2:
            lines.emplace_back("X-Odd: b\nX-SMUGGLED: c");
            break;
        case 3:
            lines.push_back(std::string("X-Odd: b\0SMUGGLED", 17));
            break;
        case 4:
            lines.emplace_back(
                any({"Upgrade: h2c", "Upgrade: tcp", "Upgrade: websocket", "Upgrade: SMUGGLED"}));
            lines.emplace_back(any({"Connection: Upgrade", "Connection: keep-alive, Upgrade",
                                    "Connection: Upgrade, HTTP2-Settings"}));
            parts.tail = kSmuggled;
            break;
        case 5:
            parts.version = any({"HTTP/1.0", "HTTP/2.0", "HTTP/1.2", "HTTP/0.9", "http/1.1", "HTTP/1.1 ", "",
                                 "HTTP/1.1\tSMUGGLED"});
            break;
        case 6:
            lines.front() =
                any({"Host: SMUGGLED", "Host: /var/run/docker.sock", "Host:", "X-Meta-NoHost: 1"});
            break;
        case 7:
            lines.emplace_back("Host: SMUGGLED");
            break;
        case 8:
            lines.emplace_back(any({"Expect: 100-continue", "Expect: SMUGGLED", "Expect: 100-continue, x"}));
            break;
        case 9:
            lines.emplace_back(any({"X-HTTP-Method-Override: DELETE", "X-SMUGGLED: 1",
                                    "Connection: close, SMUGGLED", "Te: SMUGGLED", "Cookie: SMUGGLED",
                                    "Trailer: SMUGGLED", "Content-Type: text/SMUGGLED"}));
            break;
        case 10:
            lines.push_back("X-Meta-Big: " + std::string(pick(2) == 0 ? 5000 : 70000, 'x'));
            break;
        case 11:
            for (int i = 0; i < 200; ++i) lines.push_back("X-Meta-" + std::to_string(i) + ": y");
            break;
        case 12:
            lines.emplace_back(any({"No colon here SMUGGLED", ": SMUGGLED", " leading: SMUGGLED",
                                    "Na me: SMUGGLED", "X\x80: SMUGGLED"}));
            break;
        default:
            lines.emplace_back(any({"Connection: close", "connection: CLOSE", "Keep-Alive: 5",
                                    "accept: application/json", "ACCEPT-ENCODING: gzip"}));
    }
}

void OddRequests::twist_json(Parts& parts) {
    if (!parts.body.starts_with('{')) return twist_framing(parts);
    auto& body = parts.body;
    const std::string evil = any(kEvilMembers);
    // After some '{' or before some '}', so at any depth.
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < body.size(); ++i) {
        if (body[i] == '{') places.push_back(i + 1);
    }
    switch (pick(8)) {
        case 0:
            body.insert(body.size() - 1, "," + evil);
            break;
        case 1:
        case 2: {
            const auto place = places[pick(places.size())];
            body.insert(place, evil + (body[place] == '}' ? "" : ","));
            break;
        }
        case 3:
            body += any({"{\"SMUGGLED\":1}", " x", "\n{}", "]", std::string("\0", 1).c_str()});
            break;
        case 4:
            body.insert(places[pick(places.size())],
                        "\"x\":" + std::string(200, '[') + std::string(200, ']') + ",");
            break;
        case 5:
            body[pick(body.size())] = static_cast<char>(pick(256));
            break;
        case 6:
            body.erase(pick(body.size()), 1 + pick(4));
            break;
        default:
            body = any({"[]", "null", "\"SMUGGLED\"", "{\"a\":1e999}", "{\"a\":\"\\ud800\"}", "{\"a\":01}",
                        "\xef\xbb\xbf{}", "{\"Memory\":1.5}", "{,}"});
    }
}

void OddRequests::twist(Parts& parts) {
    switch (pick(5)) {
        case 0:
            return twist_target(parts);
        case 1:
            return twist_framing(parts);
        case 2:
            return twist_head(parts);
        default:
            return twist_json(parts);
    }
}

std::string OddRequests::written(const Parts& parts) {
    std::string out = parts.method + " " + parts.target + " " + parts.version + parts.line_end;
    for (const auto& line : parts.lines) out += line + parts.line_end;
    if (parts.own_framing || (parts.body.empty() && !parts.chunked))
        return out + parts.line_end + parts.body + parts.tail;
    if (!parts.chunked)
        return out + "Content-Length: " + std::to_string(parts.body.size()) + parts.line_end +
               parts.line_end + parts.body + parts.tail;
    char size[20];
    std::snprintf(size, sizeof size, "%zx", parts.body.size());
    out += "Transfer-Encoding: chunked" + parts.line_end + parts.line_end;
    if (!parts.body.empty()) out += std::string(size) + "\r\n" + parts.body + "\r\n";
    return out + "0\r\n\r\n" + parts.tail;
}

std::string OddRequests::next() {
    if (pick(200) == 0) return std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") + kSmuggled;
    std::string out;
    for (auto requests = 1 + (pick(6) == 0 ? 1 : 0); requests > 0; --requests) {
        auto parts = plain();
        for (auto oddities = pick(4); oddities > 0; --oddities) twist(parts);
        out += written(parts);
    }
    // Now and then bytes are lost, changed or put in anywhere.
    if (pick(5) == 0 && !out.empty()) {
        const auto place = pick(out.size());
        if (pick(3) == 0)
            out.resize(place);
        else if (pick(2) == 0)
            out[place] = static_cast<char>(pick(256));
        else
            out.insert(place, any({"\r\n", "\n", "\r", " ", ":", "\r\n\r\n", "%", "?"}));
    }
    return out;
}

}  // namespace supervisor::broker
