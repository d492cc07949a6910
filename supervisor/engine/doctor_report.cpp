#include "engine/doctor_report.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "base/strings.hpp"

namespace supervisor::engine {
namespace {

std::string_view word(Verdict verdict) {
    switch (verdict) {
        case Verdict::Ok:
            return "ok";
        case Verdict::Warn:
            return "warn";
        case Verdict::Fail:
            return "FAIL";
    }
    return "?";
}

std::string_view colour_of(Verdict verdict) {
    switch (verdict) {
        case Verdict::Ok:
            return "\x1b[32m";
        case Verdict::Warn:
            return "\x1b[33m";
        case Verdict::Fail:
            return "\x1b[1;31m";
    }
    return "";
}

// `text` broken at blanks so that no line is longer than `width`; later lines start with `indent` blanks.
std::string wrapped(std::string_view text, std::size_t indent, unsigned width) {
    std::string out;
    std::size_t column = indent;
    for (const auto part : split_words(text)) {
        const bool fits = width == 0 || column == indent || column + 1 + part.size() <= width;
        if (!fits) {
            out += "\n" + std::string(indent, ' ');
            column = indent;
        }
        if (column != indent) {
            out += ' ';
            ++column;
        }
        out += part;
        column += part.size();
    }
    return out;
}

std::string row(const Decision& decision, std::size_t topic_width, const ReportStyle& style) {
    const std::size_t indent = 6 + topic_width + 2;
    std::string mark = fmt::format("{:<4}", word(decision.verdict));
    if (style.colour) mark = fmt::format("{}{}\x1b[0m", colour_of(decision.verdict), mark);
    const auto what = wrapped(decision.choice + ": " + decision.reason, indent, style.width);
    std::string text = fmt::format("{}  {:<{}}  {}\n", mark, decision.topic, topic_width, what);
    if (!decision.fix.empty() && decision.verdict != Verdict::Ok) {
        text += std::string(indent, ' ') + wrapped("→ " + decision.fix, indent + 2, style.width) + "\n";
    }
    return text;
}

std::string host_line(const EnginePlan& plan, const host::HostFacts& facts) {
    return fmt::format("Linux {}, {} of memory, cgroup {}, engine {}\n", facts.machine.kernel,
                       format_size(facts.machine.memory_total), to_string(facts.cgroup.mode),
                       plan.version.text());
}

std::string summary(const EnginePlan& plan) {
    const auto count = [&](Verdict verdict) {
        return std::count_if(plan.decisions.begin(), plan.decisions.end(),
                             [&](const Decision& decision) { return decision.verdict == verdict; });
    };
    const auto failures = count(Verdict::Fail);
    const auto warnings = count(Verdict::Warn);
    if (failures != 0) return fmt::format("Docker will not work here: {} problem(s).\n", failures);
    if (warnings != 0) return fmt::format("Docker will work here, with {} warning(s).\n", warnings);
    return "Docker will work here.\n";
}

}  // namespace

std::string doctor_text(const EnginePlan& plan, const host::HostFacts& facts, const ReportStyle& style) {
    std::size_t topic_width = 0;
    for (const auto& decision : plan.decisions) topic_width = std::max(topic_width, decision.topic.size());
    std::string text = host_line(plan, facts) + "\n";
    for (const auto& decision : plan.decisions) text += row(decision, topic_width, style);
    return text + "\n" + summary(plan);
}

json::object doctor_json(const EnginePlan& plan, const host::HostFacts& facts) {
    json::array checks;
    for (const auto& decision : plan.decisions) {
        json::object check{{"check", decision.topic},
                           {"verdict", decision.verdict == Verdict::Fail ? "fail" : word(decision.verdict)},
                           {"choice", decision.choice},
                           {"reason", decision.reason}};
        if (!decision.fix.empty()) check["fix"] = decision.fix;
        checks.push_back(std::move(check));
    }
    const json::object host{{"kernel", facts.machine.kernel},
                            {"memory", facts.machine.memory_total},
                            {"cgroup", to_string(facts.cgroup.mode)},
                            {"data_directory", facts.storage.path},
                            {"data_file_system", facts.storage.type}};
    return {
        {"suitable", plan.suitable()}, {"engine", plan.version.text()}, {"host", host}, {"checks", checks}};
}

}  // namespace supervisor::engine
