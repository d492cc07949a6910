// Facts and decisions of DinD, without touching anything: Dind carries them out, `doctor` prints them.
#pragma once

#include "cli/config.hpp"
#include "engine/containment.hpp"
#include "engine/plan.hpp"
#include "engine/settings.hpp"
#include "engine/user_choices.hpp"
#include "host/facts.hpp"

namespace supervisor::cli {

// Of the agent and its jobs: what they bind into containers lies there.
std::vector<std::string> agent_directories();

struct DindPlan {
    engine::EngineSettings settings;
    engine::UserChoices choices;
    host::HostFacts host;
    engine::EngineFacts engine;
    engine::ContainmentPlan containment;
    engine::EnginePlan plan;

    // Reads options and files only. Errors are the user's (64).
    static Result<DindPlan> read(const Config& config);
    // Reads the host and decides how the engine is contained; errors are the host's (71).
    Result<> probe(const Config& config, const std::vector<std::string>& environment);
    // Decides everything else. With `strict` off the plan is a draft that may hold failed decisions.
    Result<> decide(const std::vector<std::string>& environment, bool strict);
};

}  // namespace supervisor::cli
