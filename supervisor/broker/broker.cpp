#include "broker/broker.hpp"

#include <csignal>

#include "base/log.hpp"
#include "broker/broker_core.hpp"

namespace supervisor::broker {
namespace {

std::string own_incarnation() {
    return std::to_string(std::chrono::system_clock::now().time_since_epoch().count());
}

// Drives one sweep to its end.
SweepReport run_sweep(loop::EventLoop& loop, Upstream& upstream, const std::string& api, SweepScope scope,
                      Milliseconds budget) {
    SweepReport result;
    const auto sweep = Sweep::start(upstream, api, std::move(scope), budget, [&](const SweepReport& report) {
        result = report;
        loop.quit();
    });
    if (auto ran = loop.run(); !ran) result.problems.push_back(ran.error().message());
    return result;
}

}  // namespace

int run(Config config) {
    auto policy = Policy::parse(config.policy);
    if (!policy) {
        log::error("broker", policy.error().message());
        return 64;
    }
    if (config.listener_fd < 0 || config.agent_id.empty()) {
        log::error("broker", "the configuration names no listener or no agent");
        return 64;
    }
    config.bounds = own_bounds();
    if (config.incarnation.empty()) config.incarnation = own_incarnation();
    auto loop = loop::EventLoop::create();
    if (!loop) {
        log::error("broker", loop.error().message());
        return 70;
    }
    (void)::signal(SIGPIPE, SIG_IGN);
    Broker broker(**loop, std::move(config), std::move(*policy));
    broker.start();
    if (auto ran = (*loop)->run(); !ran) {
        log::error("broker", ran.error().message());
        return 70;
    }
    return 0;
}

int sweep(const SweepOptions& options) {
    auto loop = loop::EventLoop::create();
    if (!loop) {
        log::error("sweep", loop.error().message());
        return 70;
    }
    Upstream upstream(**loop, options.host_socket);
    SweepScope scope;
    scope.kind = SweepScope::Kind::Orphans;
    scope.agent_id = options.agent_id;
    scope.incarnation = options.keep_incarnation;
    const auto report = run_sweep(**loop, upstream, "", std::move(scope), Milliseconds(options.deadline_ms));
    for (const auto& problem : report.problems) log::warn("sweep", problem);
    log::info("sweep", "removed " + summary(report) + " of agents that are gone");
    return report.leftover == 0 && report.problems.empty() ? 0 : 69;
}

}  // namespace supervisor::broker
