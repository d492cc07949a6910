#include "engine/plan.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>

#include "base/strings.hpp"
#include "sys/capabilities.hpp"

namespace supervisor::engine {
namespace {

// Without these nothing works: mounts and namespaces, bridges and filters, and what the engine gives to every
// container by default, which it can only hand out if it has it.
constexpr unsigned kNeeded[] = {0, 1, 3, 4, 5, 6, 7, 8, 10, 12, 13, 18, 21, 27, 29, 31};

std::string names_text(std::uint64_t capabilities) {
    return join(sys::capability_names(capabilities), ", ");
}

std::string run_options(std::uint64_t capabilities) {
    std::string options;
    for (const auto& name : sys::capability_names(capabilities)) options += " --cap-add " + name.substr(4);
    return options;
}

// "localhost:2375", "127.0.0.1", "[::1]:2375".
bool is_local(std::string_view address) {
    return address.starts_with("localhost") || address.starts_with("127.") || address.starts_with("[::1]");
}

void plan_live_restore(const PlanInput& input, EnginePlan& plan) {
    plan.live_restore = input.choices.boolean("live-restore").value_or(true);
    plan.decisions.push_back({Verdict::Ok, "live-restore", plan.live_restore ? "on" : "off",
                              input.choices.has("live-restore")
                                  ? "asked for in " + input.choices.origin("live-restore")
                                  : "containers outlive a restart of the engine",
                              ""});
}

}  // namespace

bool EnginePlan::suitable() const {
    return std::none_of(decisions.begin(), decisions.end(),
                        [](const Decision& decision) { return decision.verdict == Verdict::Fail; });
}

std::string failures_text(const std::vector<Decision>& decisions) {
    std::string text;
    for (const auto& decision : decisions) {
        if (decision.verdict != Verdict::Fail) continue;
        if (!text.empty()) text += "; ";
        text += fmt::format("{}: {}", decision.topic, decision.reason);
        if (!decision.fix.empty()) text += fmt::format(" ({})", decision.fix);
    }
    return text;
}

void plan_api(const PlanInput& input, EnginePlan& plan) {
    if (input.choices.boolean("tlsverify") == true) return;
    for (const auto& host : input.choices.hosts()) {
        if (!host.starts_with("tcp://") || is_local(host.substr(6))) continue;
        plan.decisions.push_back(
            {Verdict::Warn, "api", host,
             "the engine's API without TLS: whoever reaches the address, containers too, owns the engine",
             "leave it out, /var/run/docker.sock is there; or add --tlsverify and certificates"});
    }
}

void plan_rights(const PlanInput& input, EnginePlan& plan) {
    const auto& process = input.host.process;
    std::uint64_t missing = 0;
    for (const unsigned capability : kNeeded) {
        if (!process.can(capability)) missing |= std::uint64_t{1} << capability;
    }
    if (process.user != 0) {
        plan.decisions.push_back({Verdict::Fail, "rights", "none",
                                  fmt::format("running as user {}, not as root", process.user),
                                  "leave out --user, or set runAsUser: 0"});
    } else if (missing != 0) {
        plan.decisions.push_back(
            {Verdict::Fail, "rights", "none",
             "the container is not privileged: it lacks " + names_text(missing),
             fmt::format("docker run --privileged, or securityContext.privileged: true, or at least{} "
                         "--security-opt apparmor=unconfined --security-opt seccomp=unconfined",
                         run_options(missing))});
    } else if (process.privileged()) {
        plan.decisions.push_back(
            {Verdict::Ok, "rights", "privileged", "all capabilities, no seccomp filter", ""});
    } else {
        plan.decisions.push_back({Verdict::Ok, "rights", "less than privileged, but enough",
                                  "lacks " + names_text(process.known_capabilities & ~process.capabilities),
                                  ""});
    }
    if (process.keyring_error == EPERM || process.keyring_error == EACCES) {
        plan.decisions.push_back(
            {Verdict::Fail, "rights", "none",
             "a seccomp filter refuses keyctl, which every container start needs",
             "docker run --security-opt seccomp=unconfined, or a profile that allows keyctl"});
    }
    if (process.no_new_privileges) {
        plan.decisions.push_back({Verdict::Warn, "rights", "no_new_privs is set",
                                  "setuid programs such as sudo will not work in any container",
                                  "leave out --security-opt no-new-privileges"});
    }
}

EnginePlan draft(const PlanInput& input) {
    EnginePlan plan;
    plan.version = input.engine.version;
    plan_rights(input, plan);
    plan_storage(input, plan);
    plan_cgroup(input, plan);
    plan_network(input, plan);
    plan_mounts(input, plan);
    plan_security(input, plan);
    plan_live_restore(input, plan);
    plan_api(input, plan);
    return plan;
}

Result<EnginePlan> plan(const PlanInput& input) {
    auto drafted = draft(input);
    if (!drafted.suitable())
        return fail("this host does not do for an engine: " + failures_text(drafted.decisions));
    return drafted;
}

}  // namespace supervisor::engine
