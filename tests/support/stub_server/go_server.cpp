#include "go_server.hpp"

#include <openssl/evp.h>

#include <array>

namespace stub_server {
namespace {

namespace json = supervisor::json;

constexpr std::string_view kRemoting = "/go/remoting/api/agent/";
constexpr std::string_view kFiles = "/go/remoting/files/";
constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kStatusHeaders = {{
    {"Agent-Content-MD5", "agent.jar"},
    {"Agent-Launcher-Content-MD5", "agent-launcher.jar"},
    {"Agent-Plugins-Content-MD5", "agent-plugins.zip"},
    {"TFS-SDK-Content-MD5", "tfs-impl.jar"},
}};

std::string base64(std::string_view text) {
    std::string out(4 * ((text.size() + 2) / 3) + 1, '\0');
    const auto size =
        EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                        reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
    out.resize(static_cast<std::size_t>(size));
    return out;
}

Answer text_answer(int status, std::string body) {
    return Answer{
        .status = status, .headers = {{"Content-Type", "text/plain"}}, .body = std::move(body), .file = {}};
}

Answer json_answer(const json::value& value) {
    return Answer{.status = 200,
                  .headers = {{"Content-Type", "application/vnd.go.cd.v1+json"}},
                  .body = supervisor::to_text(value),
                  .file = {}};
}

std::string string_at(const json::object& object, std::string_view name) {
    const auto* value = object.if_contains(name);
    return value != nullptr && value->is_string() ? std::string(value->as_string().c_str()) : std::string();
}

json::object builder_for(const std::vector<std::string>& words, const std::string& directory) {
    const json::array arguments(words.begin() + 1, words.end());
    return {{"type", "CommandBuilderWithArgList"},
            {"exitCode", -1},
            {"conditions", json::array()},
            {"description", words.front()},
            {"command", words.front()},
            {"args", arguments},
            {"workingDir", {{"path", directory}}},
            {"errorString", ""},
            {"cancelBuilder", {{"type", "BuilderForKillAllChildTask"}}}};
}

json::object work_for(const Job& job, std::uint64_t number) {
    const std::string directory = "pipelines/stub";
    json::array builders;
    for (const auto& words : job.commands) {
        if (!words.empty()) builders.push_back(builder_for(words, directory));
    }
    json::array properties;
    for (const auto& [name, value] : job.environment) {
        properties.push_back(json::object{
            {"name", name}, {"value", value}, {"secure", false}, {"secretParams", json::array()}});
    }
    const json::object identifier = {
        {"pipelineName", "stub"}, {"pipelineCounter", number}, {"pipelineLabel", std::to_string(number)},
        {"stageName", "stage"},   {"buildName", "job"},        {"buildId", number},
        {"stageCounter", "1"}};
    return {{"type", "BuildWork"},
            {"consoleLogCharset", "UTF-8"},
            {"assignment", json::object{{"fetchMaterials", false},
                                        {"cleanWorkingDirectory", false},
                                        {"builders", builders},
                                        {"artifactPlans", json::array()},
                                        {"artifactStores", json::array()},
                                        {"buildWorkingDirectory", {{"path", directory}}},
                                        {"jobIdentifier", identifier},
                                        {"initialContext", {{"properties", properties}}},
                                        {"materialRevisions", {{"revisions", json::array()}}},
                                        {"approver", "stub"}}}};
}

}  // namespace

GoServer::GoServer(const Options& options, Record& record)
    : options_(options), record_(record), files_(options.files) {}

Answer GoServer::handle(const Request& request) {
    const std::string_view path = request.path;
    if (path == "/go/admin/latest-agent.status") return status();
    if (path == "/go/admin/agent" && request.method == "POST") return registration(request);
    if (path == "/go/admin/agent") return download("agent.jar");
    if (path == "/go/admin/agent/token") return token(request);
    for (const auto& [header, name] : kStatusHeaders) {
        if (path == "/go/admin/" + std::string(name)) return download(std::string(name));
    }
    if (path.starts_with(kRemoting)) return remoting(std::string(path.substr(kRemoting.size())), request);
    if (path.starts_with(kFiles)) return console(request);
    return text_answer(404, "nothing here\n");
}

bool GoServer::finished() const {
    const std::lock_guard lock(mutex_);
    return options_.exit_after_jobs > 0 && completed_ >= options_.exit_after_jobs &&
           Clock::now() - *last_completed_ > std::chrono::milliseconds(200);
}

std::pair<std::string, std::string> GoServer::extra_properties() const {
    return {"GoCD-Agent-Extra-Properties", base64(options_.extra_properties)};
}

Answer GoServer::status() {
    Answer answer;
    for (const auto& [header, name] : kStatusHeaders) {
        answer.headers.emplace_back(header, files_.get(std::string(name))->md5);
    }
    answer.headers.push_back(extra_properties());
    return answer;
}

Answer GoServer::download(const std::string& name) {
    Answer answer;
    answer.file = files_.get(name);
    answer.headers = {{"Content-Type", "application/octet-stream"}, {"Content-MD5", answer.file->md5}};
    answer.headers.push_back(extra_properties());
    return answer;
}

Answer GoServer::token(const Request& request) {
    const auto uuid = request.query.find("uuid");
    if (uuid == request.query.end() || uuid->second.empty()) return text_answer(409, "uuid is blank\n");
    return text_answer(200, base64("token of " + uuid->second));
}

Answer GoServer::registration(const Request& request) {
    auto form = parse_form(request.body);
    json::object seen;
    for (const auto& [name, value] : form) seen[name] = value;
    const bool accepted = options_.key.empty() || form["agentAutoRegisterKey"] == options_.key;
    record_.write(accepted ? "registered" : "refused", std::move(seen));
    if (form["token"] != base64("token of " + form["uuid"]))
        return text_answer(403, "not the token of this uuid\n");
    return accepted ? text_answer(200, "") : text_answer(422, "the auto-register key is not valid\n");
}

Answer GoServer::remoting(const std::string& action, const Request& request) {
    const auto parsed = supervisor::parse_json(request.body);
    if (!parsed || !parsed->is_object()) return text_answer(400, "no JSON object\n");
    const auto& call = parsed->as_object();
    const auto found = request.headers.find("x-agent-guid");
    const auto uuid = found == request.headers.end() ? std::string() : found->second;
    if (action != "ping" && action != "get_work" && action != "is_ignored") {
        record_.write(action, {{"uuid", uuid},
                               {"state", string_at(call, "jobState")},
                               {"result", string_at(call, "jobResult")}});
    }
    if (action == "ping") return json_answer(json::value(instruction(uuid)));
    if (action == "get_cookie") return text_answer(200, "cookie-of-" + uuid);
    if (action == "get_work") return work(uuid);
    if (action == "is_ignored") return text_answer(200, "false");
    if (action == "report_completed") completed(uuid, call);
    return text_answer(200, "");
}

Answer GoServer::work(const std::string& uuid) {
    const std::lock_guard lock(mutex_);
    if (handed_out_ >= options_.jobs.size() * options_.repeat)
        return json_answer(json::object{{"type", "NoWork"}});
    const auto& job = options_.jobs[handed_out_ % options_.jobs.size()];
    running_[uuid] = RunningJob{&job, Clock::now()};
    ++handed_out_;
    record_.write("work", {{"uuid", uuid}, {"job", handed_out_}});
    return json_answer(work_for(job, handed_out_));
}

std::string GoServer::instruction(const std::string& uuid) {
    const std::lock_guard lock(mutex_);
    const auto found = running_.find(uuid);
    if (found == running_.end()) return "NONE";
    const auto& [job, since] = found->second;
    const auto age = Clock::now() - since;
    if (job->kill_after.count() > 0 && age > job->kill_after) return "KILL_RUNNING_TASKS";
    return job->cancel_after.count() > 0 && age > job->cancel_after ? "CANCEL" : "NONE";
}

void GoServer::completed(const std::string& uuid, const json::object& call) {
    const std::lock_guard lock(mutex_);
    running_.erase(uuid);
    ++completed_;
    last_completed_ = Clock::now();
    record_.write("job_completed", {{"uuid", uuid}, {"result", string_at(call, "jobResult")}});
}

Answer GoServer::console(const Request& request) {
    record_.write(request.path.ends_with("console.log") ? "console" : "artifact",
                  {{"path", request.path.substr(kFiles.size())}, {"text", request.body}});
    return text_answer(request.method == "POST" ? 201 : 200, "");
}

}  // namespace stub_server
