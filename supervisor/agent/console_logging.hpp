// The logback include that sends the agent's log to standard output, in the form that job_tracker.hpp reads.
#pragma once

#include <string_view>

namespace supervisor::agent {

inline constexpr std::string_view kConsoleLogging = R"(<included>
  <appender name="CONSOLE" class="ch.qos.logback.core.ConsoleAppender">
    <encoder>
      <pattern>%date{ISO8601} %-5level [%thread] %logger{0}:%line - %msg%n</pattern>
    </encoder>
  </appender>
  <root>
    <appender-ref ref="CONSOLE"/>
  </root>
</included>
)";

}  // namespace supervisor::agent
