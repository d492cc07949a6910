#include "cli/stop_budget.hpp"

#include <gtest/gtest.h>

namespace supervisor::cli {
namespace {

TEST(StopBudget, H4_DependsOnWhoStopsUs) {
    const std::string plugin = "GO_EA_AUTO_REGISTER_ELASTIC_PLUGIN_ID=";
    struct Case {
        std::vector<std::string> environment;
        int total;
        int allowed;  // by whoever kills us
    };
    const Case cases[] = {
        {{}, 9'000, 10'000},
        {{"PATH=/bin"}, 9'000, 10'000},
        {{plugin + "cd.go.contrib.elastic-agent.docker"}, 1'800, 2'000},
        {{plugin + "cd.go.contrib.elastic-agent.docker-swarm"}, 9'000, 10'000},
        {{plugin + "cd.go.contrib.elasticagent.kubernetes"}, 27'000, 30'000},
        {{plugin + "com.thoughtworks.gocd.elastic-agent.ecs"}, 27'000, 30'000},
        {{"KUBERNETES_SERVICE_HOST=10.0.0.1"}, 27'000, 30'000},
        {{"KUBERNETES_SERVICE_HOST="}, 9'000, 10'000},
        {{plugin + "somebody.elses"}, 9'000, 10'000},
        // The docker plugin's own limit holds wherever its server runs.
        {{"KUBERNETES_SERVICE_HOST=10.0.0.1", plugin + "cd.go.contrib.elastic-agent.docker"}, 1'800, 2'000},
    };
    for (const auto& [environment, total, allowed] : cases) {
        const auto budget = stop_budget(environment);
        EXPECT_EQ(budget.total, Milliseconds(total)) << budget.reason;
        EXPECT_LT(budget.total, Milliseconds(allowed)) << "some of it is the signal's way";
        EXPECT_FALSE(budget.reason.empty());
    }
}

}  // namespace
}  // namespace supervisor::cli
