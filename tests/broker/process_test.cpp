// The broker as a process of its own, with PID 1's end of the conversation in the test: what survives kill
// -9, what the ends of jobs and agents lead to, and what clients and engines that misbehave cost.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <set>
#include <thread>

#include "base/log.hpp"
#include "broker/broker.hpp"
#include "broker/peer_protocol.hpp"
#include "sys/unix_socket.hpp"

namespace supervisor::broker {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

std::string with_length(std::string_view body, int status = 200) {
    return "HTTP/1.1 " + std::to_string(status) +
           " X\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\n\r\n" + std::string(body);
}

void send_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const auto sent = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
        if (sent <= 0) return;
        text.remove_prefix(static_cast<std::size_t>(sent));
    }
}

// Everything that comes until `enough` says so, the connection ends, or a generous time is over.
std::string receive(int fd, const std::function<bool(const std::string&)>& enough) {
    std::string text;
    char buffer[16384];
    pollfd wait{fd, POLLIN, 0};
    while (!enough(text) && ::poll(&wait, 1, 20'000) > 0) {
        const auto got = ::recv(fd, buffer, sizeof buffer, 0);
        if (got <= 0) break;
        text.append(buffer, static_cast<std::size_t>(got));
    }
    return text;
}

bool whole_head(const std::string& text) {
    return text.find("\r\n\r\n") != std::string::npos;
}

// An engine with one thread a connection. `script` answers a request, or returns "" to leave it unanswered.
class StandInEngine {
  public:
    StandInEngine(const std::string& path, std::function<std::string(const std::string&)> script)
        : script_(std::move(script)),
          listener_(std::move(*sys::listen_unix(path, {::getuid(), ::getgid(), 0600}))) {
        ::fcntl(listener_.get(), F_SETFL, 0);
        threads_.emplace_back([this] { accept(); });
    }
    ~StandInEngine() {
        ::shutdown(listener_.get(), SHUT_RDWR);
        threads_.front().join();
        for (const int fd : fds_) ::shutdown(fd, SHUT_RDWR);
        for (std::size_t i = 1; i < threads_.size(); ++i) threads_[i].join();
        for (const int fd : fds_) ::close(fd);
    }
    bool saw(std::string_view text) {
        const std::lock_guard guard(mutex_);
        return std::any_of(requests_.begin(), requests_.end(),
                           [text](const auto& request) { return request.find(text) != std::string::npos; });
    }

  private:
    void accept() {
        for (;;) {
            const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
            if (fd < 0) return;
            fds_.push_back(fd);
            threads_.emplace_back([this, fd] { serve(fd); });
        }
    }
    void serve(int fd) {
        std::string input;
        char buffer[16384];
        for (;;) {
            const auto got = ::recv(fd, buffer, sizeof buffer, 0);
            if (got <= 0) return;
            input.append(buffer, static_cast<std::size_t>(got));
            const auto end = input.find("\r\n\r\n");
            const auto mark = input.find("Content-Length: ");
            if (end == std::string::npos) continue;
            if (mark < end && input.size() < end + 4 + std::stoul(input.substr(mark + 16))) continue;
            const auto request = std::exchange(input, {});
            {
                const std::lock_guard guard(mutex_);
                requests_.push_back(request);
            }
            send_all(fd, script_(request));
        }
    }
    std::function<std::string(const std::string&)> script_;
    UniqueFd listener_;
    std::vector<std::thread> threads_;
    std::vector<int> fds_;
    std::mutex mutex_;
    std::vector<std::string> requests_;
};

std::string quiet_engine(const std::string& request) {
    if (request.find("/version ") != std::string::npos) return with_length(R"({"ApiVersion":"1.41"})");
    if (request.find("/volumes?") != std::string::npos) return with_length(R"({"Volumes":[]})");
    if (request.find("/_ping") != std::string::npos) return with_length("OK");
    if (request.starts_with("DELETE")) return "HTTP/1.1 204 No Content\r\n\r\n";
    return with_length("[]");
}

class BrokerProcess : public testing::Test {
  protected:
    BrokerProcess() {
        char pattern[] = "/tmp/broker-process-XXXXXX";
        directory_ = ::mkdtemp(pattern);
        listener_ = std::move(*sys::listen_unix(directory_ + "/broker", {::getuid(), ::getgid(), 0600}));
        ledger_ = UniqueFd(::memfd_create("ledger", MFD_CLOEXEC));
    }
    ~BrokerProcess() override {
        kill_broker();
        engine_.reset();
        std::filesystem::remove_all(directory_);
    }

    void engine(std::function<std::string(const std::string&)> script) {
        engine_ = std::make_unique<StandInEngine>(directory_ + "/engine", std::move(script));
    }
    void start() {
        auto pair = std::move(*sys::socket_pair(SOCK_SEQPACKET));
        link_ = std::move(pair.first);
        Config config;
        config.host_socket = directory_ + "/engine";
        config.listen_path = directory_ + "/broker";
        config.listener_fd = listener_.get();
        config.supervisor_fd = pair.second.get();
        config.ledger_fd = ledger_.get();
        config.agent_id = "agent";
        config.incarnation = "1";
        config.own_container = std::string(64, 'f');
        config.mounts.emplace();
        process_ = ::fork();
        if (process_ == 0) {
            ::close(link_.get());
            log::configure({log::Level::Error, false});
            ::_exit(run(config));
        }
        pair.second.reset();
        ASSERT_EQ(next_message().kind, protocol::Kind::Ready);
    }
    void kill_broker() {
        if (process_ <= 0) return;
        ::kill(process_, SIGKILL);
        ::waitpid(process_, nullptr, 0);
        process_ = 0;
    }

    // Answers the broker's questions as PID 1 does, until it says something else.
    protocol::Message next_message() {
        for (;;) {
            auto message = protocol::make(protocol::Kind::Counts, 0);
            pollfd wait{link_.get(), POLLIN, 0};
            if (::poll(&wait, 1, 20'000) <= 0 || ::recv(link_.get(), &message, sizeof message, 0) <= 0) {
                ADD_FAILURE() << "the broker says nothing";
                return protocol::make(protocol::Kind::Counts, 0);
            }
            if (message.kind != protocol::Kind::AskJob) return message;
            message.kind = protocol::Kind::Job;
            protocol::put_identity(message, {"p", "1", "s", "1", "j"});
            tell(message);
        }
    }
    void tell(const protocol::Message& message) { (void)::send(link_.get(), &message, sizeof message, 0); }
    void job_ended(const char* job, std::uint32_t serial) {
        auto message = protocol::make(protocol::Kind::JobEnded, serial);
        protocol::put_identity(message, {"p", "1", "s", "1", job});
        tell(message);
    }
    protocol::Message agent_ends(std::uint32_t budget) {
        auto message = protocol::make(protocol::Kind::AgentEnding, 99);
        message.deadline_ms = budget;
        tell(message);
        return next_message();
    }

    UniqueFd client() { return std::move(*sys::connect_unix(directory_ + "/broker")); }
    std::string request(const std::string& text) {
        const auto fd = client();
        send_all(fd.get(), text);
        return receive(fd.get(), whole_head);
    }
    std::string ping() { return request("GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n"); }
    std::size_t resident_kib() const {
        std::ifstream status("/proc/" + std::to_string(process_) + "/statm");
        std::size_t size = 0;
        std::size_t resident = 0;
        status >> size >> resident;
        return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) / 1024;
    }

    std::string directory_;
    UniqueFd listener_;
    UniqueFd ledger_;
    UniqueFd link_;
    std::unique_ptr<StandInEngine> engine_;
    pid_t process_ = 0;
};

TEST_F(BrokerProcess, KilledWhileClientsWaitIsReplacedWithoutTheirNotice) {
    engine(quiet_engine);
    start();
    EXPECT_THAT(ping(), StartsWith("HTTP/1.1 200"));
    kill_broker();
    // The socket is PID 1's: who comes meanwhile waits.
    const auto early = client();
    send_all(early.get(), "GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n");
    start();
    EXPECT_THAT(receive(early.get(), whole_head), StartsWith("HTTP/1.1 200"));
}

TEST_F(BrokerProcess, KilledWithRequestsInFlightTellsTheirClientsAndKeepsItsLedger) {
    engine([](const std::string& request) {
        if (request.find("/volumes/create") != std::string::npos)
            return with_length(R"({"Name":"unlabelled"})", 201);
        if (request.find("/attach") != std::string::npos)
            return std::string("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n");
        if (request.find("GET /v1.41/containers/json?all=1") != std::string::npos)
            return with_length(R"([{"Id":")" + std::string(64, 'a') +
                               R"(","Names":["/db"],"Labels":{"org.gocd.agent.id":"agent",)"
                               R"("org.gocd.agent.owner":"1 - -"}}])");
        // Waits, streams and uploads are never answered.
        const bool slow = request.find("/wait") != std::string::npos ||
                          request.find("/events") != std::string::npos ||
                          request.find("/images/load") != std::string::npos;
        return slow ? std::string() : quiet_engine(request);
    });
    start();
    EXPECT_THAT(request("POST /volumes/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                        "Content-Length: 15\r\n\r\n{\"Name\":\"data\"}"),
                StartsWith("HTTP/1.1 201"));
    std::vector<UniqueFd> clients;
    for (const std::string text :
         {"POST /containers/db/wait HTTP/1.1\r\nHost: x\r\n\r\n", "GET /events HTTP/1.1\r\nHost: x\r\n\r\n",
          "POST /images/load HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
          "POST /containers/db/attach?stream=1&stdin=1 HTTP/1.1\r\nHost: x\r\nConnection: "
          "Upgrade\r\nUpgrade: "
          "tcp\r\n\r\n"}) {
        clients.push_back(client());
        send_all(clients.back().get(), text);
    }
    EXPECT_THAT(receive(clients.back().get(), whole_head), StartsWith("HTTP/1.1 101"));
    for (const char* seen : {"/wait ", "/events ", "/images/load "}) {
        for (int i = 0; i < 2000 && !engine_->saw(seen); ++i) ::usleep(5000);
        EXPECT_TRUE(engine_->saw(seen)) << seen;
    }
    kill_broker();
    for (const auto& fd : clients) {
        pollfd wait{fd.get(), POLLIN, 0};
        ASSERT_EQ(::poll(&wait, 1, 20'000), 1);
        char byte = 0;
        EXPECT_LE(::recv(fd.get(), &byte, 1, 0), 0);
    }
    start();
    EXPECT_THAT(ping(), StartsWith("HTTP/1.1 200"));
    EXPECT_EQ(agent_ends(20'000).kind, protocol::Kind::Cleaned);
    EXPECT_TRUE(engine_->saw("DELETE /v1.41/volumes/unlabelled"));
}

// A volume without labels is in no list that could be asked for.
TEST_F(BrokerProcess, KilledBrokersVolumesAndTagsAreStillRemovedWhenTheAgentEnds) {
    engine([](const std::string& request) {
        if (request.find("/volumes/create") != std::string::npos)
            return with_length(R"({"Name":"unlabelled"})", 201);
        return quiet_engine(request);
    });
    start();
    EXPECT_THAT(request("POST /volumes/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                        "Content-Length: 15\r\n\r\n{\"Name\":\"data\"}"),
                StartsWith("HTTP/1.1 201"));
    kill_broker();
    (void)!::write(ledger_.get(), "[\"volume\",\"to", 13);  // it died in the middle of a line
    start();
    EXPECT_EQ(agent_ends(20'000).kind, protocol::Kind::Cleaned);
    EXPECT_TRUE(engine_->saw("DELETE /v1.41/volumes/unlabelled"));
}

TEST_F(BrokerProcess, CleansUpAfterEachOfTwoJobsThatEndTogether) {
    engine([](const std::string& request) {
        const auto object = [](const char* id, const char* job) {
            return R"({"Id":")" + std::string(id) +
                   R"(","Names":["/x"],"Labels":{"org.gocd.agent.id":"agent",)" +
                   R"("org.gocd.agent.owner":"1 - p/1/s/1/)" + job + "\"}}";
        };
        if (request.find("GET /v1.41/containers/json?all=1") != std::string::npos)
            return with_length("[" + object("one", "a") + "," + object("two", "b") + "," +
                               object("three", "c") + "]");
        return quiet_engine(request);
    });
    start();
    job_ended("a", 7);
    job_ended("b", 8);
    std::set<std::uint32_t> cleaned;
    for (int i = 0; i < 2; ++i) {
        const auto message = next_message();
        EXPECT_EQ(message.kind, protocol::Kind::Cleaned);
        cleaned.insert(message.serial);
    }
    EXPECT_THAT(cleaned, testing::ElementsAre(7U, 8U));
    EXPECT_TRUE(engine_->saw("DELETE /v1.41/containers/one"));
    EXPECT_TRUE(engine_->saw("DELETE /v1.41/containers/two"));
    EXPECT_FALSE(engine_->saw("DELETE /v1.41/containers/three"));
    (void)agent_ends(20'000);
    EXPECT_TRUE(engine_->saw("DELETE /v1.41/containers/three"));
}

TEST_F(BrokerProcess, KeepsItsStopBudgetBesideAnEngineThatNeverAnswers) {
    const auto wedged = std::make_shared<std::atomic<bool>>(false);
    engine([wedged](const std::string& request) { return *wedged ? std::string() : quiet_engine(request); });
    start();
    *wedged = true;
    const auto waiting = client();
    send_all(waiting.get(), "GET /v1.41/containers/json HTTP/1.1\r\nHost: x\r\n\r\n");
    // What needs no engine is answered, and PID 1's questions too.
    EXPECT_THAT(request("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"), StartsWith("HTTP/1.1 404"));
    tell(protocol::make(protocol::Kind::AskCounts, 5));
    EXPECT_EQ(next_message().kind, protocol::Kind::Counts);
    const auto message = agent_ends(200);
    EXPECT_EQ(message.kind, protocol::Kind::Cleaned);
    EXPECT_GT(message.counts.leftover, 0U);
}

TEST_F(BrokerProcess, HoldsNothingForClientsThatDribbleOrDoNotRead) {
    engine([](const std::string& request) {
        if (request.find("/images/get") == std::string::npos) return quiet_engine(request);
        return "HTTP/1.1 200 OK\r\nContent-Type: application/x-tar\r\nContent-Length: 268435456\r\n\r\n" +
               std::string(64 << 20, 'x');
    });
    start();
    (void)ping();
    const auto before = resident_kib();
    std::vector<UniqueFd> held;
    for (int i = 0; i < 1000; ++i) {
        held.push_back(client());
        send_all(held.back().get(),
                 i % 2 == 0 ? "GET /_ping HT"
                            : "POST /volumes/create HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{");
    }
    EXPECT_THAT(ping(), StartsWith("HTTP/1.1 200"));
    held.push_back(client());
    send_all(held.back().get(), "GET /v1.41/images/get?names=busybox HTTP/1.1\r\nHost: x\r\n\r\n");
    pollfd wait{held.back().get(), POLLIN, 0};
    EXPECT_EQ(::poll(&wait, 1, 20'000), 1);
    for (int i = 0; i < 20; ++i) EXPECT_THAT(ping(), StartsWith("HTTP/1.1 200"));
    EXPECT_LT(resident_kib(), before + 8 * 1024);
}

}  // namespace
}  // namespace supervisor::broker
