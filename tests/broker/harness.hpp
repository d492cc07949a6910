// A broker on a loop that the test turns, with a scripted engine on one side and raw clients on the other.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "broker/broker_core.hpp"
#include "sys/stream_socket.hpp"
#include "sys/unix_socket.hpp"

namespace supervisor::broker {

// One connection as the scripted engine sees it: everything that arrived, and a way to answer.
struct EngineConnection {
    UniqueFd fd;
    std::string received;
    bool ended = false;  // the broker sends nothing more
    void send(std::string_view text) const { (void)sys::send_some(fd.get(), text); }
    void close() { fd.reset(); }
};

// A client that writes bytes and reads bytes.
class RawClient {
  public:
    RawClient(std::string path, std::function<void()> turn) : turn_(std::move(turn)) {
        auto fd = sys::connect_unix(path);
        if (fd) fd_ = std::move(*fd);
    }
    void send(std::string_view text) {
        while (!text.empty() && fd_) {
            const auto sent = sys::send_some(fd_.get(), text);
            if (sent.outcome == sys::Transfer::Broken) break;
            text.remove_prefix(sent.bytes);
            turn_();
        }
    }
    void shutdown() { sys::shutdown_write(fd_.get()); }
    void close() { fd_.reset(); }
    bool ended() const { return ended_; }
    // What has come so far.
    const std::string& received() {
        char buffer[65536];
        for (;;) {
            const auto got = sys::read_some(fd_.get(), buffer, sizeof buffer);
            if (got.outcome == sys::Transfer::Ended || got.outcome == sys::Transfer::Broken) ended_ = true;
            if (got.outcome != sys::Transfer::Moved) return received_;
            received_.append(buffer, got.bytes);
        }
    }
    void forget() { received_.clear(); }

  private:
    std::function<void()> turn_;
    UniqueFd fd_;
    std::string received_;
    bool ended_ = false;
};

class Harness {
  public:
    // What the engine says when the broker starts: of its version, and of the agent's container.
    struct EngineSays {
        std::string version = R"({"ApiVersion":"1.41"})";
        std::string self = "[]";
    };

    explicit Harness(std::string_view policy = "isolated", const std::function<void(Config&)>& adjust = {})
        : Harness(policy, adjust, EngineSays()) {}
    Harness(std::string_view policy, const std::function<void(Config&)>& adjust, EngineSays says)
        : says_(std::move(says)) {
        log::configure({log::Level::Error, false});
        char pattern[] = "/tmp/broker-test-XXXXXX";
        directory_ = ::mkdtemp(pattern);
        engine_ = std::move(*sys::listen_unix(directory_ + "/engine", {::getuid(), ::getgid(), 0600}));
        listener_ = std::move(*sys::listen_unix(directory_ + "/broker", {::getuid(), ::getgid(), 0600}));
        loop_ = std::move(*loop::EventLoop::create(clock_));
        engine_watch_ =
            std::move(*loop_->watch(engine_.get(), EPOLLIN, [this](std::uint32_t) { accept_engine(); }));
        Config config;
        config.host_socket = directory_ + "/engine";
        config.listen_path = directory_ + "/broker";
        config.listener_fd = listener_.get();
        config.agent_id = "agent";
        config.incarnation = "1";
        config.own_container = std::string(64, 'f');
        config.mounts.emplace();
        if (adjust) adjust(config);
        broker_ = std::make_unique<Broker>(*loop_, std::move(config), *Policy::parse(policy));
        broker_->start();
        serving_start_ = true;
        for (int i = 0; i < 200 && !started(); ++i) turn();
        for (int i = 0; i < 20; ++i) turn();
        serving_start_ = false;
        forget_requests();
    }
    ~Harness() {
        broker_.reset();
        engine_watch_.reset();
        connections_.clear();
        std::filesystem::remove_all(directory_);
    }

    RawClient client() {
        return RawClient(directory_ + "/broker", [this] { turn(); });
    }
    // Lets everything that is ready happen.
    void settle() {
        for (int i = 0; i < 30; ++i) turn();
    }
    void turn() {
        (void)loop_->turn(Milliseconds(0));
        read_engine();
    }
    void advance(Milliseconds by) {
        clock_->advance(by);
        settle();
    }

    // Called for every whole request that reaches the engine; its result is sent back ("" answers nothing).
    std::function<std::string(const std::string& request)> answer;
    // If set, gets whatever arrives instead, and takes it out of `received` itself.
    std::function<void(EngineConnection&)> on_bytes;
    void forget_ended_connections() {
        std::erase_if(connections_, [](const auto& connection) { return connection->ended; });
        last_ = 0;
    }
    // Heads and bodies that reached the engine, in order.
    std::vector<std::string> requests;
    std::vector<std::unique_ptr<EngineConnection>>& connections() { return connections_; }
    // The connection on which the last request came.
    EngineConnection& last() { return *connections_.at(last_); }
    void forget_requests() { requests.clear(); }
    Broker& broker() { return *broker_; }
    const std::string& directory() const { return directory_; }

    // Everything that a client receives for one request.
    std::string ask(const std::string& line, const std::string& body = {}) {
        auto asking = client();
        asking.send(line + " HTTP/1.1\r\nHost: x\r\n" +
                    (body.empty() ? ""
                                  : "Content-Type: application/json\r\nContent-Length: " +
                                        std::to_string(body.size()) + "\r\n") +
                    "\r\n" + body);
        settle();
        return asking.received();
    }
    static std::string json_reply(std::string_view body, int status = 200) {
        return "HTTP/1.1 " + std::to_string(status) +
               " X\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
               "\r\n\r\n" + std::string(body);
    }

  private:
    bool started() const { return started_lists_ >= 4; }
    void accept_engine() {
        for (;;) {
            auto fd = sys::accept_unix(engine_.get());
            if (!fd || !*fd) return;
            connections_.push_back(std::make_unique<EngineConnection>());
            connections_.back()->fd = std::move(*fd);
        }
    }
    void read_engine() {
        for (std::size_t i = 0; i < connections_.size(); ++i) {
            auto& connection = *connections_[i];
            char buffer[65536];
            if (!connection.fd) continue;
            const auto got = sys::read_some(connection.fd.get(), buffer, sizeof buffer);
            if (got.outcome == sys::Transfer::Ended || got.outcome == sys::Transfer::Broken)
                connection.ended = true;
            if (got.outcome != sys::Transfer::Moved) continue;
            last_ = i;
            connection.received.append(buffer, got.bytes);
            if (on_bytes)
                on_bytes(connection);
            else
                dispatch(connection);
        }
    }
    // Whole requests with a length or without a body are handed to the script; streams stay in `received`.
    void dispatch(EngineConnection& connection) {
        const auto end = connection.received.find("\r\n\r\n");
        if (end == std::string::npos || connection.received.find("chunked\r\n") < end) return;
        const auto mark = connection.received.find("Content-Length: ");
        const auto length =
            mark < end ? static_cast<std::size_t>(std::atol(connection.received.c_str() + mark + 16)) : 0;
        if (connection.received.size() < end + 4 + length) return;
        const auto request = connection.received.substr(0, end + 4 + length);
        requests.push_back(request);
        const auto text = serving_start_ ? start_answer(request) : answer ? answer(request) : std::string();
        if (text.empty()) return;
        connection.received.erase(0, request.size());
        connection.send(text);
    }
    std::string start_answer(const std::string& request) {
        ++started_lists_;
        if (request.find("/volumes") != std::string::npos) return json_reply(R"({"Volumes":[]})");
        if (request.find("/version") != std::string::npos) return json_reply(says_.version);
        const bool about_self = request.find("/containers/" + std::string(64, 'f')) != std::string::npos;
        return json_reply(about_self ? says_.self : "[]");
    }

    EngineSays says_;
    std::string directory_;
    std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
    UniqueFd engine_;
    UniqueFd listener_;
    std::unique_ptr<loop::EventLoop> loop_;
    loop::Watch engine_watch_;
    std::vector<std::unique_ptr<EngineConnection>> connections_;
    std::unique_ptr<Broker> broker_;
    std::size_t last_ = 0;
    int started_lists_ = 0;
    bool serving_start_ = false;
};

}  // namespace supervisor::broker
