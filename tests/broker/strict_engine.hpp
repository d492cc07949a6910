// An engine that takes nothing but what a broker may send: it reads requests with a parser of its own, knows
// the routes and their query keys from a list of its own, and records what it would object to.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace supervisor::broker {

struct SeenRequest {
    std::string method;
    std::string path;  // decoded by nobody: canonical already
    std::string query;
    std::vector<std::pair<std::string, std::string>> fields;
    std::string body;

    [[nodiscard]] const std::string* field(std::string_view name) const;
};

// What a strict reader makes of the bytes of one connection.
struct Reading {
    enum class State { Incomplete, Complete, Objectionable };
    State state = State::Incomplete;
    std::size_t size = 0;
    SeenRequest request;
    std::string objection;
};
Reading read_strictly(std::string_view bytes);

// Why this request must not have come from a broker of the isolated policy; empty if it may have.
std::string objection_to(const SeenRequest& request);

}  // namespace supervisor::broker
