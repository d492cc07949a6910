#include "cli/agent_payload.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

#include "agent/exit_rules.hpp"
#include "base/log.hpp"
#include "base/strings.hpp"
#include "sys/directory_watch.hpp"
#include "sys/files.hpp"

namespace supervisor::cli {
namespace {

constexpr const char* kComponent = "agent";
constexpr const char* kHooks = "/docker-entrypoint.d";
constexpr int kHookFailed = 111;  // what the official image exits with
constexpr const char* kFetcher = "/usr/local/bin/gocd-agent-fetch";
constexpr const char* kBaked = "/usr/local/share/gocd-agent";
constexpr const char* kAotCache = "/usr/local/share/gocd-agent/agent.aot";
// Readable by root alone, and as long-lived as the container.
constexpr const char* kSavedRegistration = "/var/lib/gocd-supervisor/autoregister.properties";
constexpr Milliseconds kQuick{60'000};

const proc::BackoffPolicy kRestart{Milliseconds(500), Milliseconds(30'000), 1'000'000, Milliseconds(600'000),
                                   Milliseconds(60'000)};

service::Spec spec_of(const std::string& name, bool group) {
    service::Spec spec;
    spec.name = name;
    spec.restart = kRestart;
    spec.signal_group = group;
    // A JVM that its bootstrapper left behind would hold the working directory against the next one.
    spec.kill_group_after_death = true;
    spec.stop_ladder = {{SIGTERM, Milliseconds(60'000)}};  // the deadline of the stop cuts this short
    return spec;
}

std::vector<std::string> executable_hooks() {
    std::vector<std::string> hooks;
    for (const auto& name : sys::list_directory(kHooks).value_or(std::vector<std::string>())) {
        const std::string path = std::string(kHooks) + "/" + name;
        if (!sys::is_directory(path) && ::access(path.c_str(), X_OK) == 0) hooks.push_back(path);
    }
    return hooks;
}

agent::RestartRule rule_of(AgentRestart restart) {
    switch (restart) {
        case AgentRestart::Auto:
            return agent::RestartRule::Auto;
        case AgentRestart::Always:
            return agent::RestartRule::Always;
        case AgentRestart::Never:
            return agent::RestartRule::Never;
    }
    return agent::RestartRule::Auto;
}

}  // namespace

AgentPayload::AgentPayload(AgentPayloadContext context, PayloadEvents events)
    : context_(context),
      events_(std::move(events)),
      owner_{context.account.user, context.account.group},
      backoff_(kRestart) {}

tl::expected<std::unique_ptr<AgentPayload>, Failure> AgentPayload::create(AgentPayloadContext context,
                                                                          PayloadEvents events) {
    std::unique_ptr<AgentPayload> payload(new AgentPayload(context, std::move(events)));
    if (auto configured = payload->configure(); !configured)
        return tl::unexpected<Failure>(std::move(configured).error());
    const bool wrapper = payload->choice_.mode == agent::LaunchMode::Wrapper;
    payload->fetcher_ = std::make_unique<service::Service>(context.loop, context.processes,
                                                           spec_of("fetch", false), payload->fetcher_hooks());
    payload->jvm_ = std::make_unique<service::Service>(context.loop, context.processes,
                                                       spec_of("agent", wrapper), payload->jvm_hooks());
    payload->watch_ = std::make_unique<AgentWatch>(context.loop, context.processes, payload->watch_events());
    return payload;
}

tl::expected<void, Failure> AgentPayload::configure() {
    auto settings = agent::read_settings(context_.environment);
    if (!settings) return failure(kExitUsage, settings.error());
    settings_ = std::move(*settings);
    const AgentConfig& config = context_.config.agent;
    auto mode = agent::parse_launch_mode(config.launch);
    if (!mode) return failure(kExitUsage, mode.error());
    settings_.launch = *mode;
    settings_.use_aot = config.aot;
    settings_.ping_interval = config.ping_interval;
    settings_.instruction_interval = config.instruction_interval;
    auto access = agent::read_server_access(settings_);
    if (!access) return failure(kExitUsage, access.error());
    access_ = std::move(*access);
    facts_ = agent::read_launch_facts(settings_, kFetcher, kBaked, kAotCache);
    auto choice = agent::choose_launch(settings_, access_, facts_);
    if (!choice) return failure(kExitHost, choice.error());
    choice_ = std::move(*choice);
    log::info(kComponent, "launch " + std::string(agent::to_string(choice_.mode)) + ": " + choice_.reason);
    for (const auto& warning : choice_.warnings) log::warn(kComponent, warning);
    environment_ =
        agent::agent_environment(context_.environment, {context_.account.name, context_.account.home});
    for (const auto& entry :
         context_.docker != nullptr ? context_.docker->agent_environment() : std::vector<std::string>()) {
        environment_.push_back(entry);
    }
    if (const auto kept = agent::adopt_registration(settings_, owner_, kSavedRegistration); !kept)
        log::warn(kComponent, kept.error().message());
    auto prepared = agent::prepare_directories(settings_, choice_.mode, owner_);
    if (!prepared) return failure(kExitHost, prepared.error());
    prepared_ = std::move(*prepared);
    for (const auto& note : prepared_.notes) log::info(kComponent, note);
    hooks_left_ = executable_hooks();
    has_hooks_ = !hooks_left_.empty();
    watch_registration();
    return {};
}

// The log tells that the agent has registered; who changes the log's form, or starts a JVM without us (the
// official launchers), tells it by these files alone.
void AgentPayload::watch_registration() {
    auto directory = sys::watch_directory(settings_.working_directory + "/config");
    if (!directory) return log::warn(kComponent, directory.error().message());
    registration_files_ = std::move(*directory);
    auto watch = context_.loop.watch(registration_files_.get(), EPOLLIN, [this](std::uint32_t) {
        const auto names = sys::take_changes(registration_files_.get());
        if (!jvm_->running()) return;  // each start writes the file by itself
        if (names.contains("token") || names.contains("autoregister.properties")) registration_changed();
    });
    if (watch) registration_watch_ = std::move(*watch);
}

// A token that has just appeared does not mean registered: nothing is taken away before the agent itself has
// turned the file into comments, or says so.
void AgentPayload::registration_changed() {
    if (const auto kept = agent::follow_registration(settings_, owner_); !kept)
        log::warn(kComponent, kept.error().message());
}

proc::ChildPlan AgentPayload::child_plan(const std::string& name, const agent::Command& command) const {
    proc::ChildPlan plan;
    plan.name = name;
    plan.arguments = command.argv;
    plan.environment = command.environment;
    plan.executable =
        proc::find_executable(command.argv.at(0), command.environment).value_or(command.argv.at(0));
    plan.working_directory = command.working_directory;
    plan.limits = {{RLIMIT_NOFILE, 1'024, 524'288}};
    context_.hardening.apply(plan, context_.account);
    if (context_.docker != nullptr) context_.docker->place_agent(plan);
    return plan;
}

void AgentPayload::start() {
    if (has_hooks_) {
        // The scripts may add to what stands there, as in the official image.
        if (const auto written = agent::write_autoregister(settings_, owner_); !written)
            log::warn(kComponent, written.error().message());
    }
    if (choice_.mode == agent::LaunchMode::Direct) {
        events_.reached("fetch start");
        fetcher_->start();
    }
    run_next_hook();
}

// The scripts of /docker-entrypoint.d run in order, each to its end, while the fetcher is at work.
void AgentPayload::run_next_hook() {
    if (hooks_left_.empty()) return launch_when_prepared();
    const std::string path = hooks_left_.front();
    hooks_left_.erase(hooks_left_.begin());
    agent::Command command{
        agent::hook_command(path),
        agent::hook_environment(context_.environment, {context_.account.name, context_.account.home}),
        settings_.working_directory};
    const service::Output output{&log::output_stream(), &log::error_stream(), {}};
    auto pid =
        context_.processes.start(child_plan(path, command), output,
                                 [this, path](const proc::ExitStatus& status) { hook_ended(path, status); });
    if (!pid) return events_.ended(kHookFailed, pid.error().message());
    hook_ = *pid;
}

void AgentPayload::hook_ended(const std::string& path, const proc::ExitStatus& status) {
    hook_ = -1;
    if (stop_done_) return stopped_step();
    if (status.success() && hooks_left_.empty()) agent::read_back_registration(settings_, owner_);
    if (status.success()) return run_next_hook();
    events_.ended(kHookFailed, path + " " + status.text());
}

service::Hooks AgentPayload::fetcher_hooks() {
    service::Hooks hooks;
    hooks.plan = [this]() -> Result<proc::ChildPlan> {
        return child_plan("fetch",
                          agent::fetcher_command(settings_, access_, facts_, kFetcher, environment_));
    };
    // What it says on stdout is for us; its stderr is for people.
    hooks.output = {nullptr, &log::error_stream(), {}};
    hooks.result = [this](std::string_view line) { fetcher_words_ = line; };
    hooks.after_exit = [this](const proc::ExitStatus& status) { return fetcher_ended(status); };
    hooks.changed = [this](service::State) {
        if (stop_done_) return stopped_step();
        events_.changed();
    };
    return hooks;
}

service::AfterExit AgentPayload::fetcher_ended(const proc::ExitStatus& status) {
    auto result = status.success() ? agent::parse_fetch_result(fetcher_words_)
                                   : Result<agent::FetchResult>(fail("fetcher " + status.text()));
    fetcher_words_.clear();
    if (!result) {
        log::warn(kComponent, result.error().message() + "; trying again");
        return service::AfterExit::Restart;
    }
    fetched_ = std::move(*result);
    events_.reached("fetched");
    context_.loop.defer([this] { launch_when_prepared(); });
    return service::AfterExit::StayStopped;
}

void AgentPayload::launch_when_prepared() {
    const bool fetched = choice_.mode != agent::LaunchMode::Direct || fetched_.has_value();
    if (stop_done_ || hook_ > 0 || !hooks_left_.empty() || !fetched || jvm_->running()) return;
    events_.reached("agent JVM start");
    jvm_->start();
}

service::Hooks AgentPayload::jvm_hooks() {
    service::Hooks hooks;
    hooks.plan = [this] { return jvm_plan(); };
    hooks.output = {&log::output_stream(), &log::output_stream(),
                    [this](std::string_view line) { heard(line); }};
    hooks.after_exit = [this](const proc::ExitStatus& status) { return jvm_ended(status); };
    hooks.changed = [this](service::State state) { jvm_changed(state); };
    return hooks;
}

Result<proc::ChildPlan> AgentPayload::jvm_plan() {
    jvm_started_ = context_.loop.clock().now();
    tracker_.reset();
    SUPERVISOR_TRY(agent::write_autoregister(settings_, owner_));
    if (prepared_.lock.get() >= 0) SUPERVISOR_TRY(agent::remove_launcher_lock(settings_, owner_));
    switch (choice_.mode) {
        case agent::LaunchMode::Bootstrapper:
            return child_plan("agent", agent::bootstrapper_command(settings_, environment_));
        case agent::LaunchMode::Wrapper:
            return child_plan("agent", agent::wrapper_command(settings_, environment_));
        default: {
            const auto launch = agent::direct_command(settings_, access_, facts_, *fetched_, environment_);
            log::debug(kComponent, "AOT cache: " + launch.aot.reason);
            return child_plan("agent", launch.command);
        }
    }
}

void AgentPayload::heard(std::string_view line) {
    const bool had_job = tracker_.job_running();
    const auto event = tracker_.feed(line);
    if (!event) return;
    // A cookie is the first thing that a new JVM asks for: an official launcher has replaced one that had a
    // job.
    if (event == agent::AgentEvent::Connected && had_job) events_.job_finished();
    switch (*event) {
        case agent::AgentEvent::Registered:
        case agent::AgentEvent::Connected: {
            const auto scrubbed = agent::write_autoregister(settings_, owner_);
            if (!scrubbed) log::warn(kComponent, scrubbed.error().message());
            return events_.reached(*event == agent::AgentEvent::Registered ? "registered" : "connected");
        }
        case agent::AgentEvent::JobStarted:
            return events_.job_started();
        case agent::AgentEvent::JobFinished:
            return events_.job_finished();
        case agent::AgentEvent::RegistrationFailed:
            return;
    }
}

service::AfterExit AgentPayload::jvm_ended(const proc::ExitStatus& status) {
    if (tracker_.job_running()) events_.job_finished();
    tracker_.reset();
    // Tasks of a dead agent would fight with those of the next one.
    const bool memory_kill = context_.docker != nullptr && context_.docker->agent_was_killed_for_memory();
    if (context_.docker != nullptr) context_.docker->kill_agent_leftovers();
    const bool exited = status.kind == proc::ExitStatus::Kind::Exited;
    const bool quick = context_.loop.clock().now() - jvm_started_ < kQuick;
    quick_upgrades_ = exited && status.value == 0 && quick ? quick_upgrades_ + 1 : 0;
    agent::ExitFacts facts;
    facts.launch = choice_.mode;
    facts.exit_code = exited ? status.value : 0;
    facts.signal = exited ? 0 : status.value;
    facts.memory_kill = memory_kill;
    facts.elastic = settings_.registration.elastic();
    facts.quick_upgrades = std::max(0, quick_upgrades_ - 1);
    const auto decision = agent::decide_after_exit(facts, rule_of(context_.config.agent.restart));
    log::info(kComponent, decision.reason);
    using Next = agent::ExitDecision::Next;
    const bool direct = choice_.mode == agent::LaunchMode::Direct;
    if (decision.next == Next::Restart && !direct) return service::AfterExit::Restart;
    if (decision.next == Next::Refetch) {
        context_.loop.defer([this] { fetch_again(); });
    } else if (decision.next == Next::Restart) {
        // As the official launcher before each of its starts: files may have been damaged, or the server's be
        // others.
        const auto now = context_.loop.clock().now();
        const auto ran = std::chrono::duration_cast<Milliseconds>(now - jvm_started_);
        again_ = context_.loop.after(backoff_.next(now, ran).value_or(kRestart.cap), [this] {
            ++restarts_;
            fetch_again();
        });
    } else {
        context_.loop.defer([this, decision] { events_.ended(decision.status, decision.reason); });
    }
    return service::AfterExit::StayStopped;
}

AgentWatchEvents AgentPayload::watch_events() {
    AgentWatchEvents events;
    events.job_running = [this] { return tracker_.job_running(); };
    events.said = [this](const std::string& what) { events_.event(what); };
    events.restart = [this](const std::string& cause) { jvm_->restart(cause); };
    events.changed = [this] { events_.changed(); };
    return events;
}

void AgentPayload::fetch_again() {
    if (stop_done_) return;
    again_.cancel();
    fetched_.reset();
    fetcher_->start();
}

void AgentPayload::jvm_changed(service::State state) {
    if (stop_done_) return stopped_step();
    if (state == service::State::Ready) {
        watch_->start(agent::agent_flags(settings_));
    } else {
        watch_->stop();
    }
    events_.changed();
}

void AgentPayload::stop(Deadline deadline, std::function<void()> done) {
    stop_done_ = std::move(done);
    hooks_left_.clear();
    watch_->stop();
    again_.cancel();
    registration_watch_.reset();
    if (hook_ > 0) (void)context_.processes.signal_group(hook_, SIGKILL);
    fetcher_->stop(deadline);
    jvm_->stop(deadline);
    stopped_step();
}

void AgentPayload::stopped_step() {
    if (!stop_done_ || hook_ > 0 || fetcher_->running() || jvm_->running()) return;
    const auto done = std::exchange(stop_done_, [] {});
    done();
}

std::string AgentPayload::not_ready_because() const {
    if (jvm_->running()) return watch_->hangs() ? "the agent does not answer on its status port" : "";
    if (fetcher_->running()) return "fetching the agent's files from the server";
    return "the agent does not run" +
           (jvm_->snapshot().cause.empty() ? std::string() : ": " + jvm_->snapshot().cause);
}

void AgentPayload::describe(StatusModel& model) const {
    model.agent_launch = agent::to_string(choice_.mode);
    model.agent_connected = watch_->connected().value_or(tracker_.connected());
    model.agent_hangs = watch_->hang_count();
    if (choice_.mode == agent::LaunchMode::Direct) model.services.emplace_back("fetch", fetcher_->snapshot());
    auto snapshot = jvm_->snapshot();
    snapshot.restarts += restarts_;
    if (again_) snapshot.state = service::State::Waiting;
    model.services.emplace_back("agent", std::move(snapshot));
}

}  // namespace supervisor::cli
