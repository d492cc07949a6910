// One connected stream socket on the loop: bounded reading, writing that queues what the peer does not take
// yet. Backpressure is the owner's affair: stop reading the source while blocked(), resume in on_drained().
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/unique_fd.hpp"
#include "loop/event_loop.hpp"
#include "sys/stream_socket.hpp"

namespace supervisor::broker {

class Connection : public std::enable_shared_from_this<Connection> {
  public:
    class Observer {
      public:
        virtual ~Observer() = default;
        virtual void on_readable(Connection& connection) = 0;
        virtual void on_drained(Connection& connection) = 0;
        // Neither direction works any more; bytes that arrived before can still be read.
        virtual void on_hangup(Connection& connection) = 0;
    };

    static Result<std::shared_ptr<Connection>> open(loop::EventLoop& loop, UniqueFd fd, Observer* observer);

    void set_observer(Observer* observer) { observer_ = observer; }
    int fd() const { return fd_.get(); }

    sys::TransferResult read(char* buffer, std::size_t size);
    // False when the connection is broken. What is not taken now is kept and sent later.
    bool write(std::string_view bytes) { return write(bytes, {}); }
    bool write(std::string_view first, std::string_view second);
    bool blocked() const { return sent_ < outbox_.size(); }
    std::size_t queued() const { return outbox_.size() - sent_; }
    bool broken() const { return broken_; }

    void want_read(bool on);
    // After what is queued has been sent.
    void shutdown_write();
    void close();

  private:
    Connection(loop::EventLoop& loop, UniqueFd fd, Observer* observer)
        : loop_(loop), fd_(std::move(fd)), observer_(observer) {}
    void on_events(std::uint32_t events);
    void flush();
    void hang_up();
    void update_interest();
    std::uint32_t interest() const;

    loop::EventLoop& loop_;
    UniqueFd fd_;
    loop::Watch watch_;
    Observer* observer_;
    std::string outbox_;
    std::size_t sent_ = 0;
    std::uint32_t registered_ = 0;
    bool reading_ = true;
    bool ended_ = false;  // the peer sends nothing more
    bool broken_ = false;
    bool hung_up_ = false;
    bool shutdown_wanted_ = false;
};

}  // namespace supervisor::broker
