#include "agent/fetch_plan.hpp"

#include <algorithm>
#include <cctype>

#include "base/strings.hpp"

namespace supervisor::agent {
namespace {

Result<std::string> md5_from(std::string_view text, std::string_view where) {
    std::string md5(trim(text));
    const bool hex =
        std::all_of(md5.begin(), md5.end(), [](unsigned char c) { return std::isxdigit(c) != 0; });
    if (md5.size() != 32 || !hex) {
        return fail(std::string(where) + " is '" + printable(md5, 60) + "', which is no md5 sum");
    }
    std::transform(md5.begin(), md5.end(), md5.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return md5;
}

Result<> read_sum(const Headers& headers, std::string_view name, std::string& target) {
    const auto found = headers.find(name);
    if (found == headers.end()) {
        return fail("the answer to " + std::string(kStatusPath) + " has no header " + std::string(name) +
                    ": is this a GoCD server's address?");
    }
    SUPERVISOR_TRY_ASSIGN(md5, md5_from(found->second, name));
    target = std::move(md5);
    return {};
}

int base64_digit(char c) {
    constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const auto at = kDigits.find(c);
    return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

Result<std::string> decode_base64(std::string_view text) {
    std::string out;
    unsigned int bits = 0;
    int held = 0;
    while (text.ends_with('=')) text.remove_suffix(1);
    for (const char c : text) {
        const int digit = base64_digit(c);
        if (digit < 0) return fail("'" + printable(text, 60) + "' is no base64");
        bits = (bits << 6 | static_cast<unsigned int>(digit)) & 0xFFFFU;
        held += 6;
        if (held < 8) continue;
        held -= 8;
        out += static_cast<char>(bits >> held & 0xFFU);
    }
    return out;
}

}  // namespace

const std::array<AgentFile, 3>& agent_files() {
    static const std::array<AgentFile, 3> files = {{
        {"agent.jar", "/admin/agent", &ServerStatus::agent_md5},
        {"agent-plugins.zip", "/admin/agent-plugins.zip", &ServerStatus::plugins_md5},
        {"tfs-impl.jar", "/admin/tfs-impl.jar", &ServerStatus::tfs_md5},
    }};
    return files;
}

Result<std::vector<std::string>> decode_extra_properties(std::string_view base64) {
    SUPERVISOR_TRY_ASSIGN(text, decode_base64(trim(base64)));
    std::vector<std::string> properties;
    for (const auto word : split_words(text)) properties.push_back(replace_all(word, "%20", " "));
    return properties;
}

Result<ServerStatus> parse_server_status(const Headers& headers) {
    ServerStatus status;
    SUPERVISOR_TRY(read_sum(headers, "agent-content-md5", status.agent_md5));
    SUPERVISOR_TRY(read_sum(headers, "agent-plugins-content-md5", status.plugins_md5));
    if (headers.contains("agent-launcher-content-md5"))
        SUPERVISOR_TRY(read_sum(headers, "agent-launcher-content-md5", status.launcher_md5));
    if (headers.contains("tfs-sdk-content-md5"))
        SUPERVISOR_TRY(read_sum(headers, "tfs-sdk-content-md5", status.tfs_md5));
    if (const auto extra = headers.find("gocd-agent-extra-properties"); extra != headers.end()) {
        // An agent does without them when it cannot read them, and so do we.
        status.extra_properties = decode_extra_properties(extra->second).value_or(std::vector<std::string>());
    }
    return status;
}

std::vector<PlannedFile> plan_fetch(const ServerStatus& status,
                                    const std::map<std::string, LocalSums>& local) {
    using Source = PlannedFile::Source;
    std::vector<PlannedFile> plan;
    for (const auto& file : agent_files()) {
        if ((status.*file.md5).empty()) continue;  // a server that has no such file
        PlannedFile planned{std::string(file.name), std::string(file.url_path), status.*file.md5,
                            Source::Server};
        if (const auto known = local.find(planned.name); known != local.end()) {
            if (known->second.baked == planned.md5) planned.source = Source::Baked;
            if (known->second.in_place == planned.md5) planned.source = Source::InPlace;
        }
        plan.push_back(std::move(planned));
    }
    return plan;
}

Result<std::map<std::string, std::string>> parse_md5_list(std::string_view text) {
    std::map<std::string, std::string> sums;
    for (const auto line : split_lines(text)) {
        if (trim(line).empty()) continue;
        const auto words = split_words(line);
        if (words.size() != 2) return fail("'" + printable(line) + "' is not '<md5>  <name>'");
        SUPERVISOR_TRY_ASSIGN(md5, md5_from(words[0], words[1]));
        const auto name = words[1].starts_with('*') ? words[1].substr(1) : words[1];
        sums[std::string(name)] = std::move(md5);
    }
    return sums;
}

}  // namespace supervisor::agent
