// One request and its answer, as the handlers of routes see them. An exchange outlives its session if a
// handler still holds it; then everything it is asked to send is dropped.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "broker/http/uri.hpp"
#include "broker/peer.hpp"
#include "broker/rules/denial.hpp"
#include "broker/traffic/relay.hpp"

namespace supervisor::broker {

struct Route;

// How the session deals with the client's body before the handler runs.
enum class BodyUse {
    None,    // the route takes no body: one that came all the same is read and goes no further
    Json,    // collected, at most kMaxJsonBody
    Stream,  // left for the relay
};
constexpr std::size_t kMaxJsonBody = 4 << 20;

class Exchange;
using ExchangePtr = std::shared_ptr<Exchange>;

// The session behind an exchange.
class ExchangeHost {
  public:
    virtual ~ExchangeHost() = default;
    virtual void send_reply(Reply reply) = 0;
    virtual void start_relay(RelayPlan plan) = 0;
    virtual Upstream& engine() = 0;
    virtual const Peer& peer() = 0;
    virtual void set_peer_job(const JobIdentity& job) = 0;
};

class Exchange : public std::enable_shared_from_this<Exchange> {
  public:
    Exchange(std::weak_ptr<ExchangeHost> host, RequestHead request_head)
        : head(std::move(request_head)), host_(std::move(host)) {}

    RequestHead head;
    const Route* route = nullptr;
    BodyUse body_use = BodyUse::None;
    std::string version;  // that goes upstream, "1.41"
    std::string name;     // the path's {id} or {name}
    Query query;          // only keys that the route allows
    std::string body;     // BodyUse::Json
    TimePoint started{};

    // For the audit log.
    std::string object;
    std::string rule;
    int status = 0;

    // "/v1.41" + path + the exchange's query + a parameter that is encoded already.
    std::string upstream_path(std::string_view path, std::string_view parameter = {}) const;
    // Client's headers that mean something to the engine.
    Headers passed_headers() const;

    void reply(Reply reply);
    void reply(int status, std::string json_text);
    void fail(int status, std::string_view message);
    void deny(const Denial& denial);
    // Asks the engine. The callback gets its answer, whatever the status; if the engine cannot be reached the
    // client is told so and the callback never runs. If the client goes away first, the call is cancelled.
    void call(UpstreamRequest request, std::function<void(Reply)> then);
    void relay(RelayPlan plan);
    // This request as a plan: same method, given path, passed headers, streamed body if the route streams.
    RelayPlan plan(std::string path) const;

    bool alive() const { return !host_.expired() && status == 0; }
    std::shared_ptr<ExchangeHost> host() const { return host_.lock(); }
    void cancel() { pending_.reset(); }

  private:
    std::weak_ptr<ExchangeHost> host_;
    std::shared_ptr<Call> pending_;
};

// {"message": "…"}
std::string error_body(std::string_view message);

}  // namespace supervisor::broker
