// The way to the real engine: a pool of kept connections, and whole requests with collected answers.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "broker/http/http_body.hpp"
#include "broker/http/http_message.hpp"
#include "broker/traffic/connection.hpp"

namespace supervisor::broker {

struct UpstreamRequest {
    std::string method;
    std::string path;  // with version and query, encoded
    Headers headers;   // beyond Host and the framing
    std::string body;  // sent as application/json when not empty, unless headers name another type
};
// The head and body as they go over the wire.
std::string serialise(const UpstreamRequest& request);

struct Reply {
    int status = 0;
    Headers headers;
    std::string body;
};
using ReplyCallback = std::function<void(Result<Reply>)>;

class Upstream;

// A request in flight. Dropping the last handle cancels it: the connection is closed, the callback never
// runs.
class Call : public Connection::Observer, public std::enable_shared_from_this<Call> {
  public:
    ~Call() override;
    void on_readable(Connection& connection) override;
    void on_drained(Connection&) override {}
    void on_hangup(Connection& connection) override { on_readable(connection); }

  private:
    friend class Upstream;
    Call(Upstream& upstream, UpstreamRequest request, ReplyCallback callback)
        : upstream_(upstream), request_(std::move(request)), callback_(std::move(callback)) {}
    void start(bool fresh);
    bool take(std::string_view bytes);  // false: finished, one way or the other
    bool take_head(std::string_view& bytes);
    void end_of_input();
    void finish(Result<Reply> result);

    Upstream& upstream_;
    UpstreamRequest request_;
    ReplyCallback callback_;
    std::shared_ptr<Connection> connection_;
    bool reused_ = false;
    bool head_done_ = false;
    bool keep_alive_ = false;
    HeadReader head_;
    BodyReader reader_;
    Reply reply_;
};

class Upstream {
  public:
    static constexpr std::size_t kMaxReplyBytes = 64 << 20;
    static constexpr std::size_t kMaxIdle = 64;

    // `socket_path` may go through /proc/self/fd/N when a descriptor was handed over.
    Upstream(loop::EventLoop& loop, std::string socket_path);
    ~Upstream();

    struct Acquired {
        std::shared_ptr<Connection> connection;
        bool reused;
    };
    // fresh: do not take a kept connection.
    Result<Acquired> acquire(Connection::Observer* observer, bool fresh = false);
    // Gives back a connection on which a complete exchange has ended.
    void release(std::shared_ptr<Connection> connection);

    [[nodiscard]] std::shared_ptr<Call> call(UpstreamRequest request, ReplyCallback callback);
    // 128 KiB shared by all that read in this thread; its content is gone after the next read.
    std::vector<char>& scratch() { return scratch_; }
    // Same, for putting together what is sent; keeps its capacity.
    std::string& assembly() { return assembly_; }
    loop::EventLoop& loop() { return loop_; }

  private:
    class Idle;
    loop::EventLoop& loop_;
    std::string socket_path_;
    std::vector<char> scratch_;
    std::string assembly_;
    std::vector<std::shared_ptr<Connection>> idle_;
    std::unique_ptr<Idle> idle_observer_;
    loop::Timer trim_;
    friend class Idle;
    void drop_idle(Connection& connection);
    void trim();
};

}  // namespace supervisor::broker
