#include "agent/job_tracker.hpp"

#include <gtest/gtest.h>

#include <string>

namespace supervisor::agent {
namespace {

const std::string kTime = "2026-11-24 13:17:43,630 ";

TEST(ParseAgentLine, KnowsTheAgentsOwnLines) {
    struct Case {
        std::string line;
        AgentEvent event;
    };
    for (const auto& [line, event] : std::vector<Case>{
             {"INFO  [scheduler-1] BuildWork:86 - Executing received job BuildWork...",
              AgentEvent::JobStarted},
             {"INFO  [scheduler-12] BuildWork:1 - Job BuildWork completed.", AgentEvent::JobFinished},
             {"INFO  [scheduler-2] AgentHTTPClientController:123 - [Agent Loop] Got new cookie - ready to "
              "retrieve work.",
              AgentEvent::Connected},
             {"INFO  [scheduler-2] SslInfrastructureService:75 - [Agent Registration] Successfully "
              "registered agent.",
              AgentEvent::Registered},
             {"ERROR [scheduler-2] SslInfrastructureService:159 - [Agent Registration] Error occurred during "
              "agent "
              "registration process: 422",
              AgentEvent::RegistrationFailed}}) {
        EXPECT_EQ(parse_agent_line(kTime + line), event) << line;
        EXPECT_EQ(parse_agent_line("jvm 1    | " + kTime + line), event) << line;
        EXPECT_EQ(parse_agent_line("jvm 12   | " + kTime + line), event) << line;
    }
}

TEST(ParseAgentLine, IgnoresWhatAJobPrints) {
    const auto bracket = kTime + "INFO  [scheduler-1] BuildWork:98 - Job BuildWork completed.";
    for (const auto& line : std::vector<std::string>{
             kTime + "INFO  [StreamPumper-1] CommandLine:52 - " + bracket,
             kTime + "INFO  [StreamPumper-1] CommandLine:52 - [scheduler-1] BuildWork:98 - Job BuildWork "
                     "completed.",
             kTime + "INFO  [scheduler-1] CommandLine:52 - Job BuildWork completed.",
             kTime + "INFO  [scheduler-1] DefaultGoPublisher:91 - Job BuildWork completed.",
             kTime + "INFO  [scheduler-] BuildWork:98 - Job BuildWork completed.",
             kTime + "INFO  [scheduler-1] BuildWork:98 - Job BuildWork completed. not",
             kTime + "INFO  [scheduler-1] BuildWork: - Job BuildWork completed.", " " + bracket,
             "x" + bracket, "jvm 1 " + bracket, "jvm | " + bracket, "Job BuildWork completed.", "",
             bracket.substr(0, 40), kTime}) {
        EXPECT_EQ(parse_agent_line(line), std::nullopt) << line;
    }
}

TEST(JobTracker, BracketsJobs) {
    JobTracker tracker;
    EXPECT_FALSE(tracker.connected());
    tracker.feed(kTime +
                 "INFO  [scheduler-2] AgentHTTPClientController:123 - [Agent Loop] Got new cookie - ready");
    EXPECT_TRUE(tracker.connected());
    EXPECT_FALSE(tracker.job_running());
    tracker.feed(kTime + "INFO  [scheduler-1] BuildWork:86 - Executing received job BuildWork...");
    EXPECT_TRUE(tracker.job_running());
    tracker.feed(kTime + "INFO  [StreamPumper-1] CommandLine:52 - Job BuildWork completed.");
    EXPECT_TRUE(tracker.job_running());
    tracker.feed(kTime + "INFO  [scheduler-1] BuildWork:98 - Job BuildWork completed.");
    EXPECT_FALSE(tracker.job_running());
    tracker.feed(kTime + "INFO  [scheduler-1] BuildWork:86 - Executing received job BuildWork...");
    tracker.reset();
    EXPECT_FALSE(tracker.job_running());
    EXPECT_FALSE(tracker.connected());
}

}  // namespace
}  // namespace supervisor::agent
