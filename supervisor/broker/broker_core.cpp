#include "broker/broker_core.hpp"

#include <cerrno>

#include "base/log.hpp"
#include "base/strings.hpp"
#include "sys/files.hpp"
#include "sys/unix_socket.hpp"

namespace supervisor::broker {

namespace {

constexpr Milliseconds kStartRetry{500};
constexpr Milliseconds kOrphanBudget{60'000};

// A list's filter for own objects, as it stands in a query.
std::string owner_parameter(const Owner& owner) {
    return "filters=" + percent_encode(owner_filter(owner));
}

std::string engine_socket_path(const Config& config) {
    if (config.host_socket_directory_fd < 0) return config.host_socket;
    return "/proc/self/fd/" + std::to_string(config.host_socket_directory_fd) + "/" + config.host_socket;
}

// The raw socket, wherever it is mounted, is nothing that a container may be given.
std::vector<std::string> protected_paths(const Config& config, const std::vector<Mount>& mounts) {
    auto paths = config.protected_paths;
    std::string socket;
    if (config.host_socket.starts_with('/')) {
        const auto real = sys::resolve_path(config.host_socket);
        socket = real ? real->path : config.host_socket;
        paths.insert(paths.end(), {config.host_socket, socket});
    }
    for (const auto& mount : mounts) {
        // A directory with the engine's socket has others beside it, of containerd for example.
        const bool sockets = mount.destination.ends_with(".sock") || mount.source.ends_with(".sock") ||
                             is_within(socket, mount.destination);
        if (sockets) paths.push_back(mount.destination);
    }
    return paths;
}

std::string not_offered(const std::string& method, const std::vector<std::string>& segments) {
    auto text = "page not found: the agent's Docker broker does not offer " + printable(method, 20) + " /" +
                printable(join(segments, "/"), 200);
    const auto& first = segments.front();
    for (const std::string_view of_the_host :
         {"swarm", "services", "nodes", "tasks", "secrets", "configs", "plugins"}) {
        if (first == of_the_host)
            text +=
                ": swarm and the engine's plugins belong to all of the host; jobs have containers, images, "
                "networks and volumes (docker run, docker compose)";
    }
    return text;
}

}  // namespace

std::optional<ApiVersion> parse_api_version(std::string_view text) {
    const auto parts = split(text, '.');
    if (parts.size() != 2) return {};
    const auto major = parse_unsigned(parts[0], 99);
    const auto minor = parse_unsigned(parts[1], 999);
    if (!major || !minor) return {};
    return ApiVersion{static_cast<int>(*major), static_cast<int>(*minor)};
}

Broker::Broker(loop::EventLoop& loop, Config config, Policy policy)
    : loop_(loop),
      config_(std::move(config)),
      policy_(std::move(policy)),
      names_(config_.agent_id),
      owner_{config_.agent_id, config_.incarnation, config_.own_container},
      owner_only_(owner_parameter(owner_)),
      api_(kNewestApi),
      upstream_(loop, engine_socket_path(config_)),
      link_(loop, config_.supervisor_fd, link_requests()) {
    if (config_.ledger_fd >= 0) ledger_.keep_in(config_.ledger_fd);
    if (config_.audit_fd >= 0) audit_.emplace(config_.audit_fd);
    common_headers_ = "Api-Version: " + api_.text() + "\r\nServer: gocd-supervisor\r\n";
    mounts_ = mount_table(config_.mounts.value_or(std::vector<Mount>()));
}

// A container that can write to the directory of the shared socket could put a link to the host's own in its
// place, which the engine would follow: containers get that directory read-only, wherever they get it.
void Broker::keep_shared_directory(std::vector<Mount>& mounts) const {
    const auto directory = config_.shared_path.substr(0, config_.shared_path.rfind('/'));
    if (directory.empty()) return;
    const auto source = MountTable(mounts, {}, {}).own_path(directory);
    if (source) mounts.push_back({directory, *source, false});
}

MountTable Broker::mount_table(std::vector<Mount> mounts) {
    auto kept = protected_paths(config_, mounts);
    keep_shared_directory(mounts);
    return {std::move(mounts), std::move(kept), [this](const std::string& path) { return resolve(path); }};
}

Result<sys::ResolvedPath> Broker::resolve(const std::string& path) {
    if (known_paths_ != nullptr) {
        if (const auto known = known_paths_->find(path); known != known_paths_->end()) return known->second;
    }
    auto resolved = sys::resolve_path(path);
    if (!resolved && resolved.error().code() == EACCES) unreachable_path_ = path;
    return resolved;
}

// ---- start ----

void Broker::start() {
    ask({"GET", "/version", {}, {}}, [this](const Reply& reply) {
        if (reply.status != 200) {
            if (engine_errors_ == 1)
                log::warn("broker", "the Docker engine does not answer yet at " + config_.host_socket +
                                        "; waiting for it");
            retry_ = loop_.after(kStartRetry, [this] { start(); });
            return;
        }
        learn_version(reply);
        if (config_.mode == Mode::Dind || (config_.mounts && !owner_.container.empty()))
            return refresh([this] { start_listening(); });
        std::vector<std::string> candidates;
        if (!owner_.container.empty()) {
            candidates.push_back(owner_.container);
        } else {
            candidates = own_container_candidates(
                sys::read_file_or("/proc/self/cgroup"), sys::read_file_or("/proc/self/mountinfo"),
                std::string(trim(sys::read_file_or("/proc/sys/kernel/hostname"))));
        }
        learn_self(std::move(candidates));
    });
}

void Broker::learn_version(const Reply& reply) {
    const auto parsed = parse_json(reply.body);
    if (parsed && parsed->is_object()) {
        if (const auto version = parse_api_version(text_of(parsed->as_object(), "ApiVersion")))
            api_ = std::min(*version, kNewestApi);
        // Otherwise a client that is too old hears of missing objects before it hears why.
        if (const auto version = parse_api_version(text_of(parsed->as_object(), "MinAPIVersion")))
            oldest_ = std::max(*version, kOldestApi);
    }
    if (oldest_ > api_)
        log::error("broker", "the Docker engine takes no API version below " + oldest_.text() +
                                 ", and this broker knows none above " + api_.text() +
                                 ": use a newer image of the agent, or start the engine with "
                                 "DOCKER_MIN_API_VERSION=" +
                                 api_.text());
    common_headers_ = "Api-Version: " + api_.text() + "\r\nServer: gocd-supervisor\r\n";
}

// Tries one candidate after the other until the engine knows one.
void Broker::learn_self(std::vector<std::string> candidates) {
    if (candidates.empty()) {
        log::warn("broker", std::string("the agent does not seem to be a container of this engine: ") +
                                (config_.mounts ? "" : "no path can be bound, and ") +
                                "what a killed agent leaves behind is removed only when an agent of the same "
                                "id starts again");
        return refresh([this] { start_listening(); });
    }
    const auto candidate = candidates.front();
    candidates.erase(candidates.begin());
    ask({"GET", own_path("/containers/" + candidate + "/json"), {}, {}},
        [this, candidates](const Reply& reply) {
            const auto parsed = parse_json(reply.body);
            if (reply.status != 200 || !parsed || !parsed->is_object()) return learn_self(candidates);
            learn_from_inspect(parsed->as_object());
            refresh([this] { start_listening(); });
        });
}

void Broker::call_itself(std::string agent_id) {
    names_ = Names(agent_id);
    owner_.agent_id = std::move(agent_id);
    owner_only_ = owner_parameter(owner_);
}

void Broker::learn_from_inspect(const json::object& self) {
    owner_.container = text_of(self, "Id");
    // Host names are shared by the replicas of a service and by all who use the host's network.
    if (config_.agent_id_is_guess) call_itself(owner_.container.substr(0, 12));
    if (!config_.mounts) {
        mounts_ = mount_table(mounts_from_inspect(self));
    }
    const auto* host = self.if_contains("HostConfig");
    if (config_.cgroup_parent.empty() && host != nullptr && host->is_object()) {
        config_.cgroup_parent = text_of(host->as_object(), "CgroupParent");
    }
    if (config_.limits.pids == 0 && host != nullptr && host->is_object()) {
        const auto* pids = host->as_object().if_contains("PidsLimit");
        if (pids != nullptr && pids->is_int64() && pids->as_int64() > 0)
            config_.limits.pids = static_cast<std::uint64_t>(pids->as_int64());
    }
    log::info("broker", "the agent is container " + owner_.container.substr(0, 12) + " with " +
                            std::to_string(mounts_.mounts().size()) + " mounts");
}

void Broker::start_listening() {
    auto watch = listen_at(config_.listener_fd);
    if (!watch) {
        log::error("broker", watch.error().context("listen for clients").message());
        return loop_.quit();
    }
    listener_ = std::move(*watch);
    if (config_.shared_listener_fd >= 0) {
        if (auto shared = listen_at(config_.shared_listener_fd)) shared_listener_ = std::move(*shared);
    }
    log::info("broker", "serving Docker API " + api_.text() + ", policy " + policy_.name() + ", names " +
                            names_.prefix() + "*");
    link_.send(protocol::make(protocol::Kind::Ready, 0));
    sweep_orphans();
}

SweepScope Broker::own_scope(SweepScope::Kind kind) const {
    SweepScope scope;
    scope.kind = kind;
    scope.agent_id = owner_.agent_id;
    scope.incarnation = owner_.incarnation;
    scope.container = owner_.container;
    return scope;
}

// What earlier incarnations of this agent, and agents whose containers are gone, have left on the engine.
void Broker::sweep_orphans() {
    run_sweep(own_scope(SweepScope::Kind::Orphans), kOrphanBudget, [](const SweepReport& report) {
        if (report.removed() > 0)
            log::info("broker", "removed what agents left behind that are gone: " + summary(report));
    });
}

// Several may run at a time: the end of one job does not cancel the clean-up after another.
void Broker::run_sweep(SweepScope scope, Milliseconds budget, Sweep::Done done) {
    const auto key = next_sweep_++;
    sweeps_[key] = Sweep::start(upstream_, "/v" + api_.text(), std::move(scope), budget,
                                [this, key, done = std::move(done)](const SweepReport& report) {
                                    const auto kept = sweeps_.extract(key);
                                    removed_ += report.removed();
                                    for (const auto& problem : report.problems)
                                        log::warn("broker", "clean-up: " + shown(problem));
                                    done(report);
                                });
}

Result<loop::Watch> Broker::listen_at(int fd) {
    return loop_.watch(fd, EPOLLIN, [this, fd](std::uint32_t) { accept_clients(fd); });
}

void Broker::pause_accepting(Milliseconds pause) {
    const auto listen = [this](std::uint32_t events) {
        (void)listener_.modify(events);
        if (shared_listener_) (void)shared_listener_.modify(events);
    };
    listen(0);
    accept_pause_ = loop_.after(pause, [listen] { listen(EPOLLIN); });
}

void Broker::accept_clients(int listener) {
    for (int accepted = 0; accepted < 16; ++accepted) {
        // The rest waits in the backlog.
        if (sessions_.size() >= config_.limits.sessions) return pause_accepting(Milliseconds(50));
        auto fd = sys::accept_unix(listener);
        if (!fd) {
            log::warn("broker", fd.error().message());
            return pause_accepting(Milliseconds(200));
        }
        if (!*fd) return;
        accept_one(std::move(*fd));
    }
}

void Broker::accept_one(UniqueFd fd) {
    Peer peer;
    if (const auto credentials = sys::peer_credentials(fd.get())) {
        peer.process = credentials->process;
        peer.user = credentials->user;
    }
    const auto session = Session::open(*this, std::move(fd), peer);
    if (session) sessions_.emplace(session.get(), session);
}

// ---- requests ----

bool Broker::admit(Exchange& exchange) {
    ++requests_;
    auto target = parse_target(exchange.head.target);
    if (!target) return exchange.fail(400, target.error().message()), false;
    if (!target->version.empty()) {
        const auto version = parse_api_version(target->version);
        if (!version)
            return exchange.fail(400, "malformed API version " + printable(target->version, 20)), false;
        if (*version > api_) {
            exchange.fail(400, "client version " + version->text() +
                                   " is too new. Maximum supported API version is " + api_.text());
            return false;
        }
        if (*version < oldest_) {
            exchange.fail(400, "client version " + version->text() +
                                   " is too old. Minimum supported API version is " + oldest_.text() +
                                   ", please upgrade your client to a newer version");
            return false;
        }
        exchange.version = version->text();
    } else {
        exchange.version = api_.text();
    }
    auto match = match_route(exchange.head.method, target->segments);
    if (match.route == nullptr) {
        ++denied_;
        exchange.fail(404, not_offered(exchange.head.method, target->segments));
        return false;
    }
    auto query = allowed_query(*match.route, target->query);
    if (!query) return exchange.fail(400, query.error().message()), false;
    if (ending_ && match.route->mutates && match.route->method != "DELETE")
        return exchange.fail(503, "the agent is ending"), false;
    exchange.route = match.route;
    exchange.body_use = body_use(*match.route, *query);
    exchange.name = std::move(match.name);
    exchange.query = std::move(*query);
    return true;
}

void Broker::handle(const ExchangePtr& exchange) {
    exchange->route->handler(*this, exchange);
}

void Broker::finished(const Exchange& exchange, const Peer& peer) {
    if (exchange.status == 403) ++denied_;
    if (exchange.status == 502) ++engine_errors_;
    if (audit_ && (exchange.route->mutates || exchange.status == 403)) audit(exchange, peer);
}

void Broker::audit(const Exchange& exchange, const Peer& peer) {
    const auto taken =
        std::chrono::duration_cast<std::chrono::microseconds>(loop_.clock().now() - exchange.started).count();
    json::object line{{"time", static_cast<std::int64_t>(std::time(nullptr))},
                      {"agent", owner_.agent_id},
                      {"job", peer.job.locator()},
                      {"pid", peer.process},
                      {"uid", peer.user},
                      {"method", exchange.head.method},
                      {"route", exchange.route->pattern},
                      {"object", exchange.object.empty() ? printable(exchange.name, 200) : exchange.object},
                      {"status", exchange.status},
                      {"verdict", exchange.status == 403 ? "denied"
                                  : exchange.status == 0 ? "cancelled"
                                                         : "allowed"},
                      {"microseconds", taken}};
    if (!exchange.rule.empty()) line["rule"] = exchange.rule;
    audit_->write_line(to_text(line));
}

RuleScope Broker::scope(const JobIdentity& job) const {
    RuleScope out{policy_, ledger_, names_, mounts_, config_, owner_, job};
    out.volume_subpaths = api_ >= kSubpathApi;
    return out;
}

void Broker::with_job(const ExchangePtr& exchange, std::function<void(const JobIdentity&)> then) {
    const auto host = exchange->host();
    if (!host) return;
    if (host->peer().job_known) return then(host->peer().job);
    link_.ask_job(host->peer().process,
                  [weak = std::weak_ptr<Exchange>(exchange), then = std::move(then)](const JobIdentity& job) {
                      const auto alive = weak.lock();
                      const auto session = alive ? alive->host() : nullptr;
                      if (!session) return;
                      session->set_peer_job(job);
                      then(job);
                  });
}

void Broker::ask(UpstreamRequest request, std::function<void(const Reply&)> then) {
    const auto key = next_call_++;
    calls_[key] =
        upstream_.call(std::move(request), [this, key, then = std::move(then)](Result<Reply> reply) {
            const auto kept = calls_.extract(key);
            if (!reply) ++engine_errors_;
            then(reply ? *reply : Reply{});
        });
}

// ---- PID 1 ----

SupervisorLink::Requests Broker::link_requests() {
    return {
        .job_ended =
            [this](const protocol::Message& message) {
                auto scope = own_scope(SweepScope::Kind::Job);
                scope.job = protocol::get_identity(message).locator();
                scope.images = !config_.keep_images;
                clean_up(message, std::move(scope));
            },
        .agent_ending =
            [this](const protocol::Message& message) {
                ending_ = true;
                clean_up(message, own_scope(SweepScope::Kind::Agent));
            },
        .counts = [this] { return counters(); },
        .gone = [this] { loop_.quit(); },
    };
}

void Broker::clean_up(const protocol::Message& message, SweepScope scope) {
    for (const auto& [name, job] : ledger_.volumes()) {
        if (scope.kind == SweepScope::Kind::Agent || job == scope.job) scope.volumes.push_back(name);
    }
    for (const auto& [reference, image] : ledger_.images()) {
        if (image.made && (scope.kind == SweepScope::Kind::Agent || image.job == scope.job))
            scope.tags.push_back(reference);
    }
    const Milliseconds budget(message.deadline_ms == 0 ? 60'000 : message.deadline_ms);
    run_sweep(std::move(scope), budget, [this, serial = message.serial](const SweepReport& report) {
        leftover_ = report.leftover;
        log::info("broker", "clean-up removed " + summary(report));
        const auto tell = [this, serial] {
            auto done = protocol::make(protocol::Kind::Cleaned, serial);
            done.counts = counters();
            link_.send(done);
        };
        // At the end nobody needs the lists any more, and a wedged engine must not delay it.
        ending_ ? tell() : refresh(tell);
    });
}

protocol::Counters Broker::counters() const {
    protocol::Counters counts{};
    counts.requests = requests_;
    counts.denied = denied_;
    counts.sessions = sessions_.size();
    counts.tunnels = tunnels_;
    counts.containers = ledger_.containers().size();
    counts.networks = ledger_.networks().size();
    counts.volumes = ledger_.volumes().size();
    counts.images = ledger_.images().size();
    counts.removed = removed_;
    counts.leftover = leftover_;
    counts.engine_errors = engine_errors_;
    return counts;
}

}  // namespace supervisor::broker
