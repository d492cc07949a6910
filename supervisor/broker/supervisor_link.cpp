#include "broker/supervisor_link.hpp"

#include <cerrno>

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
    ask(message, [callback = std::move(callback)](const protocol::Message& answer) {
        callback(protocol::get_identity(answer));
    });
}

void SupervisorLink::ask_path(const std::string& path,
                              std::function<void(Result<sys::ResolvedPath>)> callback) {
    const auto nowhere = fail(Error(EACCES, path + ": Permission denied"));
    if (!watch_ || path.size() >= protocol::kPathBytes) return callback(nowhere);
    auto message = protocol::make(protocol::Kind::AskPath, ++serial_);
    protocol::put(message.path, path);
    ask(message, [nowhere, callback = std::move(callback)](const protocol::Message& answer) {
        const auto resolved = protocol::get(answer.path);
        if (resolved.empty()) return callback(nowhere);
        callback(sys::ResolvedPath{resolved, answer.pid == 1});
    });
}

void SupervisorLink::ask(const protocol::Message& question, Callback callback) {
    send(question);
    const auto serial = question.serial;
    questions_[serial] = {std::move(callback), loop_.after(kPatience, [this, serial] {
                              answer(protocol::make(protocol::Kind::Job, serial));
                          })};
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
        case protocol::Kind::Path:
            return answer(message);
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
        case protocol::Kind::AskPath:
        case protocol::Kind::Cleaned:
        case protocol::Kind::Counts:
        case protocol::Kind::Ready:
            return;
    }
}

void SupervisorLink::answer(const protocol::Message& message) {
    auto question = questions_.extract(message.serial);
    if (!question.empty()) question.mapped().callback(message);
}

}  // namespace supervisor::broker
