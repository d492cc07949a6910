// The table of endpoints, a golden pair a row: what a client says, what the engine hears, what the engine
// answers, and what the client is shown. In the texts C, N and E are the ids of the agent's container,
// network and exec, and P- is the prefix of its names on the engine.
#include <gmock/gmock.h>

#include "base/strings.hpp"
#include "broker/handlers/handlers.hpp"
#include "broker/handlers/routes.hpp"
#include "broker/http/uri.hpp"
#include "harness.hpp"

namespace supervisor::broker {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::StartsWith;

const std::string kContainer(64, 'a');
const std::string kNetwork(64, 'c');
const std::string kExec(64, 'e');
const std::string kNew(64, '9');

struct Golden {
    const char* name;
    const char* asked;  // method and target
    const char* body;
    const char* heard;   // method, decoded target without version; then, after a blank line, the body
    const char* answer;  // status and body
    const char* shown;   // status and body
};
void PrintTo(const Golden& row, std::ostream* out) {
    *out << row.asked;
}

std::string percent_decoded(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%' || i + 2 >= text.size()) {
            out += text[i];
            continue;
        }
        out += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
        i += 2;
    }
    return out;
}

class Endpoints : public testing::Test {
  protected:
    Endpoints()
        : harness("isolated", [](Config& config) {
              config.cgroup_parent = "/agents/a";
              config.mounts = {{"/srv", "/vol/srv", true}};
          }) {
        auto& ledger = harness.broker().ledger();
        ledger.add(OwnContainer{kContainer, "db", "", 0, 0});
        ledger.add(OwnNetwork{kNetwork, harness.broker().names().hidden("app"), "app", ""});
        ledger.add_volume(harness.broker().names().hidden("data"), "");
        ledger.add_exec(kExec, kContainer);
        ledger.add_image("mine:latest", {});
    }

    std::string filled(std::string text) {
        for (const auto& [mark, value] : std::vector<std::pair<std::string, std::string>>{
                 {"{C}", kContainer},
                 {"{N}", kNetwork},
                 {"{E}", kExec},
                 {"{NEW}", kNew},
                 {"P-", harness.broker().names().prefix()},
                 {"{OWNER}", R"("org.gocd.agent.id":"agent","org.gocd.agent.owner":"1 )" +
                                 std::string(64, 'f') + R"( -")"}})
            text = replace_all(text, mark, value);
        return text;
    }

    static std::string reply(std::string_view answer) {
        const auto blank = answer.find(' ');
        const auto status = std::string(answer.substr(0, blank));
        if (blank == std::string_view::npos)
            return "HTTP/1.1 " + status + " X\r\n" + (status == "204" ? "" : "Content-Length: 0\r\n") +
                   "\r\n";
        return Harness::json_reply(answer.substr(blank + 1), std::stoi(status));
    }

    // The engine's other answers: everything that the broker looks up on the way.
    std::string looked_up(const std::string& line) const {
        if (line.starts_with("GET /images/busybox/json"))
            return reply(R"(200 {"Id":"sha256:b","RepoTags":["busybox:latest"],"Config":{}})");
        if (line.starts_with("GET /images/mine"))
            return reply(
                R"(200 {"Id":"sha256:1","RepoTags":["mine:latest"],"Config":{"Labels":{"org.gocd.agent.id":"agent"}}})");
        if (line.starts_with("GET /containers/" + kNew + "/json")) return reply(R"(200 {"Name":"/x"})");
        if (line.starts_with("POST /volumes/create")) return reply(R"(201 {"Name":"x"})");
        if (line.starts_with("GET /containers/json") || line.starts_with("GET /networks?"))
            return reply("200 []");
        if (line.starts_with("GET /volumes?")) return reply("200 {}");
        return reply(R"(404 {"message":"not scripted"})");
    }

    // Method, decoded target without version, an empty line, the body.
    static std::string essence(const std::string& request) {
        const auto line = request.substr(0, request.find(" HTTP/1.1"));
        const auto space = line.find(' ');
        const auto target = line.substr(space + 1);
        const auto body = request.substr(request.find("\r\n\r\n") + 4);
        EXPECT_THAT(target, StartsWith("/v1.41/"));
        return line.substr(0, space + 1) + percent_decoded(target.substr(6)) +
               (body.empty() ? "" : "\n\n" + body);
    }

    std::string ask(const std::string& line, const std::string& body) {
        const auto received = harness.ask(line, body);
        const auto end = received.find("\r\n\r\n");
        if (end == std::string::npos) return received;
        auto shown = received.substr(end + 4);
        if (received.find("Transfer-Encoding: chunked") < end) {
            const auto first = shown.find("\r\n") + 2;  // answers here are of one chunk
            shown = shown.substr(first, shown.rfind("\r\n0\r\n") - first);
        }
        if (shown.ends_with('\n')) shown.pop_back();
        return received.substr(9, 3) + (shown.empty() ? "" : " " + shown);
    }

    Harness harness;
};

class EndpointTable : public Endpoints, public testing::WithParamInterface<Golden> {};

TEST_P(EndpointTable, Row) {
    const auto& row = GetParam();
    std::vector<std::string> heard;
    const auto expected = filled(row.heard);
    harness.answer = [&](const std::string& request) {
        heard.push_back(essence(request));
        return heard.back() == expected ? reply(filled(row.answer)) : looked_up(heard.back());
    };
    EXPECT_EQ(ask(filled(row.asked), row.body), filled(row.shown));
    if (!expected.empty())
        EXPECT_THAT(heard, Contains(expected));
    else
        EXPECT_TRUE(heard.empty()) << heard.front();
}

// clang-format off
const Golden kGolden[] = {
    // ---- containers ----
    {"GetContainersJson", "GET /containers/json?all=1&bogus=1", "",
     R"(GET /containers/json?all=1&filters={"label":["org.gocd.agent.id=agent"]})",
     R"(200 [{"Id":"{C}","Names":["/P-db","/P-web/db"],"NetworkSettings":{"Networks":{"P-app":{}}},"Mounts":[{"Type":"bind","Source":"/vol/srv/x"},{"Type":"volume","Name":"P-data"}]}])",
     R"(200 [{"Id":"{C}","Names":["/db","/web/db"],"NetworkSettings":{"Networks":{"app":{}}},"Mounts":[{"Type":"bind","Source":"/srv/x"},{"Type":"volume","Name":"data"}]}])"},
    {"GetContainersJsonWithReferences",
     R"(GET /containers/json?filters={"before":["db"],"network":{"app":true},"volume":["data"],"ancestor":["mine"]})", "",
     R"(GET /containers/json?filters={"ancestor":{"mine":true},"before":{"{C}":true},"label":{"org.gocd.agent.id=agent":true},"network":{"{N}":true},"volume":{"P-data":true}})",
     "200 []", "200 []"},
    {"PostContainersCreate", "POST /containers/create?name=web&platform=linux",
     R"({"Image":"mine","Labels":{"a":"b"},"HostConfig":{"Binds":["/srv:/src:ro","data:/d"],"NetworkMode":"app","VolumesFrom":["db"],"CgroupParent":"/x"},"NetworkingConfig":{"EndpointsConfig":{"app":{"NetworkID":"app","Links":["db:x"]}}},"name":"web","platform":"linux"})",
     "POST /containers/create?platform=linux&name=P-web\n\n"
     R"({"Image":"mine","Labels":{"a":"b",{OWNER}},"HostConfig":{"Binds":["/vol/srv:/src:ro","P-data:/d"],"NetworkMode":"P-app","VolumesFrom":["{C}"],"CgroupParent":"/agents/a"},"NetworkingConfig":{"EndpointsConfig":{"P-app":{"NetworkID":"{N}","Links":["P-db:x"],"Aliases":["web"]}}}})",
     R"(201 {"Id":"{NEW}","Warnings":null})", R"(201 {"Id":"{NEW}","Warnings":null})"},
    {"GetContainersIdJson", "GET /containers/db/json?size=1", "", "GET /containers/{C}/json?size=1",
     R"(200 {"Id":"{C}","Name":"/P-db","HostConfig":{"Binds":["/vol/srv/x:/x:ro","P-data:/d"],"Mounts":[{"Type":"bind","Source":"/vol/srv"}],"NetworkMode":"P-app","Links":["/P-db:/P-web/db"]},"Mounts":[{"Type":"bind","Source":"/vol/srv/x"}],"NetworkSettings":{"Networks":{"P-app":{"DNSNames":["P-db","db"]}}}})",
     R"(200 {"Id":"{C}","Name":"/db","HostConfig":{"Binds":["/srv/x:/x:ro","data:/d"],"Mounts":[{"Type":"bind","Source":"/srv"}],"NetworkMode":"app","Links":["/db:/web/db"]},"Mounts":[{"Type":"bind","Source":"/srv/x"}],"NetworkSettings":{"Networks":{"app":{"DNSNames":["db","db"]}}}})"},
    {"GetContainersIdTop", "GET /containers/db/top?ps_args=aux", "", "GET /containers/{C}/top?ps_args=aux", "200 {}", "200 {}"},
    {"GetContainersIdLogs", "GET /containers/db/logs?stdout=1&tail=2&x=1", "", "GET /containers/{C}/logs?stdout=1&tail=2", "200 text", "200 text"},
    {"GetContainersIdChanges", "GET /containers/db/changes", "", "GET /containers/{C}/changes", "200 []", "200 []"},
    {"GetContainersIdStats", "GET /containers/db/stats?stream=0", "", "GET /containers/{C}/stats?stream=0",
     R"(200 {"name":"/P-db"})", R"(200 {"name":"/db"})"},
    {"GetContainersIdExport", "GET /containers/db/export", "", "GET /containers/{C}/export", "200 tar", "200 tar"},
    {"PostContainersIdStart", "POST /containers/db/start?detachKeys=a&checkpoint=x&checkpoint-dir=/etc", "", "POST /containers/{C}/start?detachKeys=a", "204", "204"},
    {"PostContainersIdStartWithABody", "POST /containers/db/start", R"({"Binds":["/:/host"]})", "", "", R"(400 {"message":"starting a container with a body is no longer supported"})"},
    {"PostContainersIdStop", "POST /containers/db/stop?t=1&signal=INT", "", "POST /containers/{C}/stop?t=1&signal=INT", "204", "204"},
    {"PostContainersIdStopWithAClientsHabit", "POST /containers/db/stop?t=1", R"({"t":1})", "POST /containers/{C}/stop?t=1", "204", "204"},
    {"PostContainersIdRestart", "POST /containers/db/restart?t=1", "", "POST /containers/{C}/restart?t=1", "204", "204"},
    {"PostContainersIdKill", "POST /containers/db/kill?signal=9", "", "POST /containers/{C}/kill?signal=9",
     R"(409 {"message":"Cannot kill container: {C}: Container {C} (P-db) is not running"})",
     R"(409 {"message":"Cannot kill container: {C}: Container {C} (db) is not running"})"},
    {"PostContainersIdPause", "POST /containers/db/pause", "", "POST /containers/{C}/pause", "204", "204"},
    {"PostContainersIdUnpause", "POST /containers/db/unpause", "", "POST /containers/{C}/unpause", "204", "204"},
    {"PostContainersIdWait", "POST /containers/db/wait?condition=next-exit", "", "POST /containers/{C}/wait?condition=next-exit", R"(200 {"StatusCode":0})", R"(200 {"StatusCode":0})"},
    {"PostContainersIdResize", "POST /containers/db/resize?h=1&w=2", "", "POST /containers/{C}/resize?h=1&w=2", "200", "200"},
    {"PostContainersIdUpdate", "POST /containers/db/update", R"({"Memory":5,"CgroupParent":"/x","RestartPolicy":{"Name":"always"},"Devices":null})",
     "POST /containers/{C}/update\n\n" R"({"Memory":5,"RestartPolicy":{"Name":"on-failure"}})", R"(200 {"Warnings":null})", R"(200 {"Warnings":null})"},
    {"PostContainersIdRename", "POST /containers/db/rename?name=new", "", "POST /containers/{C}/rename?name=P-new",
     R"(409 {"message":"Conflict. The container name \"/P-new\" is already in use by container \"1\"."})",
     R"(409 {"message":"Conflict. The container name \"/new\" is already in use by container \"1\"."})"},
    {"PostContainersIdAttachThatFails", "POST /containers/db/attach?stdout=1", "", "POST /containers/{C}/attach?stdout=1", R"(409 {"message":"no"})", R"(409 {"message":"no"})"},
    {"PostContainersIdExec", "POST /containers/db/exec", R"({"Cmd":["sh"],"Container":"other","Tty":true})", "POST /containers/{C}/exec\n\n" R"({"Cmd":["sh"],"Tty":true})",
     R"(201 {"Id":"{E}"})", R"(201 {"Id":"{E}"})"},
    {"PostExecIdStart", "POST /exec/{E}/start", R"({"Detach":true,"hijack":true,"stdin":true})", "POST /exec/{E}/start\n\n" R"({"Detach":true})", "200", "200"},
    {"PostExecIdResize", "POST /exec/{E}/resize?h=1&w=2", "", "POST /exec/{E}/resize?h=1&w=2", "201", "201"},
    {"GetExecIdJson", "GET /exec/{E}/json", "", "GET /exec/{E}/json", R"(200 {"ContainerID":"{C}"})", R"(200 {"ContainerID":"{C}"})"},
    {"GetContainersIdArchive", "GET /containers/db/archive?path=/etc", "", "GET /containers/{C}/archive?path=/etc", "200 tar", "200 tar"},
    {"PutContainersIdArchive", "PUT /containers/db/archive?path=/etc&noOverwriteDirNonDir=1", "tar", "PUT /containers/{C}/archive?path=/etc&noOverwriteDirNonDir=1\n\ntar", "200", "200"},
    {"DeleteContainersId", "DELETE /containers/db?v=1&force=1", "", "DELETE /containers/{C}?v=1&force=1", "204", "204"},
    {"DeleteContainersIdLink", "DELETE /containers/db?link=1", "", "", "", R"(403 {"message":"removing a link is not supported"})"},
    {"PostContainersPrune", R"(POST /containers/prune?filters={"until":["1h"]})", "",
     R"(POST /containers/prune?filters={"label":{"org.gocd.agent.id=agent":true},"until":{"1h":true}})", R"(200 {"ContainersDeleted":["{C}"]})", R"(200 {"ContainersDeleted":["{C}"]})"},
    {"PostCommit", "POST /commit?container=db&repo=new&tag=1&changes=LABEL%20org.gocd.agent.id=other", R"({"Env":["A=1"],"HostConfig":{},"container":"db"})",
     "POST /commit?repo=new&tag=1&changes=LABEL org.gocd.agent.id=other&container={C}&changes=LABEL org.gocd.agent.id=\"agent\"&changes=LABEL org.gocd.agent.owner=\"1 "
     "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff -\"\n\n"
     R"({"Env":["A=1"],"Labels":{{OWNER}}})", R"(201 {"Id":"sha256:2"})", R"(201 {"Id":"sha256:2"})"},
    // ---- images ----
    {"GetImagesJson", R"(GET /images/json?filters={"reference":["x"]}&all=1)", "", R"(GET /images/json?filters={"reference":["x"]}&all=1)",
     R"(200 [{"Id":"1","RepoTags":["a:1"],"Labels":null},{"Id":"2","Labels":{"org.gocd.agent.id":"other"}},{"Id":"3","Labels":{"org.gocd.agent.id":"agent"}}])",
     R"(200 [{"Id":"1","RepoTags":["a:1"],"Labels":null},{"Id":"3","Labels":{"org.gocd.agent.id":"agent"}}])"},
    {"PostImagesCreateFromImage", "POST /images/create?fromImage=busybox&tag=1&repo=&message=", "", "POST /images/create?fromImage=busybox&tag=1&repo=&message=", R"(200 {"status":"x"})", R"(200 {"status":"x"})"},
    {"PostImagesCreateFromImageWithAClientsHabit", "POST /images/create?fromImage=busybox&tag=1", R"({"fromImage":"other"})", "POST /images/create?fromImage=busybox&tag=1", R"(200 {"status":"x"})", R"(200 {"status":"x"})"},
    {"PostImagesCreateFromSrc", "POST /images/create?fromSrc=-&repo=new", "tar",
     "POST /images/create?fromSrc=-&repo=new&changes=LABEL org.gocd.agent.id=\"agent\"&changes=LABEL org.gocd.agent.owner=\"1 ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff -\"\n\ntar",
     R"(200 {"status":"sha256:5"})", R"(200 {"status":"sha256:5"})"},
    {"PostImagesCreateFromUrl", "POST /images/create?fromSrc=http://169.254.169.254/", "", "", "",
     R"X(403 {"message":"refused by the agent's Docker policy \"isolated\": fromSrc: the engine must not fetch images from a URL (permission \"remote-sources\")"})X"},
    {"GetImagesNameJson", "GET /images/mine/json", "", "GET /images/mine/json", R"(200 {"Id":"sha256:1","RepoTags":["mine:latest"]})", R"(200 {"Id":"sha256:1","RepoTags":["mine:latest"]})"},
    {"GetImagesNameHistory", "GET /images/mine/history", "", "GET /images/mine/history", "200 []", "200 []"},
    {"PostImagesNameTag", "POST /images/mine/tag?repo=new&tag=2", "", "POST /images/sha256:1/tag?repo=new&tag=2", "201", "201"},
    {"PostImagesNamePush", "POST /images/mine/push?tag=latest", "", "POST /images/mine/push?tag=latest", "200 x", "200 x"},
    {"PostImagesNamePushWithACredentialInTheBody", "POST /images/mine/push?tag=latest", R"({"username":"u","tag":"latest"})", "POST /images/mine/push?tag=latest", "200 x", "200 x"},
    {"DeleteImagesName", "DELETE /images/mine?force=1&noprune=1", "", "DELETE /images/sha256:1?noprune=1", "200 []", "200 []"},
    {"DeleteImagesNameOfAllAgents", "DELETE /images/busybox", "", "GET /images/busybox/json", R"(200 {"Id":"sha256:b","RepoTags":["busybox:latest"],"Config":{}})",
     R"X(403 {"message":"refused by the agent's Docker policy \"isolated\": image busybox: it was not made by this agent, and others may use it (permission \"shared-tags\")"})X"},
    {"PostImagesPrune", R"(POST /images/prune?filters={"dangling":["false"]})", "", R"(POST /images/prune?filters={"dangling":{"false":true},"label":{"org.gocd.agent.id=agent":true}})", "200 {}", "200 {}"},
    {"GetImagesSearch", "GET /images/search?term=x", "", "GET /images/search?term=x", "200 []", "200 []"},
    {"GetImagesGet", "GET /images/get?names=mine&names=busybox", "", "GET /images/get?names=mine&names=busybox", "200 tar", "200 tar"},
    {"GetImagesNameGet", "GET /images/mine/get", "", "GET /images/mine/get", "200 tar", "200 tar"},
    {"PostImagesLoad", "POST /images/load?quiet=1", "tar", "POST /images/load?quiet=1\n\ntar", R"(200 {"stream":"x"})", R"(200 {"stream":"x"})"},
    // ---- builds ----
    {"PostBuild", "POST /build?t=new&cgroupparent=/x&networkmode=app&rm=0&isolation=x&evil=1", "tar",
     R"(POST /build?t=new&networkmode=P-app&cgroupparent=/agents/a&forcerm=1&rm=1&labels={{OWNER}})" "\n\ntar",
     R"(200 {"stream":"x"})", R"(200 {"stream":"x"})"},
    {"PostBuildPrune", "POST /build/prune?all=1", "", "", "", R"(200 {"CachesDeleted":null,"SpaceReclaimed":0})"},
    {"PostBuildCancel", "POST /build/cancel?id=x", "", "POST /build/cancel?id=x", "204", "204"},
    {"PostSession", "POST /session", "", "", "",
     R"X(403 {"message":"refused by the agent's Docker policy \"isolated\": BuildKit: its protocol cannot be looked into; build with DOCKER_BUILDKIT=0 and COMPOSE_DOCKER_CLI_BUILD=0 (permission \"buildkit\")"})X"},
    // ---- networks ----
    {"GetNetworks", R"(GET /networks?filters={"name":["^app$"],"driver":["bridge"]})", "", R"(GET /networks?filters={"driver":{"bridge":true}})",
     R"(200 [{"Name":"bridge","Containers":{"x":{}}},{"Name":"P-app","Labels":{{OWNER},"l":"1"},"Containers":{"{C}":{"Name":"P-db"},"x":{}}},{"Name":"app","Labels":{"org.gocd.agent.id":"other"}}])",
     R"(200 [{"Name":"app","Labels":{"l":"1"},"Containers":{"{C}":{"Name":"db"}}}])"},
    {"GetNetworksId", "GET /networks/app?verbose=1&scope=local", "", "GET /networks/{N}?verbose=1&scope=local",
     R"(200 {"Name":"P-app","Labels":{{OWNER}},"Containers":{"{C}":{"Name":"P-db"}}})", R"(200 {"Name":"app","Labels":{},"Containers":{"{C}":{"Name":"db"}}})"},
    {"PostNetworksCreate", "POST /networks/create", R"({"Name":"new","Driver":"bridge","Labels":{"a":"b"},"Ingress":false,"ConfigFrom":{"Network":""}})",
     "POST /networks/create\n\n" R"({"Name":"P-new","Driver":"bridge","Labels":{"a":"b",{OWNER}},"Ingress":false,"ConfigFrom":{"Network":""},"CheckDuplicate":true})",
     R"(409 {"message":"network with name P-new already exists"})", R"(409 {"message":"network with name new already exists"})"},
    {"PostNetworksIdConnect", "POST /networks/app/connect", R"({"Container":"db","EndpointConfig":{"Aliases":["x"],"IPAddress":"1.2.3.4"}})",
     "POST /networks/{N}/connect\n\n" R"({"Container":"{C}","EndpointConfig":{"Aliases":["x","db"]}})", "200", "200"},
    {"PostNetworksBridgeConnect", "POST /networks/bridge/connect", R"({"Container":"db"})", "POST /networks/bridge/connect\n\n" R"({"Container":"{C}"})", "200", "200"},
    {"PostNetworksIdDisconnect", "POST /networks/app/disconnect", R"({"Container":"db","Force":true})", "POST /networks/{N}/disconnect\n\n" R"({"Container":"{C}","Force":true})", "200", "200"},
    {"DeleteNetworksId", "DELETE /networks/app", "", "DELETE /networks/{N}", "204", "204"},
    {"PostNetworksPrune", "POST /networks/prune", "", R"(POST /networks/prune?filters={"label":{"org.gocd.agent.id=agent":true}})", R"(200 {"NetworksDeleted":["P-app"]})", R"(200 {"NetworksDeleted":["app"]})"},
    // ---- volumes ----
    {"GetVolumes", R"(GET /volumes?filters={"name":{"data":true}})", "", "GET /volumes",
     R"(200 {"Volumes":[{"Name":"P-data","Labels":{{OWNER}}},{"Name":"P-other"},{"Name":"data"}],"Warnings":null})", R"(200 {"Volumes":[{"Name":"data","Labels":{}}],"Warnings":null})"},
    {"GetVolumesName", "GET /volumes/data", "", "GET /volumes/P-data", R"(200 {"Name":"P-data","Labels":{{OWNER},"a":"b"},"Mountpoint":"/d/P-data/_data"})", R"(200 {"Name":"data","Labels":{"a":"b"},"Mountpoint":"/d/data/_data"})"},
    {"GetVolumesNameOfAStranger", "GET /volumes/theirs", "", "GET /volumes/P-theirs", R"(404 {"message":"get P-theirs: no such volume"})", R"(404 {"message":"get theirs: no such volume"})"},
    {"PostVolumesCreate", "POST /volumes/create", R"({"Name":"new","Driver":"local","DriverOpts":{"type":"none","o":"bind","device":"/srv"}})",
     "POST /volumes/create\n\n" R"({"Name":"P-new","Driver":"local","DriverOpts":{"type":"none","o":"bind","device":"/vol/srv"},"Labels":{{OWNER}}})", R"(201 {"Name":"P-new"})", R"(201 {"Name":"new"})"},
    {"DeleteVolumesName", "DELETE /volumes/data?force=1", "", "DELETE /volumes/P-data?force=1", "204", "204"},
    {"PostVolumesPrune", R"(POST /volumes/prune?filters={"label!":["keep"]})", "", R"(POST /volumes/prune?filters={"label":{"org.gocd.agent.id=agent":true},"label!":{"keep":true}})",
     R"(200 {"VolumesDeleted":["P-data"]})", R"(200 {"VolumesDeleted":["data"]})"},
    // ---- the engine ----
    {"GetEvents", R"(GET /events?until=1&filters={"container":["db"],"network":["app"],"volume":["data"]})", "",
     R"(GET /events?until=1&filters={"container":{"{C}":true},"network":{"{N}":true},"volume":{"P-data":true}})",
     R"(200 {"Type":"volume","Actor":{"ID":"P-data"}})", R"(200 {"Type":"volume","Actor":{"ID":"data"}})"},
    {"GetInfo", "GET /info", "", "GET /info", R"(200 {"Containers":9,"Name":"host","Swarm":{"NodeID":"n","LocalNodeState":"active"},"Containerd":{"Address":"/run/containerd/containerd.sock"}})",
     R"(200 {"Containers":0,"Name":"host","Swarm":{"LocalNodeState":"inactive"},"ContainersRunning":0,"ContainersPaused":0,"ContainersStopped":0})"},
    {"GetVersion", "GET /version", "", "GET /version", R"(200 {"ApiVersion":"1.99"})", R"(200 {"ApiVersion":"1.41"})"},
    {"GetPing", "GET /_ping", "", "GET /_ping", "200 OK", "200 OK"},
    {"HeadPing", "HEAD /_ping", "", "HEAD /_ping", "200", "200"},
    {"GetSystemDf", "GET /system/df?type=volume", "", "GET /system/df?type=volume",
     R"(200 {"Containers":[{"Id":"1","Labels":{}},{"Id":"2","Labels":{"org.gocd.agent.id":"agent"}}],"Volumes":[{"Name":"x"},{"Name":"P-data"}],"Images":[{"Id":"3","Labels":{"org.gocd.agent.id":"other"}}],"BuildCache":[{}]})",
     R"(200 {"Containers":[{"Id":"2","Labels":{"org.gocd.agent.id":"agent"}}],"Volumes":[{"Name":"data"}],"Images":[],"BuildCache":[]})"},
    {"PostAuth", "POST /auth", R"({"username":"u","password":"p"})", "POST /auth\n\n" R"({"username":"u","password":"p"})", "200 {}", "200 {}"},
    {"GetDistributionNameJson", "GET /distribution/a/b:c/json", "", "GET /distribution/a/b:c/json", "200 {}", "200 {}"},
    {"GetPlugins", "GET /plugins", "", "", "", "200 []"},
};
// clang-format on

INSTANTIATE_TEST_SUITE_P(Rows, EndpointTable, testing::ValuesIn(kGolden),
                         [](const auto& test) { return test.param.name; });

// ---- objects of others ----

class EndpointOfAStranger : public Endpoints, public testing::WithParamInterface<const char*> {};

TEST_P(EndpointOfAStranger, IsNotFoundAndNeverHeardOf) {
    std::vector<std::string> heard;
    harness.answer = [&](const std::string& request) {
        heard.push_back(essence(request));
        return looked_up(heard.back());
    };
    for (const std::string& reference :
         {std::string("stranger"), std::string(64, 'b'), std::string(12, 'b')}) {
        const auto line = replace_all(GetParam(), "@", reference);
        const auto space = line.find("  ");
        EXPECT_THAT(ask(line.substr(0, space), space == std::string::npos ? "" : line.substr(space + 2)),
                    testing::AnyOf(StartsWith("404"), StartsWith("400 {\"message\":\"No such container"),
                                   StartsWith("400 {\"message\":\"network ")))
            << line;
        for (const auto& request : heard) EXPECT_THAT(request, testing::Not(HasSubstr(reference)));
    }
}

INSTANTIATE_TEST_SUITE_P(
    Rows, EndpointOfAStranger,
    testing::Values(
        "GET /containers/@/json", "GET /containers/@/top", "GET /containers/@/logs",
        "GET /containers/@/changes", "GET /containers/@/stats", "GET /containers/@/export",
        "POST /containers/@/start", "POST /containers/@/stop", "POST /containers/@/restart",
        "POST /containers/@/kill", "POST /containers/@/pause", "POST /containers/@/unpause",
        "POST /containers/@/wait", "POST /containers/@/resize", "POST /containers/@/update  {}",
        "POST /containers/@/rename?name=xx", "POST /containers/@/attach",
        "POST /containers/@/exec  {\"Cmd\":[\"sh\"]}", "HEAD /containers/@/archive?path=/",
        "GET /containers/@/archive?path=/", "PUT /containers/@/archive?path=/", "DELETE /containers/@",
        "POST /commit?container=@", "GET /networks/@", "DELETE /networks/@",
        "POST /networks/@/connect  {\"Container\":\"db\"}",
        "POST /networks/app/connect  {\"Container\":\"@\"}",
        "POST /networks/@/disconnect  {\"Container\":\"db\"}",
        "POST /networks/app/disconnect  {\"Container\":\"@\"}",
        "POST /containers/create  {\"Image\":\"mine\",\"HostConfig\":{\"NetworkMode\":\"@\"}}",
        "POST /containers/create  {\"Image\":\"mine\",\"HostConfig\":{\"VolumesFrom\":[\"@\"]}}",
        "POST /containers/create  {\"Image\":\"mine\",\"NetworkingConfig\":{\"EndpointsConfig\":{\"@\":{}}}}",
        "POST /containers/create  "
        "{\"Image\":\"mine\",\"NetworkingConfig\":{\"EndpointsConfig\":{\"app\":{\"NetworkID\":\"@\"}}}}",
        "POST /build?networkmode=@", "POST /build?networkmode=container:@"));

TEST_F(Endpoints, ExecOfAStrangerIsNotFound) {
    harness.answer = [&](const std::string& request) {
        return request.find("/json") != std::string::npos
                   ? reply("200 {\"ContainerID\":\"" + std::string(64, 'b') + "\"}")
                   : reply("200 {}");
    };
    for (const std::string rest : {"POST /exec/{}/start", "POST /exec/{}/resize?h=1", "GET /exec/{}/json"}) {
        EXPECT_THAT(ask(replace_all(rest, "{}", std::string(64, '7')), rest.find("start") < 20 ? "{}" : ""),
                    StartsWith("404 {\"message\":\"No such exec instance"));
    }
}

// ---- what is not offered ----

class EndpointThatIsNotOffered : public Endpoints, public testing::WithParamInterface<const char*> {};

TEST_P(EndpointThatIsNotOffered, DoesNotExist) {
    const std::string line = GetParam();
    const auto told = ask(line, "");
    EXPECT_THAT(
        told,
        StartsWith("404 {\"message\":\"page not found: the agent's Docker broker does not offer " + line));
    // Who meant swarm or a plugin of the engine hears why.
    for (const char* subject : {"swarm", "services", "tasks", "nodes", "secrets", "configs", "plugins"}) {
        if (line.find(" /" + std::string(subject)) == std::string::npos) continue;
        EXPECT_THAT(told, HasSubstr("belong to all of the host; jobs have containers"));
    }
    EXPECT_TRUE(harness.requests.empty());
}

INSTANTIATE_TEST_SUITE_P(Rows, EndpointThatIsNotOffered,
                         testing::Values("GET /containers/db/checkpoints", "POST /containers/db/checkpoints",
                                         "DELETE /containers/db/checkpoints/x", "PUT /volumes/data",
                                         "POST /plugins/pull", "POST /plugins/x/enable",
                                         "GET /plugins/privileges", "POST /swarm/init", "POST /swarm/join",
                                         "GET /swarm/unlockkey", "POST /services/create", "GET /services/x",
                                         "GET /tasks/x", "GET /nodes/x", "POST /secrets/create",
                                         "POST /configs/create", "GET /debug/vars", "GET /debug/pprof/heap",
                                         "GET /libpod/info", "GET /images/mine/attestations", "TRACE /info",
                                         "OPTIONS /info", "POST /containers/db/copy", "GET /containers/ps"));

class SwarmEndpoint : public Endpoints, public testing::WithParamInterface<const char*> {};

TEST_P(SwarmEndpoint, AnswersAsAnEngineWithoutASwarm) {
    EXPECT_THAT(ask(GetParam(), ""), StartsWith("503 {\"message\":\"This node is not a swarm manager"));
    EXPECT_TRUE(harness.requests.empty());
}

INSTANTIATE_TEST_SUITE_P(Rows, SwarmEndpoint,
                         testing::Values("GET /swarm", "GET /services", "GET /nodes", "GET /tasks",
                                         "GET /secrets", "GET /configs"));

// Every route has a row above, or one of the tests named here.
TEST(EndpointTableItself, CoversEveryRoute) {
    const std::vector<std::string> elsewhere = {"/grpc",
                                                "/containers/{id}/attach/ws"};  // rewrite_test, below
    for (const auto& route : routes()) {
        if (route.method == "HEAD" || route.handler == no_swarm) continue;
        if (std::find(elsewhere.begin(), elsewhere.end(), route.pattern) != elsewhere.end()) continue;
        const bool covered = std::any_of(std::begin(kGolden), std::end(kGolden), [&](const Golden& row) {
            const auto words = split_words(row.asked);
            const auto target = parse_target(words.at(1));
            return target && match_route(words.at(0), target->segments).route == &route;
        });
        EXPECT_TRUE(covered) << route.method << " " << route.pattern;
    }
}

TEST_F(Endpoints, GetContainersIdAttachWsIsAWebSocketAndNothingElse) {
    auto client = harness.client();
    client.send(
        "GET /containers/db/attach/ws?stream=1&stdout=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
        "Upgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n");
    harness.settle();
    EXPECT_THAT(
        harness.last().received,
        testing::AllOf(StartsWith("GET /v1.41/containers/" + kContainer + "/attach/ws?stream=1&stdout=1 "),
                       HasSubstr("Sec-WebSocket-Key: k\r\n"), HasSubstr("Upgrade: websocket\r\n")));
    harness.last().send(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nframe");
    harness.settle();
    EXPECT_TRUE(client.received().ends_with("\r\n\r\nframe"));
    EXPECT_THAT(ask("GET /containers/db/attach/ws", ""), StartsWith("400 "));
}

}  // namespace
}  // namespace supervisor::broker
