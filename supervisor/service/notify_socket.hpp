// The supervisor's end of sd_notify(3): a datagram socket that a service finds in NOTIFY_SOCKET.
#pragma once

#include <functional>
#include <string>

#include "loop/event_loop.hpp"
#include "sys/unix_socket.hpp"

namespace supervisor::service {

class NotifySocket {
  public:
    // One socket a service. `on_ready` is called for each READY=1; other messages are ignored.
    static Result<NotifySocket> open(loop::EventLoop& loop, const std::string& path,
                                     const sys::SocketAccess& access, std::function<void()> on_ready);

  private:
    UniqueFd fd_;
    loop::Watch watch_;
};

}  // namespace supervisor::service
