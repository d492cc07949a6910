#include "broker/supervisor_link.hpp"

#include "sys/stream_socket.hpp"

namespace supervisor::broker {

namespace {
// PID 1 answers within a turn of its loop; a job must not wait long if it is busy.
constexpr Milliseconds kPatience{1'000};
}  // namespace

SupervisorLink::SupervisorLink(loop::EventLoop& loop, int fd, Requests requests)
    : loop_(loop), fd_(fd), requests_(std::move(requests)) {
    if (fd_ < 0) return;
    auto watch = loop_.watch(fd_, EPOLLIN, [this](std::uint32_t) { on_readable(); });
    if (watch) watch_ = std::move(*watch);
}

void SupervisorLink::ask_job(pid_t process, JobCallback callback) {
    if (!watch_ || process <= 0) return callback({});
    auto message = protocol::make(protocol::Kind::AskJob, ++serial_);
    message.pid = process;
    send(message);
    const auto serial = serial_;
    questions_[serial] = {std::move(callback),
                          loop_.after(kPatience, [this, serial] { answer(serial, {}); })};
}

void SupervisorLink::send(const protocol::Message& message) {
    if (!watch_) return;
    // A full queue loses the message: questions have a time-out, and PID 1 has one for clean-ups.
    (void)sys::send_some(fd_, {reinterpret_cast<const char*>(&message), sizeof message});
}

void SupervisorLink::on_readable() {
    for (;;) {
        protocol::Message message;
        const auto got = sys::read_some(fd_, reinterpret_cast<char*>(&message), sizeof message);
        if (got.outcome == sys::Transfer::WouldBlock) return;
        if (got.outcome != sys::Transfer::Moved) {
            watch_.reset();
            if (requests_.gone) requests_.gone();
            return;
        }
        if (got.bytes == sizeof message) dispatch(message);
    }
}

void SupervisorLink::dispatch(const protocol::Message& message) {
    switch (message.kind) {
        case protocol::Kind::Job:
            return answer(message.serial, protocol::get_identity(message));
        case protocol::Kind::JobEnded:
            return requests_.job_ended(message);
        case protocol::Kind::AgentEnding:
            return requests_.agent_ending(message);
        case protocol::Kind::AskCounts: {
            auto reply = protocol::make(protocol::Kind::Counts, message.serial);
            reply.counts = requests_.counts();
            return send(reply);
        }
        case protocol::Kind::AskJob:
        case protocol::Kind::Cleaned:
        case protocol::Kind::Counts:
        case protocol::Kind::Ready:
            return;
    }
}

void SupervisorLink::answer(std::uint32_t serial, const JobIdentity& job) {
    auto question = questions_.extract(serial);
    if (!question.empty()) question.mapped().callback(job);
}

}  // namespace supervisor::broker
