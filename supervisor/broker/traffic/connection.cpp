#include "broker/traffic/connection.hpp"

namespace supervisor::broker {

using sys::Transfer;

Result<std::shared_ptr<Connection>> Connection::open(loop::EventLoop& loop, UniqueFd fd, Observer* observer) {
    std::shared_ptr<Connection> connection(new Connection(loop, std::move(fd), observer));
    connection->update_interest();
    if (!connection->watch_) return fail("cannot watch the connection");
    return connection;
}

sys::TransferResult Connection::read(char* buffer, std::size_t size) {
    if (!fd_) return {Transfer::Broken};
    const auto result = sys::read_some(fd_.get(), buffer, size);
    if (result.outcome == Transfer::Ended || result.outcome == Transfer::Broken) {
        ended_ = true;  // a level-triggered end would wake the loop for ever
        update_interest();
    }
    return result;
}

bool Connection::write(std::string_view first, std::string_view second) {
    if (broken_ || !fd_) return false;
    if (!blocked()) {
        const auto result =
            second.empty() ? sys::send_some(fd_.get(), first) : sys::send_some(fd_.get(), first, second);
        if (result.outcome == Transfer::Broken) {
            broken_ = true;
            return false;
        }
        const auto from_first = std::min(result.bytes, first.size());
        first.remove_prefix(from_first);
        second.remove_prefix(std::min(result.bytes - from_first, second.size()));
        if (first.empty() && second.empty()) return true;
    }
    outbox_.append(first).append(second);
    update_interest();
    return true;
}

void Connection::flush() {
    while (blocked() && !broken_) {
        const auto result = sys::send_some(fd_.get(), std::string_view(outbox_).substr(sent_));
        if (result.outcome == Transfer::WouldBlock) return;
        if (result.outcome == Transfer::Broken) broken_ = true;
        sent_ += result.bytes;
    }
    std::string().swap(outbox_);
    sent_ = 0;
    if (shutdown_wanted_) sys::shutdown_write(fd_.get());
    update_interest();
    if (observer_ != nullptr) observer_->on_drained(*this);
}

void Connection::want_read(bool on) {
    if (reading_ == on) return;
    reading_ = on;
    update_interest();
}

void Connection::shutdown_write() {
    shutdown_wanted_ = true;
    if (!blocked() && fd_) sys::shutdown_write(fd_.get());
}

void Connection::close() {
    watch_.reset();
    fd_.reset();
    observer_ = nullptr;
    std::string().swap(outbox_);
    sent_ = 0;
    broken_ = true;
}

std::uint32_t Connection::interest() const {
    return (reading_ && !ended_ ? EPOLLIN | EPOLLRDHUP : 0U) | (blocked() && !broken_ ? EPOLLOUT : 0U);
}

void Connection::update_interest() {
    if (!fd_) return;
    const auto wanted = interest();
    if (watch_ && wanted == registered_) return;
    registered_ = wanted;
    if (watch_) {
        (void)watch_.modify(wanted);
        return;
    }
    // A hung-up descriptor reports that for ever, whatever is asked for: it is only watched while there is
    // something to read from it.
    if (hung_up_ && wanted == 0) return;
    auto watch = loop_.watch(fd_.get(), wanted, [this](std::uint32_t events) { on_events(events); });
    if (watch) watch_ = std::move(*watch);
}

void Connection::hang_up() {
    if (interest() == 0) watch_.reset();
    if (std::exchange(hung_up_, true)) return;
    if (observer_ != nullptr) observer_->on_hangup(*this);
}

void Connection::on_events(std::uint32_t events) {
    const auto self = shared_from_this();
    if ((events & EPOLLOUT) != 0 && blocked()) flush();
    if (!fd_) return;
    if ((events & (EPOLLIN | EPOLLRDHUP)) != 0 && observer_ != nullptr) observer_->on_readable(*this);
    if (!fd_) return;
    if ((events & (EPOLLHUP | EPOLLERR)) != 0) hang_up();
}

}  // namespace supervisor::broker
