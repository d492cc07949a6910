// The broker's state and what its handlers share. One per process.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <unordered_map>

#include "base/line_writer.hpp"
#include "broker/config.hpp"
#include "broker/handlers/routes.hpp"
#include "broker/objects/ledger.hpp"
#include "broker/objects/names.hpp"
#include "broker/objects/sweeper.hpp"
#include "broker/rules/mount_table.hpp"
#include "broker/rules/policy.hpp"
#include "broker/rules/rules.hpp"
#include "broker/self.hpp"
#include "broker/supervisor_link.hpp"
#include "broker/traffic/session.hpp"

namespace supervisor::broker {

struct ApiVersion {
    int major = 1;
    int minor = 41;
    std::string text() const { return std::to_string(major) + "." + std::to_string(minor); }
    auto operator<=>(const ApiVersion&) const = default;
};
// "1.41", nothing else.
std::optional<ApiVersion> parse_api_version(std::string_view text);

// The newest version whose fields the tables cover.
inline constexpr ApiVersion kNewestApi{1, 52};
inline constexpr ApiVersion kOldestApi{1, 24};
// The first one in which a part of a volume can be mounted.
inline constexpr ApiVersion kSubpathApi{1, 45};

class Broker : public SessionOwner {
  public:
    Broker(loop::EventLoop& loop, Config config, Policy policy);

    // Learns from the engine what the configuration left open, reads the ledger, then accepts clients.
    void start();

    // ---- for handlers ----
    Ledger& ledger() { return ledger_; }
    const Policy& policy() const { return policy_; }
    const Names& names() const { return names_; }
    const Config& config() const { return config_; }
    const Owner& owner() const { return owner_; }
    // The filter of a list that the client did not narrow.
    const std::string& owner_only() const { return owner_only_; }
    const MountTable& mounts() const { return mounts_; }
    // No other agent can make a volume under this agent's prefix; anonymous ones of own containers have none.
    bool owns_volume(std::string_view engine_name) const {
        return engine_name.starts_with(names_.prefix()) || ledger_.owns_volume(engine_name);
    }
    ApiVersion api() const { return api_; }
    bool ending() const { return ending_; }

    RuleScope scope(const JobIdentity& job) const;
    // Which job asks; remembered per connection.
    void with_job(const ExchangePtr& exchange, std::function<void(const JobIdentity&)> then);
    // Paths of jobs that only the agent's user can follow are asked of PID 1 and then given to the rules.
    using KnownPaths = std::map<std::string, Result<sys::ResolvedPath>>;
    // For the rules that run next; null: none.
    void use_paths(const KnownPaths* known) { known_paths_ = known; }
    // The path that the rules could not follow since this was called last; empty: none.
    std::string unreachable_path() { return std::exchange(unreachable_path_, {}); }
    void ask_path(const std::string& path, std::function<void(Result<sys::ResolvedPath>)> then) {
        link_.ask_path(path, std::move(then));
    }
    // Reads own containers, networks and volumes anew, then continues.
    void refresh(std::function<void()> then);
    // Engine text (an answer or an error) with this agent's prefix removed.
    std::string shown(std::string_view text) const { return names_.shown(text); }
    // Asks the engine in the broker's own name. Without an answer: status 0.
    void ask(UpstreamRequest request, std::function<void(const Reply&)> then);
    std::string own_path(std::string_view path) const { return "/v" + api_.text() + std::string(path); }

    // ---- SessionOwner ----
    Upstream& upstream() override { return upstream_; }
    bool admit(Exchange& exchange) override;
    void handle(const ExchangePtr& exchange) override;
    void finished(const Exchange& exchange, const Peer& peer) override;
    void tunnel_opened() override { ++tunnels_; }
    void tunnel_closed() override { --tunnels_; }
    void session_closed(Session& session) override { sessions_.erase(&session); }
    std::string_view common_headers() override { return common_headers_; }

  private:
    SupervisorLink::Requests link_requests();
    Result<loop::Watch> listen_at(int fd);
    void accept_clients(int listener);
    void pause_accepting(Milliseconds pause);
    void accept_one(UniqueFd fd);
    void learn_version(const Reply& reply);
    void learn_self(std::vector<std::string> candidates);
    void learn_from_inspect(const json::object& self);
    void call_itself(std::string agent_id);
    MountTable mount_table(std::vector<Mount> mounts);
    void keep_shared_directory(std::vector<Mount>& mounts) const;
    Result<sys::ResolvedPath> resolve(const std::string& path);
    SweepScope own_scope(SweepScope::Kind kind) const;
    void start_listening();
    void sweep_orphans();
    void read_containers(const Reply& reply);
    void read_networks(const Reply& reply);
    void read_volumes(const Reply& reply);
    void finish_refresh();
    void run_sweep(SweepScope scope, Milliseconds budget, Sweep::Done done);
    void clean_up(const protocol::Message& message, SweepScope scope);
    protocol::Counters counters() const;
    void audit(const Exchange& exchange, const Peer& peer);

    loop::EventLoop& loop_;
    Config config_;
    Policy policy_;
    Names names_;
    Owner owner_;
    std::string owner_only_;
    MountTable mounts_;  // empty until they are known: then nothing can be bound
    const KnownPaths* known_paths_ = nullptr;
    std::string unreachable_path_;
    Ledger ledger_;
    ApiVersion api_;
    ApiVersion oldest_ = kOldestApi;  // that the engine still takes, if it says more than the tables
    Upstream upstream_;
    std::string common_headers_;
    std::unordered_map<Session*, std::shared_ptr<Session>> sessions_;
    std::unordered_map<std::uint64_t, std::shared_ptr<Call>> calls_;
    std::uint64_t next_call_ = 0;
    std::vector<std::function<void()>> waiting_for_refresh_;
    std::vector<std::function<void()>> refreshing_;
    std::unordered_map<std::uint64_t, std::shared_ptr<Sweep>> sweeps_;
    std::uint64_t next_sweep_ = 0;
    std::optional<LineWriter> audit_;
    loop::Watch listener_;
    loop::Watch shared_listener_;
    loop::Timer accept_pause_;
    loop::Timer retry_;
    bool ending_ = false;
    std::uint64_t requests_ = 0;
    std::uint64_t denied_ = 0;
    std::uint64_t engine_errors_ = 0;
    std::uint64_t tunnels_ = 0;
    std::uint64_t removed_ = 0;
    std::uint64_t leftover_ = 0;
    SupervisorLink link_;
};

}  // namespace supervisor::broker
