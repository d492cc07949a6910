#include "broker/traffic/exchange.hpp"

#include "base/json.hpp"
#include "broker/handlers/routes.hpp"

namespace supervisor::broker {
namespace {

bool passes(std::string_view name) {
    for (const std::string_view allowed :
         {"Accept", "Accept-Encoding", "User-Agent", "X-Registry-Auth", "X-Registry-Config", "Traceparent"}) {
        if (equals_ignoring_case(name, allowed)) return true;
    }
    for (const std::string_view prefix : {"X-Meta-", "X-Docker-", "Sec-WebSocket-"}) {
        if (equals_ignoring_case(name.substr(0, prefix.size()), prefix)) return true;
    }
    return false;
}

}  // namespace

std::string error_body(std::string_view message) {
    json::object body;
    body["message"] = json::string(message);
    return to_text(body) + "\n";
}

std::string Exchange::upstream_path(std::string_view path, std::string_view parameter) const {
    const auto parameters = query.text();
    std::string out;
    out.reserve(3 + version.size() + path.size() + parameters.size() + parameter.size());
    out.append("/v").append(version).append(path).append(parameters);
    if (!parameter.empty()) out.append(parameters.empty() ? "?" : "&").append(parameter);
    return out;
}

Headers Exchange::passed_headers() const {
    Headers out;
    out.reserve(head.headers.fields().size());
    for (const auto& field : head.headers.fields()) {
        if (passes(field.name)) out.add(field.name, field.value);
    }
    return out;
}

void Exchange::reply(Reply reply) {
    if (status != 0) return;
    status = reply.status;
    if (const auto host = host_.lock()) host->send_reply(std::move(reply));
}

void Exchange::reply(int code, std::string json_text) {
    Reply answer;
    answer.status = code;
    if (!json_text.empty()) answer.headers.add("Content-Type", "application/json");
    answer.body = std::move(json_text);
    reply(std::move(answer));
}

void Exchange::fail(int code, std::string_view message) {
    reply(code, error_body(message));
}

void Exchange::deny(const Denial& denial) {
    rule = denial.rule;
    fail(denial.status, denial.message);
}

void Exchange::call(UpstreamRequest request, std::function<void(Reply)> then) {
    const auto host = host_.lock();
    if (!host || status != 0) return;
    // The exchange holds the call, so the call must not hold the exchange; the session does.
    pending_ = host->engine().call(
        std::move(request), [weak = weak_from_this(), then = std::move(then)](Result<Reply> result) {
            const auto self = weak.lock();
            if (!self) return;
            if (result) {
                then(std::move(*result));
            } else {
                self->fail(502, "the Docker engine cannot be reached: " + result.error().message());
            }
        });
}

void Exchange::relay(RelayPlan plan) {
    if (const auto host = host_.lock(); host && status == 0) host->start_relay(std::move(plan));
}

RelayPlan Exchange::plan(std::string path) const {
    RelayPlan plan;
    plan.request = {head.method, std::move(path), passed_headers(), {}};
    plan.client_is_http10 = head.minor == 0;
    if (body_use == BodyUse::Stream) {
        plan.streamed_body = head.body;
        // A form body would add query parameters; the engine must take it for what the route expects.
        if (head.body.kind != Framing::None) plan.request.headers.set("Content-Type", "application/x-tar");
    }
    return plan;
}

}  // namespace supervisor::broker
