// PID 1's side of the broker: its process, the listening socket that outlives it, and the conversation of
// peer_protocol.hpp.
#pragma once

#include <cstdint>
#include <memory>
#include <set>

#include "broker/config.hpp"
#include "broker/peer_protocol.hpp"
#include "cli/docker_side.hpp"
#include "cli/shared_socket.hpp"
#include "service/service.hpp"
#include "sys/unix_socket.hpp"

namespace supervisor::cli {

struct BrokerPlace {
    std::string listen_path;    // what jobs connect to
    std::string engine_socket;  // what the broker connects to
    gid_t engine_group;         // the only group that the broker has
    sys::SocketAccess access;   // who may connect to listen_path
    broker::Mode mode;
    std::vector<std::string> directories;  // in Dind: what jobs may bind into containers
};

class BrokerService {
  public:
    BrokerService(DockerSideContext& context, BrokerPlace place)
        : context_(context), place_(std::move(place)) {}

    // Listens; from now on clients wait instead of failing.
    Result<> prepare();
    void start() { service_->start(); }
    // Has everything removed that this agent made, then ends the broker.
    void stop(Deadline deadline, std::function<void()> done);
    void job_finished();

    bool ready() const { return service_ && service_->state() == service::State::Ready; }
    // The policy lets clients build with BuildKit.
    bool offers_buildkit() const;
    void describe(StatusModel& model) const;
    // After the end: the socket file.
    void remove_socket();

  private:
    Result<broker::Config> make_config() const;
    Result<proc::ChildPlan> plan();
    service::Hooks hooks();
    void listen_to(UniqueFd end);
    void received(const broker::protocol::Message& message);
    void answer_job(const broker::protocol::Message& question);
    void answer_path(const broker::protocol::Message& question);
    proc::ChildPlan resolver_plan(const std::string& path) const;
    void send_path(std::uint32_t serial, std::string_view line);
    void send(const broker::protocol::Message& message);
    void changed(service::State state);
    void end_process();
    void ask_counts();

    DockerSideContext& context_;
    int paths_under_way_ = 0;
    BrokerPlace place_;
    std::string policy_text_;
    std::string incarnation_;
    UniqueFd listener_;
    std::optional<SharedSocket> shared_;
    UniqueFd ledger_;     // the broker's memory, which survives it
    UniqueFd link_;       // our end of the pair
    UniqueFd child_end_;  // the broker's end, until it was spawned
    UniqueFd config_;
    loop::Watch link_watch_;
    std::unique_ptr<service::Service> service_;
    std::set<std::string> seen_jobs_;  // locators that were asked about since the last job ended
    std::vector<broker::JobIdentity> jobs_;
    std::uint32_t serial_ = 0;
    Deadline stop_deadline_ = Deadline::never();
    loop::Timer stop_timer_;
    broker::protocol::Counters counts_{};
    loop::Timer ask_timer_;
    int unanswered_ = 0;  // questions in a row; a broker that answers none is wedged
    std::function<void()> stop_done_;
};

}  // namespace supervisor::cli
