// Streams one request to the engine and its answer back, both ways at once, with memory that does not grow:
// each side is read only as fast as the other takes it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "broker/traffic/upstream.hpp"

namespace supervisor::broker {

// Looks at a line of a streamed answer (without its newline); what it returns is sent instead, nothing when
// it returns no value.
using LineFilter = std::function<std::optional<std::string>(std::string_view line)>;
// Sees the answer's head before it is sent and may change its headers.
using HeadFilter = std::function<void(ResponseHead& head)>;

struct RelayPlan {
    UpstreamRequest request;    // method, path and headers; body when it is known already
    BodyFraming streamed_body;  // otherwise the client's body follows
    bool client_is_http10 = false;
    bool hijack = false;  // a tunnel may follow: 101, or the old form of 200
    std::string upgrade;  // the only protocol that a 101 may choose
    HeadFilter filter_head;
    LineFilter filter_line;
    // What the engine does goes on without the client, so the answer is read to its end even when the client
    // leaves or reads none of it.
    bool sees_the_end = false;
};

// What a relay needs of the session that runs it.
class RelayHost {
  public:
    virtual ~RelayHost() = default;
    virtual Connection& client() = 0;
    // Bytes that the client sent and nobody consumed yet.
    virtual std::string& input() = 0;
    virtual Upstream& upstream() = 0;
    // The answer was delivered. reusable: request and answer both ended cleanly.
    virtual void relay_finished(int status, bool reusable) = 0;
    // Nothing was sent to the client yet.
    virtual void relay_failed(const Error& error) = 0;
    // From here on the two connections are one tunnel; bytes that came early are in input() and `early`.
    virtual void relay_hijacked(int status, std::shared_ptr<Connection> upstream, std::string early) = 0;
    // The client is gone and the relay goes on without it.
    virtual void relay_alone() = 0;
    // The answer broke off in the middle: only closing tells the client.
    virtual void relay_broken() = 0;
};

class Relay : public Connection::Observer, public std::enable_shared_from_this<Relay> {
  public:
    Relay(RelayHost& host, RelayPlan plan);
    ~Relay() override;
    void start();

    // Forwarded by the session.
    void client_readable();
    void client_drained();
    void client_left() { (void)lose_client(); }

    // Upstream's events.
    void on_readable(Connection& connection) override;
    void on_drained(Connection& connection) override;
    void on_hangup(Connection& connection) override { on_readable(connection); }

  private:
    bool open(bool fresh);
    std::string request_head() const;
    bool send_up(std::string_view bytes);
    void read_client();
    void stop_sending() { sending_ = false; }

    bool take(std::string_view bytes);  // false: finished or failed
    bool take_head(std::string_view& bytes);
    bool begin_answer(ResponseHead head);
    bool is_tunnel(const ResponseHead& head) const;
    bool take_body(std::string_view bytes);
    bool pass_raw(std::string_view bytes);
    bool pass_decoded(std::string_view payload);
    std::string filter_lines(std::string_view payload);
    bool to_client(std::string_view bytes);
    bool finish_answer();
    void end_of_answer();
    bool lose_client();
    bool give_up();

    RelayHost& host_;
    RelayPlan plan_;
    std::shared_ptr<Connection> upstream_;
    bool reused_ = false;
    bool over_ = false;

    BodyReader request_body_;
    bool sending_ = false;
    bool alone_ = false;

    HeadReader head_;
    std::string pending_head_;  // written together with the first piece of the body
    bool head_done_ = false;
    bool upstream_keep_alive_ = false;
    bool client_keep_alive_ = true;
    bool raw_ = true;  // the body goes on as it came, framing included
    bool rechunk_ = false;
    int status_ = 0;
    BodyReader answer_body_;
    std::string line_;
};

}  // namespace supervisor::broker
