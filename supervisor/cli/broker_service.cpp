#include "cli/broker_service.hpp"

#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/environment.hpp"
#include "base/log.hpp"
#include "base/strings.hpp"
#include "broker/rules/policy.hpp"
#include "cli/job_identity.hpp"
#include "sys/files.hpp"
#include "sys/unix_socket.hpp"

namespace supervisor::cli {
namespace {

constexpr const char* kComponent = "broker";
// Nobody else's: an id that no distribution hands out, so that neither jobs nor the engine's users can signal
// or trace it.
constexpr uid_t kBrokerUser = 64'970;
constexpr Milliseconds kJobCleanupBudget{60'000};
// What ending the process itself may take of the stop.
constexpr Milliseconds kEndReserve{200};
constexpr Milliseconds kAskInterval{10'000};
constexpr int kUnansweredAllowed = 2;
// Helpers that follow paths at one time.
constexpr int kMostPaths = 16;

const proc::BackoffPolicy kRestart{Milliseconds(0), Milliseconds(5'000), 10, Milliseconds(60'000),
                                   Milliseconds(60'000)};

UniqueFd memory_file(const char* name, const std::string& text) {
    UniqueFd fd(::memfd_create(name, MFD_CLOEXEC));
    if (!fd || !sys::write_all(fd.get(), text) || ::lseek(fd.get(), 0, SEEK_SET) != 0) return {};
    return fd;
}

// A policy is a word or a file.
Result<std::string> read_policy(const std::string& policy) {
    if (policy.empty() || policy == "isolated" || policy == "trusted")
        return policy.empty() ? "isolated" : policy;
    auto text = sys::read_file(policy);
    if (!text) return fail(text.error(), "--policy is neither isolated, trusted nor a readable file");
    if (auto parsed = broker::Policy::parse(*text); !parsed)
        return fail(parsed.error(), "--policy " + policy);
    return text;
}

}  // namespace

Result<> BrokerService::prepare() {
    SUPERVISOR_TRY_ASSIGN(policy, read_policy(context_.config.broker.policy));
    policy_text_ = std::move(policy);
    incarnation_ = std::to_string(std::chrono::system_clock::now().time_since_epoch().count());
    SUPERVISOR_TRY_ASSIGN(listener, sys::listen_unix(place_.listen_path, place_.access));
    listener_ = std::move(listener);
    if (place_.mode == broker::Mode::Dood) shared_ = listen_on_host_mount(incarnation_, place_.access);
    ledger_ = memory_file("broker-ledger", {});
    service::Spec spec;
    spec.name = "broker";
    spec.ready_when = service::ReadyWhen::Notified;
    spec.start_timeout = Milliseconds(15'000);
    spec.restart = kRestart;
    spec.stop_ladder = {{SIGTERM, Milliseconds(500)}};
    service_ =
        std::make_unique<service::Service>(context_.loop, context_.processes, std::move(spec), hooks());
    return {};
}

service::Hooks BrokerService::hooks() {
    service::Hooks hooks;
    hooks.plan = [this] { return plan(); };
    hooks.output = {&log::output_stream(), &log::error_stream(), {}};
    hooks.changed = [this](service::State state) { changed(state); };
    return hooks;
}

Result<broker::Config> BrokerService::make_config() const {
    broker::Config config;
    config.mode = place_.mode;
    config.host_socket = place_.engine_socket;
    config.listener_fd = 3;
    config.supervisor_fd = 4;
    config.audit_fd = STDOUT_FILENO;
    config.ledger_fd = 6;
    if (shared_) {
        config.shared_listener_fd = 7;
        config.shared_path = shared_->path;
    }
    config.listen_path = place_.listen_path;
    config.incarnation = incarnation_;
    config.policy = policy_text_;
    config.agent_id = context_.config.broker.agent_name;
    if (config.agent_id.empty())
        config.agent_id =
            agent::variable_or_empty(context_.environment, "GO_EA_AUTO_REGISTER_ELASTIC_AGENT_ID");
    config.agent_id_is_guess = config.agent_id.empty();
    if (config.agent_id_is_guess) config.agent_id = trim(sys::read_file_or("/proc/sys/kernel/hostname"));
    if (place_.mode == broker::Mode::Dind) {
        config.cgroup_parent = "/containers";
        config.mounts.emplace();
        for (const auto& directory : place_.directories) config.mounts->push_back({directory, directory});
    }
    const auto& asked = context_.config.broker;
    config.keep_images = asked.keep_images;
    config.limits.containers = asked.max_containers;
    config.limits.memory = asked.max_memory;
    config.limits.nano_cpus = asked.max_nano_cpus;
    config.limits.pids = asked.max_pids;
    return config;
}

Result<proc::ChildPlan> BrokerService::plan() {
    SUPERVISOR_TRY_ASSIGN(config, make_config());
    SUPERVISOR_TRY_ASSIGN(pair, sys::socket_pair(SOCK_SEQPACKET));
    listen_to(std::move(pair.first));
    child_end_ = std::move(pair.second);
    config_ = memory_file("broker-config", broker::to_json(config));
    proc::ChildPlan plan;
    plan.name = "broker";
    plan.executable = "/proc/self/exe";
    plan.arguments = {"gocd-supervisor", "internal-broker", "5"};
    plan.environment = {"PATH=/usr/bin:/bin"};
    plan.descriptors = {{listener_.get(), 3}, {child_end_.get(), 4}, {config_.get(), 5}, {ledger_.get(), 6}};
    if (shared_) plan.descriptors.push_back({shared_->listener.get(), 7});
    plan.identity = proc::Identity{kBrokerUser, place_.engine_group, {}};
    plan.capabilities = proc::Capabilities::None;
    plan.no_new_privileges = true;
    return plan;
}

void BrokerService::listen_to(UniqueFd end) {
    link_watch_.reset();
    link_ = std::move(end);
    auto watch = context_.loop.watch(
        link_.get(), EPOLLIN,
        [this](std::uint32_t) {
            broker::protocol::Message message{};
            while (link_ && ::recv(link_.get(), &message, sizeof message, MSG_DONTWAIT) ==
                                static_cast<ssize_t>(sizeof message)) {
                received(message);
            }
        },
        loop::Priority::Urgent);
    if (watch) {
        link_watch_ = std::move(*watch);
    } else {
        log::warn(kComponent, watch.error().message());
    }
}

void BrokerService::received(const broker::protocol::Message& message) {
    using broker::protocol::Kind;
    if (message.kind == Kind::Ready) {
        child_end_.reset();
        service_->notify_ready();
        unanswered_ = 0;
        ask_timer_ = context_.loop.after(kAskInterval, [this] { ask_counts(); });
    } else if (message.kind == Kind::Counts) {
        unanswered_ = 0;
        counts_ = message.counts;
        context_.events.changed();
    } else if (message.kind == Kind::AskJob) {
        answer_job(message);
    } else if (message.kind == Kind::AskPath) {
        answer_path(message);
    } else if (message.kind == Kind::Cleaned) {
        if (message.counts.removed > 0 || message.counts.leftover > 0) {
            context_.events.event("clean-up", std::to_string(message.counts.removed) +
                                                  " objects removed so far, " +
                                                  std::to_string(message.counts.leftover) + " left over");
        }
        if (stop_done_) end_process();
    }
}

// Liveness and accountability in one question.
void BrokerService::ask_counts() {
    if (service_->state() != service::State::Ready || stop_done_) return;
    if (++unanswered_ > kUnansweredAllowed) return service_->restart("is alive but does not answer");
    send(broker::protocol::make(broker::protocol::Kind::AskCounts, ++serial_));
    ask_timer_ = context_.loop.after(kAskInterval, [this] { ask_counts(); });
}

void BrokerService::answer_job(const broker::protocol::Message& question) {
    auto answer = broker::protocol::make(broker::protocol::Kind::Job, question.serial);
    answer.pid = question.pid;
    const auto job = find_job_identity(question.pid, context_.account.user, context_.account.group);
    broker::protocol::put_identity(answer, job);
    if (!job.empty() && seen_jobs_.insert(job.locator()).second) jobs_.push_back(job);
    send(answer);
}

// By a helper with the agent's identity: what that one cannot reach is nothing that a job may hand on, and a
// file system that does not answer holds up nobody else.
void BrokerService::answer_path(const broker::protocol::Message& question) {
    const auto serial = question.serial;
    auto line = std::make_shared<std::string>();
    service::Output output;
    output.result = [line](std::string_view said) { *line = said; };
    const auto started =
        paths_under_way_ < kMostPaths
            ? context_.processes.start(resolver_plan(broker::protocol::get(question.path)), output,
                                       [this, serial, line](const proc::ExitStatus& status) {
                                           --paths_under_way_;
                                           send_path(serial, status.success() ? *line : "");
                                       })
            : Result<pid_t>(fail("too many paths at once"));
    if (!started) return send_path(serial, "");
    ++paths_under_way_;
}

proc::ChildPlan BrokerService::resolver_plan(const std::string& path) const {
    proc::ChildPlan plan;
    plan.name = "internal-resolve-path";
    plan.executable = "/proc/self/exe";
    plan.arguments = {"gocd-supervisor", plan.name, path};
    plan.identity = proc::Identity{context_.account.user, context_.account.group, {}};
    plan.capabilities = proc::Capabilities::None;
    plan.no_new_privileges = true;
    return plan;
}

// `line` is the helper's: "1 PATH", "0 PATH" where it does not exist, or nothing.
void BrokerService::send_path(std::uint32_t serial, std::string_view line) {
    auto answer = broker::protocol::make(broker::protocol::Kind::Path, serial);
    if (line.size() > 2 && line.size() - 2 < broker::protocol::kPathBytes) {
        broker::protocol::put(answer.path, std::string(line.substr(2)));
        answer.pid = line.front() == '1' ? 1 : 0;
    }
    send(answer);
}

void BrokerService::send(const broker::protocol::Message& message) {
    // A full socket means that the broker does not read: the watch on its process deals with that.
    if (link_) (void)::send(link_.get(), &message, sizeof message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void BrokerService::job_finished() {
    for (const auto& job : jobs_) {
        auto message = broker::protocol::make(broker::protocol::Kind::JobEnded, ++serial_);
        message.deadline_ms = static_cast<std::uint32_t>(kJobCleanupBudget.count());
        broker::protocol::put_identity(message, job);
        send(message);
    }
    jobs_.clear();
    seen_jobs_.clear();
}

void BrokerService::changed(service::State state) {
    if (state == service::State::Waiting) {
        log::warn(kComponent, service_->snapshot().cause + "; restarting it, clients wait meanwhile");
    } else if (state == service::State::Failed) {
        context_.events.failed("broker " + service_->snapshot().cause);
    }
    context_.events.changed();
    if (state != service::State::Stopped || !stop_done_) return;
    stop_timer_.cancel();
    link_watch_.reset();
    const auto done = std::exchange(stop_done_, nullptr);
    done();
}

void BrokerService::stop(Deadline deadline, std::function<void()> done) {
    stop_done_ = std::move(done);
    stop_deadline_ = deadline;
    if (service_->state() != service::State::Ready) return end_process();
    const auto budget = std::max(deadline.remaining(context_.loop.clock()) - kEndReserve, Milliseconds(0));
    auto message = broker::protocol::make(broker::protocol::Kind::AgentEnding, ++serial_);
    message.deadline_ms = static_cast<std::uint32_t>(budget.count());
    send(message);
    stop_timer_ = context_.loop.after(budget, [this] { end_process(); });
}

void BrokerService::end_process() {
    stop_timer_.cancel();
    if (service_->state() == service::State::Stopped) return changed(service::State::Stopped);
    service_->stop(stop_deadline_);
}

bool BrokerService::offers_buildkit() const {
    const auto policy = broker::Policy::parse(policy_text_);
    return policy && policy->allows(broker::Permission::BuildKit);
}

void BrokerService::describe(StatusModel& model) const {
    if (!service_) return;
    model.services.emplace_back("broker", service_->snapshot());
    model.broker = {{"requests", counts_.requests},     {"denied", counts_.denied},
                    {"sessions", counts_.sessions},     {"tunnels", counts_.tunnels},
                    {"containers", counts_.containers}, {"networks", counts_.networks},
                    {"volumes", counts_.volumes},       {"images", counts_.images},
                    {"removed", counts_.removed},       {"engine_errors", counts_.engine_errors}};
}

void BrokerService::remove_socket() {
    listener_.reset();
    (void)sys::remove_file(place_.listen_path);
    if (shared_) remove_shared_socket(*shared_);
    shared_.reset();
}

}  // namespace supervisor::cli
