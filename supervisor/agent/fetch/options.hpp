// The fetcher's command line; agent/launch.hpp writes it.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "agent/server_access.hpp"
#include "base/result.hpp"

namespace supervisor::agent::fetch {

struct Options {
    std::string server;     // ends in /go
    std::string directory;  // the agent's working directory
    std::string baked;      // directory with files and their md5 list; "" for none
    ServerAccess access;
    std::string check;  // a file whose content sum belongs into the result; "" for none
    // So long without a single byte, and a transfer is given up.
    std::chrono::seconds stall{30};
    // Instead of fetching: print what an agent that nobody has configured gets. Whoever trains an AOT cache
    // needs exactly this. Sum prints that of the file `check`.
    enum class Print { Nothing, JvmFlags, ConsoleLogging, Sum };
    Print print = Print::Nothing;
};

// Fails on what is unknown or missing, and names it.
Result<Options> parse_options(const std::vector<std::string>& arguments);

// Of the list of md5 sums in the directory of baked files.
inline constexpr const char* kBakedList = "md5sums";

}  // namespace supervisor::agent::fetch
