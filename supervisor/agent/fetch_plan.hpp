// What the server says it has, against what is here already: which files have to be fetched.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace supervisor::agent {

// Answer headers of the status request, names in lower case.
using Headers = std::map<std::string, std::string, std::less<>>;

struct ServerStatus {
    // The four sums of latest-agent.status, lower-case hex. An agent compares all four with what its JVM was
    // started with, although it never opens agent-launcher.jar. An agent only warns of a sum that is not
    // announced; here launcher and tfs may be "" for the same reason, while every server has the other two.
    std::string agent_md5;
    std::string launcher_md5;
    std::string plugins_md5;
    std::string tfs_md5;
    // "name=value", decoded.
    std::vector<std::string> extra_properties;
};

// GET of this path answers with the sums in its headers.
inline constexpr std::string_view kStatusPath = "/admin/latest-agent.status";
// Fails when a sum that every server has is missing, or is none: whoever answered is no GoCD server, or a
// broken one.
Result<ServerStatus> parse_server_status(const Headers& headers);

// A file that the agent opens in its working directory.
struct AgentFile {
    std::string_view name;
    std::string_view url_path;
    std::string ServerStatus::*md5;
};
const std::array<AgentFile, 3>& agent_files();

// Sums of what is here; no value for a file that is not there.
struct LocalSums {
    std::optional<std::string> in_place;  // in the working directory
    std::optional<std::string> baked;     // in the image
};

struct PlannedFile {
    enum class Source { InPlace, Baked, Server };
    std::string name;
    std::string url_path;
    std::string md5;  // what it has to be
    Source source = Source::Server;
};
// A file in place is preferred, then one that was baked in; the server wins over both when its sum differs.
std::vector<PlannedFile> plan_fetch(const ServerStatus& status,
                                    const std::map<std::string, LocalSums>& local);

// The list beside baked files, as md5sum(1) writes it: "<32 hex digits>  <name>". Other lines are an error.
Result<std::map<std::string, std::string>> parse_md5_list(std::string_view text);

// The server writes base64 and puts %20 where a value has a space.
Result<std::vector<std::string>> decode_extra_properties(std::string_view base64);

}  // namespace supervisor::agent
