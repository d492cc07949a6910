// One client connection: reads requests one after the other, has them handled, and sends what comes back.
#pragma once

#include <memory>
#include <string>

#include "broker/traffic/exchange.hpp"
#include "broker/traffic/tunnel.hpp"

namespace supervisor::broker {

// What a session needs of the broker.
class SessionOwner {
  public:
    virtual ~SessionOwner() = default;
    virtual Upstream& upstream() = 0;
    // Finds the route, checks version and query. False: it has answered (or refused) already.
    virtual bool admit(Exchange& exchange) = 0;
    virtual void handle(const ExchangePtr& exchange) = 0;
    virtual void finished(const Exchange& exchange, const Peer& peer) = 0;
    virtual void tunnel_opened() = 0;
    virtual void tunnel_closed() = 0;
    virtual void session_closed(class Session& session) = 0;
    // Headers that every answer of the engine carries.
    virtual std::string_view common_headers() = 0;
};

class Session : public Connection::Observer,
                public RelayHost,
                public ExchangeHost,
                public std::enable_shared_from_this<Session> {
  public:
    static std::shared_ptr<Session> open(SessionOwner& owner, UniqueFd fd, Peer peer);
    ~Session() override;
    void close();

    // Connection::Observer
    void on_readable(Connection& connection) override;
    void on_drained(Connection& connection) override;
    void on_hangup(Connection& connection) override;

    // ExchangeHost
    void send_reply(Reply reply) override;
    void start_relay(RelayPlan plan) override;
    Upstream& engine() override { return owner_.upstream(); }
    const Peer& peer() override { return peer_; }
    void set_peer_job(const JobIdentity& job) override;

    // RelayHost
    Connection& client() override { return *client_; }
    std::string& input() override { return input_; }
    Upstream& upstream() override { return owner_.upstream(); }
    void relay_finished(int status, bool reusable) override;
    void relay_failed(const Error& error) override;
    void relay_hijacked(int status, std::shared_ptr<Connection> upstream, std::string early) override;
    void relay_alone() override;
    void relay_broken() override;

  private:
    enum class State { Head, Body, Busy, Relaying, Alone, Tunnel, Lingering, Closed };
    Session(SessionOwner& owner, Peer peer) : owner_(owner), peer_(std::move(peer)) {}
    bool read_more();
    void process();
    void read_head();
    void begin_request(std::string_view head);
    void read_body();
    void refuse(int status, std::string_view message);
    void next_request(bool reusable);
    void linger();

    SessionOwner& owner_;
    Peer peer_;
    std::shared_ptr<Connection> client_;
    State state_ = State::Head;
    std::string input_;
    bool processing_ = false;
    ExchangePtr exchange_;
    BodyReader body_;
    std::shared_ptr<Relay> relay_;
    std::unique_ptr<Tunnel> tunnel_;
    loop::Timer timer_;
};

}  // namespace supervisor::broker
