#include "cli/doctor.hpp"

#include <fmt/core.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

#include "agent/environment.hpp"
#include "base/strings.hpp"
#include "cli/dind_plan.hpp"
#include "cli/docker_side.hpp"
#include "cli/mode.hpp"
#include "cli/stop_budget.hpp"
#include "engine/doctor_report.hpp"
#include "sys/files.hpp"

namespace supervisor::cli {
namespace {

int print(const std::string& text) {
    return sys::write_all(STDOUT_FILENO, text) ? 0 : 1;
}

engine::ReportStyle terminal_style() {
    engine::ReportStyle style;
    style.colour = ::isatty(STDOUT_FILENO) == 1;
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 60) style.width = size.ws_col;
    return style;
}

engine::Decision decision(engine::Verdict verdict, std::string topic, std::string choice, std::string reason,
                          std::string fix = {}) {
    return {verdict, std::move(topic), std::move(choice), std::move(reason), std::move(fix)};
}

engine::Decision identity_row() {
    if (::geteuid() == 0)
        return decision(engine::Verdict::Ok, "identity", "root", "PID 1 drops the agent's privileges itself");
    return decision(engine::Verdict::Fail, "identity", fmt::format("uid {}", ::geteuid()),
                    "PID 1 has to be root",
                    "leave out docker run --user; in Kubernetes securityContext.runAsUser: 0");
}

// The rows that do not come from the engine's plan.
std::vector<engine::Decision> general_rows(const ModeChoice& mode,
                                           const std::vector<std::string>& environment) {
    const StopBudget budget = stop_budget(environment);
    std::vector<engine::Decision> rows{
        decision(engine::Verdict::Ok, "mode", mode_name(mode.mode), mode.reason), identity_row()};
    rows.push_back(decision(engine::Verdict::Ok, "stop", format_duration(budget.total), budget.reason));
    if (agent::variable_or_empty(environment, "GO_SERVER_URL").empty() &&
        agent::variable_or_empty(environment, "GO_EA_SERVER_URL").empty()) {
        rows.push_back(decision(engine::Verdict::Warn, "server", "none",
                                "neither GO_SERVER_URL nor GO_EA_SERVER_URL is set",
                                "docker run -e GO_SERVER_URL=https://…/go; not needed for --shell and for a "
                                "program of your own"));
    }
    return rows;
}

engine::Decision dood_row(const BrokerConfig& config) {
    if (sys::exists(config.host_socket)) {
        return decision(engine::Verdict::Ok, "broker", config.host_socket,
                        "policy " + (config.policy.empty() ? "isolated" : config.policy));
    }
    return decision(engine::Verdict::Fail, "broker", "none",
                    "there is no Docker socket at " + config.host_socket,
                    "docker run -v /var/run/docker.sock:/var/run/docker.sock, or --host-socket");
}

// Fills in what DinD would do; an error is the user's.
Result<DindPlan> dind_plan(const Config& config, const std::vector<std::string>& environment) {
    SUPERVISOR_TRY_ASSIGN(plan, DindPlan::read(config));
    auto probed = plan.probe(config, environment);
    SUPERVISOR_TRY(plan.decide(environment, false));
    plan.plan.decisions.push_back(
        probed ? decision(plan.containment.mode == engine::ContainmentMode::Off ? engine::Verdict::Warn
                                                                                : engine::Verdict::Ok,
                          "containment", std::string(engine::to_string(plan.containment.mode)),
                          plan.containment.reason)
               : decision(engine::Verdict::Fail, "containment", "none", probed.error().message()));
    return plan;
}

}  // namespace

int run_doctor(const Invocation& invocation, const std::vector<std::string>& environment) {
    if (invocation.has_flag("--from-official")) return print(official_comparison(environment));
    const Config& config = invocation.config;
    const ModeChoice mode = choose_mode(config, environment);
    DindPlan plan;
    if (mode.mode == Mode::Dind) {
        auto planned = dind_plan(config, environment);
        if (!planned) {
            print(planned.error().message() + "\n");
            return kExitUsage;
        }
        plan = std::move(*planned);
    }
    auto rows = general_rows(mode, environment);
    if (mode.mode == Mode::Dood) rows.push_back(dood_row(config.broker));
    plan.plan.decisions.insert(plan.plan.decisions.begin(), rows.begin(), rows.end());
    print(invocation.has_flag("--json") ? to_pretty_text(engine::doctor_json(plan.plan, plan.host))
                                        : engine::doctor_text(plan.plan, plan.host, terminal_style()));
    const bool fails = std::any_of(plan.plan.decisions.begin(), plan.plan.decisions.end(),
                                   [](const auto& row) { return row.verdict == engine::Verdict::Fail; });
    return fails ? kExitHost : 0;
}

}  // namespace supervisor::cli
