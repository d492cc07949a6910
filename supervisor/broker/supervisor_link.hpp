// The broker's end of the socket pair to PID 1.
#pragma once

#include <cstdint>
#include <functional>
#include <map>

#include "broker/peer_protocol.hpp"
#include "loop/event_loop.hpp"
#include "sys/resolve_path.hpp"

namespace supervisor::broker {

class SupervisorLink {
  public:
    using JobCallback = std::function<void(const JobIdentity&)>;
    struct Requests {
        std::function<void(const protocol::Message&)> job_ended;
        std::function<void(const protocol::Message&)> agent_ending;
        std::function<protocol::Counters()> counts;
        std::function<void()> gone;  // PID 1 closed its end
    };

    // fd -1: nobody to ask; every process then belongs to no job.
    SupervisorLink(loop::EventLoop& loop, int fd, Requests requests);

    // Calls back in a later turn, or at once when there is nobody to ask. Without an answer in time: no job.
    void ask_job(pid_t process, JobCallback callback);
    // The same for where a path leads. Without an answer: nowhere.
    void ask_path(const std::string& path, std::function<void(Result<sys::ResolvedPath>)> callback);
    void send(const protocol::Message& message);

  private:
    using Callback = std::function<void(const protocol::Message& answer)>;
    struct Question {
        Callback callback;
        loop::Timer patience;
    };
    void on_readable();
    void dispatch(const protocol::Message& message);
    void ask(const protocol::Message& question, Callback callback);
    void answer(const protocol::Message& message);

    loop::EventLoop& loop_;
    int fd_;
    Requests requests_;
    loop::Watch watch_;
    std::map<std::uint32_t, Question> questions_;
    std::uint32_t serial_ = 0;
};

}  // namespace supervisor::broker
