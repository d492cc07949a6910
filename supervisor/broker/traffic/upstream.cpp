#include "broker/traffic/upstream.hpp"

#include <algorithm>
#include <cstdint>

#include "sys/unix_socket.hpp"

namespace supervisor::broker {

using sys::Transfer;

namespace {
// About what a unix socket takes at once by default: larger reads would only be queued.
constexpr std::size_t kScratchBytes = 128 * 1024;
constexpr Milliseconds kIdleTime{15'000};
constexpr std::uint64_t kMaxReserved = 256 * 1024;  // whatever length an answer claims
}  // namespace

std::string serialise(const UpstreamRequest& request) {
    std::string out;
    out.reserve(256 + request.path.size() + request.body.size());
    out.append(request.method).append(" ").append(request.path).append(" HTTP/1.1\r\nHost: docker\r\n");
    for (const auto& field : request.headers.fields())
        out.append(field.name).append(": ").append(field.value).append("\r\n");
    if (!request.body.empty() && !request.headers.has("Content-Type"))
        out += "Content-Type: application/json\r\n";
    if (!request.body.empty() || request.method == "POST" || request.method == "PUT") {
        out.append("Content-Length: ").append(std::to_string(request.body.size())).append("\r\n");
    }
    return out.append("\r\n").append(request.body);
}

Call::~Call() {
    if (connection_) connection_->close();
}

void Call::start(bool fresh) {
    auto acquired = upstream_.acquire(this, fresh);
    if (!acquired) {
        // Never from within call(): the caller has no handle yet.
        upstream_.loop().defer([weak = weak_from_this(), error = acquired.error()] {
            if (const auto self = weak.lock()) self->finish(fail(error));
        });
        return;
    }
    connection_ = acquired->connection;
    reused_ = acquired->reused;
    // A failed write shows as end of input.
    (void)connection_->write(serialise(request_));
}

void Call::on_readable(Connection& connection) {
    const auto self = shared_from_this();
    auto& buffer = upstream_.scratch();
    for (;;) {
        const auto got = connection.read(buffer.data(), buffer.size());
        if (got.outcome == Transfer::WouldBlock) return;
        if (got.outcome != Transfer::Moved) return end_of_input();
        reused_ = false;
        if (!take({buffer.data(), got.bytes})) return;
        if (got.bytes < buffer.size()) return;
    }
}

bool Call::take_head(std::string_view& bytes) {
    const auto state = head_.take(bytes);
    if (state == HeadScan::State::Incomplete) return true;
    auto head = state == HeadScan::State::Complete ? parse_response_head(head_.head(), request_.method)
                                                   : fail("malformed response head");
    head_.reset();
    if (!head) {
        finish(fail(head.error()));
        return false;
    }
    if (head->status < 200) return true;
    head_done_ = true;
    keep_alive_ = head->keep_alive;
    reader_ = BodyReader(head->body);
    if (head->body.kind == Framing::Length) reply_.body.reserve(std::min(head->body.length, kMaxReserved));
    reply_.status = head->status;
    reply_.headers = std::move(head->headers);
    return true;
}

bool Call::take(std::string_view bytes) {
    while (!head_done_) {
        if (!take_head(bytes)) return false;
        if (!head_done_ && bytes.empty()) return true;
    }
    while (!bytes.empty() && !reader_.done()) {
        const auto piece = reader_.next(bytes);
        bytes.remove_prefix(piece.consumed);
        reply_.body.append(piece.payload);
        if (reader_.malformed() || reply_.body.size() > Upstream::kMaxReplyBytes) {
            finish(fail("the engine's answer is malformed or too large"));
            return false;
        }
    }
    if (!reader_.done()) return true;
    if (keep_alive_ && bytes.empty()) upstream_.release(std::move(connection_));
    finish(std::move(reply_));
    return false;
}

void Call::end_of_input() {
    if (head_done_ && reader_.finish()) return finish(std::move(reply_));
    const bool safe_to_repeat = reused_ && request_.method == "GET";
    connection_->close();
    if (safe_to_repeat) return start(true);
    finish(fail("the engine closed the connection"));
}

void Call::finish(Result<Reply> result) {
    if (connection_) connection_->close();
    connection_.reset();
    if (auto callback = std::exchange(callback_, nullptr)) callback(std::move(result));
}

// What watches the kept connections: any event means that one is of no more use.
class Upstream::Idle : public Connection::Observer {
  public:
    explicit Idle(Upstream& upstream) : upstream_(upstream) {}
    void on_readable(Connection& connection) override { upstream_.drop_idle(connection); }
    void on_drained(Connection&) override {}
    void on_hangup(Connection& connection) override { upstream_.drop_idle(connection); }

  private:
    Upstream& upstream_;
};

Upstream::Upstream(loop::EventLoop& loop, std::string socket_path)
    : loop_(loop),
      socket_path_(std::move(socket_path)),
      scratch_(kScratchBytes),
      idle_observer_(std::make_unique<Idle>(*this)) {}

Upstream::~Upstream() {
    for (const auto& connection : idle_) connection->close();
}

Result<Upstream::Acquired> Upstream::acquire(Connection::Observer* observer, bool fresh) {
    if (!fresh && !idle_.empty()) {
        auto connection = std::move(idle_.back());
        idle_.pop_back();
        connection->set_observer(observer);
        return Acquired{std::move(connection), true};
    }
    SUPERVISOR_TRY_ASSIGN(fd, sys::connect_unix(socket_path_));
    SUPERVISOR_TRY_ASSIGN(connection, Connection::open(loop_, std::move(fd), observer));
    return Acquired{std::move(connection), false};
}

void Upstream::release(std::shared_ptr<Connection> connection) {
    if (connection->broken() || connection->blocked() || idle_.size() >= kMaxIdle) return connection->close();
    connection->set_observer(idle_observer_.get());
    connection->want_read(true);
    idle_.push_back(std::move(connection));
    if (!trim_) trim_ = loop_.after(kIdleTime, [this] { trim(); });
}

// An engine waits for open connections when it stops; so none is kept for long without use.
void Upstream::trim() {
    for (const auto& connection : idle_) connection->close();
    idle_.clear();
}

void Upstream::drop_idle(Connection& connection) {
    connection.close();
    std::erase_if(idle_, [&](const auto& kept) { return kept.get() == &connection; });
}

std::shared_ptr<Call> Upstream::call(UpstreamRequest request, ReplyCallback callback) {
    std::shared_ptr<Call> call(new Call(*this, std::move(request), std::move(callback)));
    call->start(false);
    return call;
}

}  // namespace supervisor::broker
