#include "cli/stop_budget.hpp"

#include "agent/environment.hpp"

namespace supervisor::cli {

StopBudget stop_budget(const std::vector<std::string>& environment) {
    const std::string plugin = agent::variable_or_empty(environment, "GO_EA_AUTO_REGISTER_ELASTIC_PLUGIN_ID");
    if (plugin == "cd.go.contrib.elastic-agent.docker")
        return {Milliseconds(1'800), "the docker elastic plugin allows 2 s"};
    if (plugin == "cd.go.contrib.elastic-agent.docker-swarm")
        return {Milliseconds(9'000), "swarm allows 10 s"};
    if (plugin == "com.thoughtworks.gocd.elastic-agent.ecs") return {Milliseconds(27'000), "ECS allows 30 s"};
    if (!agent::variable_or_empty(environment, "KUBERNETES_SERVICE_HOST").empty() ||
        plugin == "cd.go.contrib.elasticagent.kubernetes") {
        return {Milliseconds(27'000), "kubernetes allows 30 s"};
    }
    return {Milliseconds(9'000), "docker stop allows 10 s"};
}

}  // namespace supervisor::cli
