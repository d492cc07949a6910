#include "broker/traffic/relay.hpp"

#include "base/strings.hpp"

namespace supervisor::broker {

using sys::Transfer;

namespace {

constexpr std::size_t kMaxLine = 4 << 20;
// For a client that does not read, where the engine's answer is read all the same.
constexpr std::size_t kMaxQueue = 4 << 20;

bool is_hop_header(std::string_view name) {
    for (const std::string_view hop :
         {"Connection", "Keep-Alive", "Transfer-Encoding", "Content-Length", "Upgrade", "Trailer"}) {
        if (equals_ignoring_case(name, hop)) return true;
    }
    return false;
}

std::string status_line(const ResponseHead& head) {
    std::string out;
    out.reserve(512);  // the whole head follows
    out.append("HTTP/1.1 ").append(std::to_string(head.status)).append(" ");
    return out.append(head.reason.empty() ? reason_phrase(head.status) : head.reason).append("\r\n");
}

void append_fields(std::string& out, const ResponseHead& head) {
    for (const auto& field : head.headers.fields()) {
        if (!is_hop_header(field.name))
            out.append(field.name).append(": ").append(field.value).append("\r\n");
    }
}

}  // namespace

Relay::Relay(RelayHost& host, RelayPlan plan)
    : host_(host), plan_(std::move(plan)), request_body_(plan_.streamed_body) {}

Relay::~Relay() {
    if (upstream_) upstream_->close();
}

void Relay::start() {
    if (!open(false)) return;
    sending_ = !request_body_.done();
    if (sending_) read_client();
}

bool Relay::open(bool fresh) {
    auto acquired = host_.upstream().acquire(this, fresh);
    if (!acquired) {
        over_ = true;
        host_.relay_failed(acquired.error());
        return false;
    }
    upstream_ = std::move(acquired->connection);
    reused_ = acquired->reused;
    (void)upstream_->write(request_head());
    return true;
}

std::string Relay::request_head() const {
    if (plan_.streamed_body.kind == Framing::None && plan_.upgrade.empty()) return serialise(plan_.request);
    auto request = plan_.request;
    std::string head = request.method + ' ' + request.path + " HTTP/1.1\r\nHost: docker\r\n";
    for (const auto& field : request.headers.fields())
        head.append(field.name).append(": ").append(field.value).append("\r\n");
    if (!plan_.upgrade.empty()) head += "Connection: Upgrade\r\nUpgrade: " + plan_.upgrade + "\r\n";
    if (plan_.streamed_body.kind == Framing::Chunked) {
        head += "Transfer-Encoding: chunked\r\n";
    } else {
        const auto length = request.body.empty() ? plan_.streamed_body.length : request.body.size();
        if (length > 0 && !request.headers.has("Content-Type")) head += "Content-Type: application/json\r\n";
        if (length > 0 || request.method != "GET")
            head += "Content-Length: " + std::to_string(length) + "\r\n";
    }
    return head + "\r\n" + request.body;
}

// ---- client to engine ----

bool Relay::send_up(std::string_view bytes) {
    auto& out = host_.upstream().assembly();
    out.clear();
    std::size_t payload_bytes = 0;
    const bool chunked = plan_.streamed_body.kind == Framing::Chunked;
    while (!bytes.empty() && !request_body_.done()) {
        const auto piece = request_body_.next(bytes);
        if (request_body_.malformed()) return give_up();
        bytes.remove_prefix(piece.consumed);
        payload_bytes += piece.payload.size();
        if (chunked) {
            out.append(piece.payload);
        } else if (!upstream_->write(piece.payload)) {
            stop_sending();
        }
    }
    host_.input().assign(bytes);
    if (chunked && payload_bytes > 0 && !upstream_->write(chunk_prefix(payload_bytes), out.append("\r\n")))
        stop_sending();
    if (request_body_.done()) {
        if (chunked && sending_) (void)upstream_->write("0\r\n\r\n");
        stop_sending();
    }
    return true;
}

void Relay::read_client() {
    if (!host_.input().empty()) {
        const auto early = std::exchange(host_.input(), {});
        if (!send_up(early)) return;
    }
    while (sending_) {
        if (upstream_->blocked()) return host_.client().want_read(false);
        auto& buffer = host_.upstream().scratch();
        const auto got = host_.client().read(buffer.data(), buffer.size());
        if (got.outcome == Transfer::WouldBlock) return;
        if (got.outcome != Transfer::Moved) {
            (void)lose_client();  // the body will never be whole
            return;
        }
        if (!send_up({buffer.data(), got.bytes}) || got.bytes < buffer.size()) return;
    }
}

void Relay::client_readable() {
    if (over_) return;
    // A pipelined request waits in the socket until this one is answered.
    if (!sending_) return host_.client().want_read(false);
    read_client();
}

void Relay::client_drained() {
    if (!over_ && upstream_) upstream_->want_read(true);
}

void Relay::on_drained(Connection&) {
    if (!over_ && sending_) host_.client().want_read(true);
}

// ---- engine to client ----

void Relay::on_readable(Connection& connection) {
    const auto self = shared_from_this();
    for (int reads = 0; reads < 4 && !over_; ++reads) {
        if (host_.client().blocked() && !plan_.sees_the_end) return connection.want_read(false);
        auto& buffer = host_.upstream().scratch();
        const auto got = connection.read(buffer.data(), buffer.size());
        if (got.outcome == Transfer::WouldBlock) return;
        if (got.outcome != Transfer::Moved) return end_of_answer();
        reused_ = false;
        if (!take({buffer.data(), got.bytes}) || got.bytes < buffer.size()) return;
    }
}

bool Relay::take(std::string_view bytes) {
    while (!head_done_) {
        if (!take_head(bytes)) return false;
        if (!head_done_ && bytes.empty()) return true;
    }
    return take_body(bytes);
}

bool Relay::take_head(std::string_view& bytes) {
    const auto state = head_.take(bytes);
    if (state == HeadScan::State::Incomplete) return true;
    auto head = state == HeadScan::State::Complete ? parse_response_head(head_.head(), plan_.request.method)
                                                   : fail("malformed response head");
    head_.reset();
    if (!head) {
        over_ = true;
        host_.relay_failed(head.error());
        return false;
    }
    if (head->status < 200 && head->status != 101) return true;
    head_done_ = true;
    if (!is_tunnel(*head)) return begin_answer(std::move(*head));
    over_ = true;
    if (plan_.filter_head) plan_.filter_head(*head);
    std::string out = status_line(*head);
    append_fields(out, *head);
    if (head->status == 101) out += "Connection: Upgrade\r\nUpgrade: " + plan_.upgrade + "\r\n";
    (void)host_.client().write(out.append("\r\n"));
    host_.relay_hijacked(head->status, std::move(upstream_), std::string(bytes));
    return false;
}

// Only what was asked for, on a route where it exists, and only once the engine has agreed.
bool Relay::is_tunnel(const ResponseHead& head) const {
    if (!plan_.hijack) return false;
    if (head.status == 101)
        return !plan_.upgrade.empty() && equals_ignoring_case(head.headers.get("Upgrade"), plan_.upgrade);
    const auto type = head.headers.get("Content-Type");
    const bool raw =
        type == "application/vnd.docker.raw-stream" || type == "application/vnd.docker.multiplexed-stream";
    return head.status == 200 && raw && head.body.kind == Framing::UntilEof;
}

bool Relay::begin_answer(ResponseHead head) {
    if (head.status == 101) {
        over_ = true;
        host_.relay_failed(Error("the engine switched protocols unasked"));
        return false;
    }
    if (plan_.filter_head) plan_.filter_head(head);
    status_ = head.status;
    upstream_keep_alive_ = head.keep_alive;
    answer_body_ = BodyReader(head.body);
    const bool has_body = head.body.kind != Framing::None;
    rechunk_ = has_body && plan_.filter_line && !plan_.client_is_http10;
    raw_ = !(plan_.filter_line || (plan_.client_is_http10 && head.body.kind == Framing::Chunked));
    client_keep_alive_ = head.body.kind != Framing::UntilEof || rechunk_;
    if (!raw_ && plan_.client_is_http10) client_keep_alive_ = false;

    pending_head_ = status_line(head);
    append_fields(pending_head_, head);
    const auto length = head.headers.get("Content-Length");
    if (rechunk_ || (raw_ && head.body.kind == Framing::Chunked)) {
        pending_head_ += "Transfer-Encoding: chunked\r\n";
    } else if (raw_ && !length.empty()) {
        pending_head_.append("Content-Length: ").append(length).append("\r\n");
    }
    if (!client_keep_alive_) pending_head_ += "Connection: close\r\n";
    pending_head_ += "\r\n";
    return true;
}

bool Relay::take_body(std::string_view bytes) {
    auto rest = bytes;
    while (!rest.empty() && !answer_body_.done()) {
        const auto piece = answer_body_.next(rest);
        rest.remove_prefix(piece.consumed);
        if (answer_body_.malformed()) return give_up();
        if (!raw_ && !pass_decoded(piece.payload)) return false;
    }
    if (!rest.empty()) upstream_keep_alive_ = false;  // more than one answer: never use it again
    // The head is due at once even when no body has come: clients of /wait block for it.
    if (!to_client(raw_ ? bytes.substr(0, bytes.size() - rest.size()) : std::string_view())) return false;
    return answer_body_.done() ? finish_answer() : true;
}

bool Relay::pass_decoded(std::string_view payload) {
    if (payload.empty()) return true;
    std::string filtered;
    if (plan_.filter_line) {
        filtered = filter_lines(payload);
        if (line_.size() > kMaxLine) return give_up();
        payload = filtered;
        if (payload.empty()) return true;
    }
    if (!rechunk_) return to_client(payload);
    return to_client(chunk_prefix(payload.size()) + std::string(payload) + "\r\n");
}

std::string Relay::filter_lines(std::string_view payload) {
    std::string out;
    while (!payload.empty()) {
        const auto newline = payload.find('\n');
        line_.append(payload.substr(0, newline));
        if (newline == std::string_view::npos) break;
        payload.remove_prefix(newline + 1);
        if (auto line = plan_.filter_line(line_)) out.append(*line).append("\n");
        line_.clear();
    }
    return out;
}

bool Relay::to_client(std::string_view bytes) {
    const auto head = std::exchange(pending_head_, {});
    if (alone_ || (head.empty() && bytes.empty())) return true;
    if (host_.client().queued() > kMaxQueue) return lose_client();
    const bool sent = head.empty() ? host_.client().write(bytes) : host_.client().write(head, bytes);
    return sent ? true : lose_client();
}

bool Relay::finish_answer() {
    over_ = true;
    std::string last;
    if (!line_.empty() && plan_.filter_line) {
        if (auto line = plan_.filter_line(line_)) last = *line + "\n";
    }
    if (!last.empty()) last = rechunk_ ? chunk_prefix(last.size()) + last + "\r\n" : last;
    if (rechunk_) last += "0\r\n\r\n";
    if (!last.empty() && !alone_) (void)host_.client().write(last);
    const bool request_whole = request_body_.done();
    if (upstream_keep_alive_ && request_whole) {
        host_.upstream().release(std::move(upstream_));
    } else {
        upstream_->close();
    }
    upstream_.reset();
    host_.relay_finished(status_, client_keep_alive_ && request_whole);
    return false;
}

void Relay::end_of_answer() {
    if (head_done_ && answer_body_.finish()) {
        upstream_keep_alive_ = false;
        (void)finish_answer();
        return;
    }
    const bool repeatable =
        reused_ && !head_done_ && (plan_.request.method == "GET" || plan_.request.method == "HEAD");
    if (repeatable && plan_.streamed_body.kind == Framing::None) {
        upstream_->close();
        (void)open(true);
        return;
    }
    if (head_done_) {
        (void)give_up();
        return;
    }
    over_ = true;
    host_.relay_failed(Error("the engine closed the connection without an answer"));
}

bool Relay::lose_client() {
    if (!plan_.sees_the_end || over_ || !upstream_) return give_up();
    if (std::exchange(alone_, true)) return true;
    stop_sending();
    upstream_->shutdown_write();
    upstream_->want_read(true);
    host_.relay_alone();
    return true;
}

bool Relay::give_up() {
    over_ = true;
    if (upstream_) upstream_->close();
    host_.relay_broken();
    return false;
}

}  // namespace supervisor::broker
