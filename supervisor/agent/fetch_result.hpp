// What the fetcher tells the supervisor: one line of JSON on its standard output, then it exits with 0.
// Everything for people goes to its standard error.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "agent/fetch_plan.hpp"

namespace supervisor::agent {

struct FetchResult {
    ServerStatus status;
    // Content sum of the file that was to be checked; "" when there was none.
    std::string checked_sum;
    // For the log: how many files came from where.
    int in_place = 0;
    int baked = 0;
    int fetched = 0;
    std::uint64_t bytes_fetched = 0;
};

std::string render_fetch_result(const FetchResult& result);
Result<FetchResult> parse_fetch_result(std::string_view line);

}  // namespace supervisor::agent
