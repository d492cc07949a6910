#include "broker/traffic/session.hpp"

#include "base/strings.hpp"
#include "broker/handlers/handlers.hpp"
#include "broker/handlers/routes.hpp"

namespace supervisor::broker {

using sys::Transfer;

namespace {
// For a head or a small body to arrive once it has begun: a client that dribbles holds a session no longer.
constexpr Milliseconds kPatience{30'000};
// For the engine to finish what a client began that left.
constexpr Milliseconds kPatienceAlone{3'600'000};
// How long a client may take to read an answer that came before its request was whole.
constexpr Milliseconds kLingerTime{2'000};
// A form would be parameters to the engine, so leaving it out would change what is asked for; before a tunnel
// nobody can tell where a body without a length ends, unless it is a session's: there Node's clients end a
// body that has nothing in it. Other bodies are a habit of some clients, which send their query twice.
bool means_something(const Exchange& exchange) {
    const auto& head = exchange.head;
    const auto type = head.headers.get("Content-Type");
    const auto is = [type](std::string_view kind) {
        return equals_ignoring_case(type.substr(0, kind.size()), kind);
    };
    return is("application/x-www-form-urlencoded") || is("multipart/") ||
           (head.body.kind == Framing::Chunked && !head.upgrade.empty() &&
            exchange.route->handler != open_buildkit);
}

bool is_early_tunnel(const Exchange& exchange) {
    return exchange.body_use == BodyUse::None && !exchange.head.upgrade.empty() &&
           exchange.head.body.kind == Framing::Chunked && !exchange.body.empty();
}

}  // namespace

std::shared_ptr<Session> Session::open(SessionOwner& owner, UniqueFd fd, Peer peer) {
    std::shared_ptr<Session> session(new Session(owner, std::move(peer)));
    auto client = Connection::open(owner.upstream().loop(), std::move(fd), session.get());
    if (!client) return nullptr;
    session->client_ = std::move(*client);
    return session;
}

Session::~Session() {
    if (client_) client_->close();
}

void Session::close() {
    if (state_ == State::Closed) return;
    const auto self = shared_from_this();
    state_ = State::Closed;
    timer_.cancel();
    if (exchange_) exchange_->cancel();
    if (exchange_ && exchange_->route != nullptr) owner_.finished(*exchange_, peer_);
    exchange_.reset();
    relay_.reset();
    if (tunnel_) owner_.tunnel_closed();
    // A tunnel ends from within its own callbacks: it goes in the next turn.
    owner_.upstream().loop().defer([tunnel = std::shared_ptr<Tunnel>(std::move(tunnel_))] {});
    client_->close();
    owner_.session_closed(*this);
}

// ---- events of the client's socket ----

void Session::on_readable(Connection&) {
    const auto self = shared_from_this();
    switch (state_) {
        case State::Head:
        case State::Body:
            if (read_more()) process();
            return;
        case State::Busy:
            return client_->want_read(false);
        case State::Relaying: {
            const auto relay = relay_;
            return relay->client_readable();
        }
        case State::Lingering: {
            auto& buffer = owner_.upstream().scratch();
            const auto got = client_->read(buffer.data(), buffer.size());
            if (got.outcome == Transfer::Ended || got.outcome == Transfer::Broken) close();
            return;
        }
        case State::Alone:
        case State::Tunnel:
        case State::Closed:
            return;
    }
}

void Session::on_drained(Connection&) {
    const auto self = shared_from_this();
    if (state_ != State::Relaying) return;
    const auto relay = relay_;
    relay->client_drained();
}

void Session::on_hangup(Connection&) {
    const auto self = shared_from_this();
    if (state_ != State::Relaying) return close();
    const auto relay = relay_;
    relay->client_left();
}

bool Session::read_more() {
    auto& buffer = owner_.upstream().scratch();
    const auto got = client_->read(buffer.data(), buffer.size());
    if (got.outcome == Transfer::WouldBlock) return false;
    if (got.outcome != Transfer::Moved) {
        close();
        return false;
    }
    input_.append(buffer.data(), got.bytes);
    return true;
}

// ---- reading a request ----

// Answers may be sent from within a handler, which makes the session ready for the next request: one loop
// here instead of a recursion.
void Session::process() {
    if (processing_) return;
    processing_ = true;
    for (;;) {
        const auto before = state_;
        const auto left = input_.size();
        if (state_ == State::Head && !input_.empty()) read_head();
        if (state_ == State::Body) read_body();
        if (state_ != State::Head || input_.empty() || (before == State::Head && input_.size() == left))
            break;
    }
    processing_ = false;
}

void Session::read_head() {
    const auto scan = scan_head(input_);
    if (scan.state == HeadScan::State::Malformed) {
        return refuse(input_.size() > kMaxHeadBytes ? 431 : 400, "malformed request head");
    }
    if (scan.state == HeadScan::State::Incomplete) {
        if (!timer_) timer_ = owner_.upstream().loop().after(kPatience, [this] { close(); });
        return;
    }
    timer_.cancel();
    if (scan.size == input_.size()) {
        const auto head = std::exchange(input_, {});
        begin_request(head);
    } else {
        const auto head = input_.substr(0, scan.size);
        input_.erase(0, scan.size);
        begin_request(head);
    }
}

void Session::begin_request(std::string_view bytes) {
    auto head = parse_request_head(bytes);
    if (!head) return refuse(400, head.error().message());
    state_ = State::Busy;
    exchange_ = std::make_shared<Exchange>(std::weak_ptr<ExchangeHost>(shared_from_this()), std::move(*head));
    exchange_->started = owner_.upstream().loop().clock().now();
    body_ = BodyReader(exchange_->head.body);
    const auto exchange = exchange_;
    if (!owner_.admit(*exchange) || state_ != State::Busy) return;
    if (exchange->head.expects_continue && !body_.done())
        (void)client_->write("HTTP/1.1 100 Continue\r\n\r\n");
    if (exchange->body_use == BodyUse::Stream || body_.done()) return owner_.handle(exchange);
    if (exchange->body_use == BodyUse::None && means_something(*exchange))
        return exchange->fail(400, "this request takes no body");
    state_ = State::Body;
    timer_ = owner_.upstream().loop().after(kPatience, [this] { close(); });
}

void Session::read_body() {
    std::string_view rest = input_;
    while (!rest.empty() && !body_.done()) {
        const auto piece = body_.next(rest);
        rest.remove_prefix(piece.consumed);
        exchange_->body.append(piece.payload);
        if (body_.malformed()) return refuse(400, "malformed request body");
        if (exchange_->body.size() > kMaxJsonBody) return refuse(413, "request body is larger than 4 MiB");
    }
    input_.erase(0, input_.size() - rest.size());
    if (!body_.done()) return;
    timer_.cancel();
    state_ = State::Busy;
    const auto exchange = exchange_;
    if (is_early_tunnel(*exchange)) return exchange->fail(400, "this request takes no body");
    if (exchange->body_use == BodyUse::None) exchange->body.clear();
    owner_.handle(exchange);
}

void Session::refuse(int status, std::string_view message) {
    if (!exchange_)
        exchange_ =
            std::make_shared<Exchange>(std::weak_ptr<ExchangeHost>(shared_from_this()), RequestHead{});
    exchange_->head.keep_alive = false;
    timer_.cancel();
    state_ = State::Busy;
    const auto exchange = exchange_;
    exchange->fail(status, message);
}

// ---- answers ----

void Session::send_reply(Reply reply) {
    if (state_ == State::Closed || !exchange_) return;
    const bool body_unread = !body_.done();
    const bool reusable = exchange_->head.keep_alive && !body_unread;
    std::string head;
    head.reserve(256);
    head.append("HTTP/1.1 ").append(std::to_string(reply.status)).append(" ");
    head.append(reason_phrase(reply.status)).append("\r\n").append(owner_.common_headers());
    for (const auto& field : reply.headers.fields())
        head.append(field.name).append(": ").append(field.value).append("\r\n");
    if (reply.status != 204 && reply.status != 304)
        head.append("Content-Length: ").append(std::to_string(reply.body.size())).append("\r\n");
    if (!reusable)
        head += "Connection: close\r\n";
    else if (exchange_->head.minor == 0)
        head += "Connection: keep-alive\r\n";
    head += "\r\n";
    const bool sent =
        client_->write(head, exchange_->head.method == "HEAD" ? std::string_view() : reply.body);
    if (!sent) return close();
    next_request(reusable);
}

void Session::start_relay(RelayPlan plan) {
    if (state_ != State::Busy) return;
    state_ = State::Relaying;
    relay_ = std::make_shared<Relay>(*this, std::move(plan));
    const auto relay = relay_;
    relay->start();
    if (state_ == State::Relaying && !body_.done()) client_->want_read(true);
}

void Session::relay_finished(int status, bool reusable) {
    exchange_->status = status;
    if (state_ == State::Alone) return close();
    body_ = BodyReader();
    const bool again = reusable && exchange_->head.keep_alive;
    next_request(again);
}

void Session::relay_failed(const Error& error) {
    if (state_ == State::Alone) return close();
    state_ = State::Busy;
    const auto exchange = exchange_;
    exchange->head.keep_alive = false;
    exchange->fail(502, "the Docker engine cannot be reached: " + error.message());
}

void Session::relay_hijacked(int status, std::shared_ptr<Connection> upstream, std::string early) {
    exchange_->status = status;
    state_ = State::Tunnel;
    const auto weak = weak_from_this();
    tunnel_ = std::make_unique<Tunnel>(client_, std::move(upstream), owner_.upstream().scratch(), [weak] {
        if (const auto self = weak.lock()) self->close();
    });
    owner_.tunnel_opened();
    owner_.finished(*exchange_, peer_);
    exchange_.reset();
    relay_.reset();
    const auto from_client = std::exchange(input_, {});
    tunnel_->start(from_client, early);
}

void Session::relay_alone() {
    state_ = State::Alone;
    client_->close();
    timer_ = owner_.upstream().loop().after(kPatienceAlone, [this] { close(); });
}

void Session::relay_broken() {
    close();
}

void Session::next_request(bool reusable) {
    const auto self = shared_from_this();
    if (exchange_ && exchange_->route != nullptr) owner_.finished(*exchange_, peer_);
    exchange_.reset();
    relay_.reset();
    if (!reusable) return linger();
    state_ = State::Head;
    client_->want_read(true);
    if (!input_.empty()) process();
}

// Closing a socket with unread input would make the kernel drop the answer; so let the client finish first.
void Session::linger() {
    state_ = State::Lingering;
    client_->shutdown_write();
    client_->want_read(true);
    timer_ = owner_.upstream().loop().after(kLingerTime, [this] { close(); });
}

void Session::set_peer_job(const JobIdentity& job) {
    peer_.job_known = true;
    peer_.job = job;
}

}  // namespace supervisor::broker
