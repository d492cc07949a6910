#include "strict_engine.hpp"

#include <algorithm>
#include <map>
#include <regex>
#include <set>

#include "base/json.hpp"

namespace supervisor::broker {
namespace {

Reading objectionable(std::string why) {
    Reading reading;
    reading.state = Reading::State::Objectionable;
    reading.objection = std::move(why);
    return reading;
}

// Routes of the Engine API that jobs may use, each with the query keys that mean something and harm nobody.
// {id}: 64 hexadecimal digits. {net}, {vol}, {image}: the engine's names of these.
struct KnownRoute {
    std::regex line;
    std::set<std::string> keys;
    std::string body;  // "", "json", "tar"
};

std::set<std::string> words(const std::string& text) {
    std::set<std::string> out;
    static const std::regex kWord("\\S+");
    for (std::sregex_iterator it(text.begin(), text.end(), kWord), end; it != end; ++it)
        out.insert(it->str());
    return out;
}

std::string expanded(std::string pattern) {
    static const std::vector<std::pair<std::string, std::string>> kNames = {
        {"{id}", "[0-9a-f]{64}"},
        {"{net}", "([0-9a-f]{64}|bridge|host|none)"},
        {"{vol}", "(gocd-[0-9a-f]{10}-[A-Za-z0-9_.%-]+|[0-9a-f]{64})"},
        {"{image}", "[A-Za-z0-9_.~:@/%-]+"}};
    for (const auto& [mark, expression] : kNames) {
        if (const auto at = pattern.find(mark); at != std::string::npos)
            pattern.replace(at, mark.size(), expression);
    }
    return pattern;
}

const std::vector<KnownRoute>& known_routes() {
    struct Row {
        const char* line;
        const char* keys;
        const char* body;
    };
    static constexpr Row kRows[] = {
        {"(GET|HEAD) /_ping", "", ""},
        {"GET /version", "", ""},
        {"GET /info", "", ""},
        {"POST /auth", "", "json"},
        {"GET /events", "since until filters", ""},
        {"GET /system/df", "type verbose", ""},
        {"GET /containers/json", "all limit size filters", ""},
        {"POST /containers/create", "name platform", "json"},
        {"POST /(containers|images|volumes|networks)/prune", "filters", ""},
        {"GET /containers/{id}/json", "size", ""},
        {"GET /containers/{id}/top", "ps_args", ""},
        {"GET /containers/{id}/logs", "follow stdout stderr since until timestamps tail details", ""},
        {"GET /containers/{id}/(changes|export)", "", ""},
        {"GET /containers/{id}/stats", "stream one-shot", ""},
        {"POST /containers/{id}/start", "detachKeys", ""},
        {"POST /containers/{id}/(stop|restart)", "t signal", ""},
        {"POST /containers/{id}/kill", "signal", ""},
        {"POST /containers/{id}/(pause|unpause)", "", ""},
        {"POST /containers/{id}/wait", "condition", ""},
        {"POST /(containers|exec)/{id}/resize", "h w", ""},
        {"POST /containers/{id}/update", "", "json"},
        {"POST /containers/{id}/rename", "name", ""},
        {"POST /containers/{id}/attach", "detachKeys logs stream stdin stdout stderr", ""},
        {"GET /containers/{id}/attach/ws", "detachKeys logs stream stdin stdout stderr", ""},
        {"POST /containers/{id}/exec", "", "json"},
        {"(GET|HEAD) /containers/{id}/archive", "path", ""},
        {"PUT /containers/{id}/archive", "path noOverwriteDirNonDir copyUIDGID", "tar"},
        {"DELETE /containers/{id}", "v force", ""},
        {"POST /exec/{id}/start", "", "json"},
        {"GET /exec/{id}/json", "", ""},
        {"GET /images/json", "all digests filters shared-size manifests", ""},
        {"POST /images/create", "fromImage fromSrc repo tag message platform changes", "tar"},
        {"POST /images/load", "quiet platform", "tar"},
        {"GET /images/search", "term limit filters", ""},
        {"GET /images/get", "names platform", ""},
        {"GET /images/{image}/(get|json|history)", "manifests platform", ""},
        {"GET /distribution/{image}/json", "", ""},
        {"POST /images/{image}/push", "tag platform", ""},
        {"POST /images/{image}/tag", "repo tag", ""},
        {"DELETE /images/{image}", "force noprune platforms", ""},
        {"POST /commit", "container repo tag comment author pause changes", "json"},
        {"POST /build",
         "t dockerfile remote labels buildargs cachefrom networkmode memory memswap cpushares cpuperiod "
         "cpuquota "
         "cpusetcpus cpusetmems shmsize ulimits extrahosts target platform outputs session buildid version "
         "squash "
         "q nocache rm forcerm pull cgroupparent securityopt",
         "tar"},
        {"POST /build/cancel", "id", ""},
        {"GET /networks", "filters", ""},
        {"POST /networks/create", "", "json"},
        {"GET /networks/{net}", "verbose scope", ""},
        {"POST /networks/{net}/(connect|disconnect)", "", "json"},
        {"DELETE /networks/{net}", "", ""},
        {"GET /volumes", "filters", ""},
        {"POST /volumes/create", "", "json"},
        {"GET /volumes/{vol}", "", ""},
        {"DELETE /volumes/{vol}", "force", ""},
    };
    static const std::vector<KnownRoute> kRoutes = [] {
        std::vector<KnownRoute> out;
        for (const auto& row : kRows)
            out.push_back({std::regex(expanded(row.line), std::regex::optimize), words(row.keys), row.body});
        return out;
    }();
    return kRoutes;
}

// Header fields that a broker may pass on.
bool is_known_field(const std::string& name) {
    static const std::regex kKnown(
        "Host|Content-Type|Content-Length|Transfer-Encoding|Connection|Upgrade|Accept|Accept-Encoding|User-"
        "Agent|"
        "Traceparent|traceparent|(X-Meta|X-Docker|X-Registry|Sec-WebSocket)-[A-Za-z0-9-]+",
        std::regex::icase);
    return std::regex_match(name, kKnown);
}

bool read_chunks(std::string_view bytes, std::size_t& used, std::string& body, std::string& objection) {
    for (;;) {
        const auto end = bytes.find("\r\n", used);
        if (end == std::string_view::npos) return false;
        const auto digits = bytes.substr(used, end - used);
        if (digits.empty() || digits.size() > 8 ||
            digits.find_first_not_of("0123456789abcdefABCDEF") != std::string_view::npos) {
            objection = "chunk size \"" + std::string(digits) + "\"";
            return true;
        }
        const auto size = std::stoul(std::string(digits), nullptr, 16);
        if (bytes.size() < end + 2 + size + 2) return false;
        body.append(bytes.substr(end + 2, size));
        if (bytes.substr(end + 2 + size, 2) != "\r\n") objection = "chunk without an end";
        used = end + 2 + size + 2;
        if (size == 0 || !objection.empty()) return true;
    }
}

std::string check_query(const KnownRoute& route, const std::string& query) {
    static const std::regex kItem("([A-Za-z_-]+)=[A-Za-z0-9._~%-]*");
    static const std::set<std::string> kRepeatable = {"t", "extrahosts", "names", "changes", "type"};
    std::set<std::string> seen;
    std::size_t begin = 0;
    while (begin < query.size()) {
        const auto end = std::min(query.find('&', begin), query.size());
        const auto item = query.substr(begin, end - begin);
        std::smatch match;
        if (!std::regex_match(item, match, kItem)) return "query item " + item;
        if (!route.keys.contains(match[1])) return "query key " + match[1].str();
        if (!seen.insert(match[1]).second && !kRepeatable.contains(match[1]))
            return "repeated key " + match[1].str();
        begin = end + 1;
    }
    return {};
}

const json::value* at(const json::object& object, const char* key) {
    const auto* value = object.if_contains(key);
    return value == nullptr || value->is_null() ? nullptr : value;
}

bool is_set(const json::value& value) {
    if (value.is_bool()) return value.as_bool();
    if (value.is_array()) return !value.as_array().empty();
    if (value.is_object()) return !value.as_object().empty();
    if (value.is_string()) return !value.as_string().empty() && value.as_string() != "private";
    return true;
}

// No spelling of a dangerous field, at any depth, carries a value that opens something.
std::string find_escape(const json::value& value) {
    static const std::set<std::string> kClosed = {"privileged",        "devices",       "devicerequests",
                                                  "devicecgrouprules", "capabilities",  "annotations",
                                                  "maskedpaths",       "readonlypaths", "usernsmode",
                                                  "utsmode",           "pidmode",       "volumedriver"};
    if (value.is_array()) {
        for (const auto& element : value.as_array()) {
            if (auto found = find_escape(element); !found.empty()) return found;
        }
    }
    if (!value.is_object()) return {};
    for (const auto& member : value.as_object()) {
        std::string key(member.key().data(), member.key().size());
        if (key == "Labels" || key == "Env" || key == "Sysctls") continue;
        std::transform(key.begin(), key.end(), key.begin(), [](unsigned char c) { return std::tolower(c); });
        if (kClosed.contains(key) && is_set(member.value())) return "body sets " + key;
        if (auto found = find_escape(member.value()); !found.empty()) return found;
    }
    return {};
}

std::string check_json(const SeenRequest& request) {
    if (request.body.empty()) return {};
    const auto* type = request.field("Content-Type");
    if (type == nullptr || *type != "application/json") return "JSON of another type";
    const auto parsed = parse_json(request.body);
    if (!parsed || !parsed->is_object()) return "no JSON object";
    // Written by a writer and not by a client: nothing in it that two readers could read differently.
    if (to_text(*parsed) != request.body) return "JSON that is not canonical: " + request.body;
    if (request.path != "/auth") {
        if (auto found = find_escape(*parsed); !found.empty()) return found;
    }
    if (!request.path.ends_with("/create")) return {};
    const auto* labels = at(parsed->as_object(), "Labels");
    if (labels == nullptr || !labels->is_object() ||
        at(labels->as_object(), "org.gocd.agent.id") == nullptr ||
        *at(labels->as_object(), "org.gocd.agent.id") != json::value("agent"))
        return "an object without its owner's label";
    return {};
}

}  // namespace

const std::string* SeenRequest::field(std::string_view name) const {
    for (const auto& [key, value] : fields) {
        if (key == name) return &value;
    }
    return nullptr;
}

Reading read_strictly(std::string_view bytes) {
    Reading reading;
    const auto end = bytes.find("\r\n\r\n");
    if (end == std::string_view::npos) return reading;
    const std::string head(bytes.substr(0, end + 2));
    for (std::size_t i = 0; i < head.size(); ++i) {
        const auto c = static_cast<unsigned char>(head[i]);
        const bool line_end =
            (c == '\r' && head[i + 1] == '\n') || (c == '\n' && i > 0 && head[i - 1] == '\r');
        if (!line_end && (c < 0x20 || c == 0x7f) && c != '\t')
            return objectionable("control character in a head");
    }
    static const std::regex kLine(
        "([A-Z]+) /v1\\.[0-9]{2}(/[A-Za-z0-9._~:@/%-]*)(\\?([^ #?;]*))? HTTP/1\\.1");
    std::smatch match;
    const auto line = head.substr(0, head.find("\r\n"));
    if (!std::regex_match(line, match, kLine)) return objectionable("request line \"" + line + "\"");
    reading.request = {match[1], match[2], match[4], {}, {}};
    // By hand: a long value would take a regular expression's stack.
    for (auto begin = line.size() + 2; begin < head.size();) {
        const auto stop = head.find("\r\n", begin);
        const auto text = head.substr(begin, stop - begin);
        const auto colon = text.find(": ");
        if (colon == std::string::npos) return objectionable("header line \"" + text + "\"");
        const auto name = text.substr(0, colon);
        if (!is_known_field(name)) return objectionable("header " + name);
        reading.request.fields.emplace_back(name, text.substr(colon + 2));
        begin = stop + 2;
    }
    const auto* length = reading.request.field("Content-Length");
    const auto* coding = reading.request.field("Transfer-Encoding");
    if (length != nullptr && coding != nullptr) return objectionable("two framings");
    for (const char* name :
         {"Host", "Content-Length", "Transfer-Encoding", "Content-Type", "Upgrade", "Connection"}) {
        if (std::count_if(
                reading.request.fields.begin(), reading.request.fields.end(), [&](const auto& field) {
                    return std::equal(field.first.begin(), field.first.end(), name, name + std::strlen(name),
                                      [](char a, char b) { return std::tolower(a) == std::tolower(b); });
                }) > 1)
            return objectionable(std::string("more than one ") + name);
    }
    auto used = end + 4;
    if (coding != nullptr) {
        if (*coding != "chunked") return objectionable("coding " + *coding);
        if (!read_chunks(bytes, used, reading.request.body, reading.objection)) return reading;
        if (!reading.objection.empty()) return objectionable(reading.objection);
    } else if (length != nullptr) {
        if (length->find_first_not_of("0123456789") != std::string::npos)
            return objectionable("length " + *length);
        const auto size = std::stoul(*length);
        if (bytes.size() < used + size) return reading;
        reading.request.body = bytes.substr(used, size);
        used += size;
    }
    reading.state = Reading::State::Complete;
    reading.size = used;
    return reading;
}

std::string objection_to(const SeenRequest& request) {
    const auto* host = request.field("Host");
    if (host == nullptr || *host != "docker") return "Host is not ours";
    if (request.path.find("//") != std::string::npos || request.path.find("/..") != std::string::npos ||
        request.path.find("/./") != std::string::npos || request.path.find("%2F") != std::string::npos ||
        request.path.find("%2f") != std::string::npos)
        return "path is not canonical";
    const bool streams = request.path.ends_with("/attach") || request.path.ends_with("/attach/ws") ||
                         (request.path.starts_with("/exec/") && request.path.ends_with("/start"));
    if (!streams && (request.field("Upgrade") != nullptr || request.field("Connection") != nullptr))
        return "an upgrade where there is none";
    std::string last = "no such route";
    for (const auto& route : known_routes()) {
        if (!std::regex_match(request.method + " " + request.path, route.line)) continue;
        last = check_query(route, request.query);
        if (!last.empty()) continue;
        if (route.body.empty() && !request.body.empty()) return "a body where none belongs";
        if (route.body == "tar" && !request.body.empty()) {
            const auto* type = request.field("Content-Type");
            return type != nullptr && *type == "application/x-tar" ? "" : "a stream of another type";
        }
        return route.body == "json" ? check_json(request) : "";
    }
    return last;
}

}  // namespace supervisor::broker
