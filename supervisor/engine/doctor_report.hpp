// What `doctor` prints: every decision of a plan as one line, the ones that fail or warn with what to do
// about them. The same rows as JSON for programs.
#pragma once

#include <string>

#include "base/json.hpp"
#include "engine/plan.hpp"

namespace supervisor::engine {

struct ReportStyle {
    bool colour = false;
    unsigned width = 100;  // columns; 0: lines are not broken
};

std::string doctor_text(const EnginePlan& plan, const host::HostFacts& facts, const ReportStyle& style = {});
json::object doctor_json(const EnginePlan& plan, const host::HostFacts& facts);

}  // namespace supervisor::engine
