#include "broker/traffic/tunnel.hpp"

namespace supervisor::broker {

using sys::Transfer;

Tunnel::Tunnel(std::shared_ptr<Connection> client, std::shared_ptr<Connection> engine,
               std::vector<char>& scratch, Ended ended)
    : client_(std::move(client)), engine_(std::move(engine)), scratch_(scratch), ended_(std::move(ended)) {}

Tunnel::~Tunnel() {
    client_->close();
    engine_->close();
}

void Tunnel::start(std::string_view from_client, std::string_view from_engine) {
    client_->set_observer(this);
    engine_->set_observer(this);
    if (!from_client.empty()) (void)engine_->write(from_client);
    if (!from_engine.empty()) (void)client_->write(from_engine);
    client_->want_read(true);
    engine_->want_read(true);
}

void Tunnel::on_readable(Connection& source) {
    pump(source, 4);
}

void Tunnel::pump(Connection& source, int reads) {
    auto& sink = other(source);
    while (reads-- > 0) {
        if (sink.blocked()) return source.want_read(false);
        const auto got = source.read(scratch_.data(), scratch_.size());
        if (got.outcome == Transfer::WouldBlock) return;
        if (got.outcome != Transfer::Moved) return side_ended(source);
        if (!sink.write({scratch_.data(), got.bytes})) {
            // An engine that takes no more input may still have output; a client that takes none is gone.
            if (&sink == client_.get()) return end();
            return;
        }
        if (got.bytes < scratch_.size()) return;
    }
}

void Tunnel::on_drained(Connection& sink) {
    if (engine_ended_ && client_ended_) return end();
    other(sink).want_read(true);
}

void Tunnel::side_ended(Connection& source) {
    auto& sink = other(source);
    (&source == client_.get() ? client_ended_ : engine_ended_) = true;
    sink.shutdown_write();
    if (client_ended_ && engine_ended_ && !client_->blocked() && !engine_->blocked()) end();
}

void Tunnel::on_hangup(Connection& connection) {
    // The client may have hung up because both directions were shut down in good order, or because it is
    // gone: either way what it had sent is delivered, and nothing more can reach it.
    if (&connection == client_.get()) {
        if (!client_ended_) pump(connection, 16);
        if (ended_) end();
        return;
    }
    if (!engine_ended_) pump(connection, 4);
}

void Tunnel::end() {
    client_->close();
    engine_->close();
    if (auto ended = std::exchange(ended_, nullptr)) ended();
}

}  // namespace supervisor::broker
