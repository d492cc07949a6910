// Two connections joined after a hijack. Each direction ends on its own (half-close); when the client is gone
// altogether, the engine's side is closed at once, because that is how the engine learns of it.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "broker/traffic/connection.hpp"

namespace supervisor::broker {

class Tunnel : public Connection::Observer {
  public:
    // Runs once, when both connections are closed; the tunnel must outlive that call.
    using Ended = std::function<void()>;
    Tunnel(std::shared_ptr<Connection> client, std::shared_ptr<Connection> engine, std::vector<char>& scratch,
           Ended ended);
    ~Tunnel() override;
    // Bytes that each side sent before the tunnel existed.
    void start(std::string_view from_client, std::string_view from_engine);

    void on_readable(Connection& source) override;
    void on_drained(Connection& sink) override;
    void on_hangup(Connection& connection) override;

  private:
    Connection& other(Connection& connection) { return &connection == client_.get() ? *engine_ : *client_; }
    void pump(Connection& source, int reads);
    void side_ended(Connection& source);
    void end();

    std::shared_ptr<Connection> client_;
    std::shared_ptr<Connection> engine_;
    std::vector<char>& scratch_;
    Ended ended_;
    bool client_ended_ = false;
    bool engine_ended_ = false;
};

}  // namespace supervisor::broker
