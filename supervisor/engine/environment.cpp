#include "engine/environment.hpp"

#include <algorithm>
#include <iterator>
#include <string_view>

namespace supervisor::engine {
namespace {

constexpr std::string_view kNames[] = {
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "FTP_PROXY", "http_proxy", "https_proxy",
    "no_proxy", "all_proxy", "ftp_proxy", "TZ", "LANG", "SSL_CERT_FILE", "SSL_CERT_DIR", "GODEBUG", "GOGC",
    "GOMAXPROCS", "GOMEMLIMIT", "GOTRACEBACK",
    // dockerd's own
    "DOCKER_TMPDIR", "DOCKER_MIN_API_VERSION", "DOCKER_IGNORE_BR_NETFILTER_ERROR",
    "DOCKER_INSECURE_NO_IPTABLES_RAW", "DOCKER_MIGRATE_SNAPSHOTTER_THRESHOLD"};
// Tracing, the credentials of log drivers, and BuildKit's switches.
constexpr std::string_view kPrefixes[] = {"OTEL_", "AWS_", "GOOGLE_", "BUILDKIT_", "LC_"};
constexpr const char* kUsualPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr const char* kSystemCertificates = "/etc/ssl/certs";

bool is_for_the_engine(std::string_view name) {
    return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames) ||
           std::any_of(std::begin(kPrefixes), std::end(kPrefixes),
                       [&](std::string_view prefix) { return name.starts_with(prefix); });
}

std::string value_or(const std::map<std::string, std::string>& variables, const std::string& name,
                     const std::string& otherwise) {
    const auto found = variables.find(name);
    return found == variables.end() || found->second.empty() ? otherwise : found->second;
}

}  // namespace

std::vector<std::string> engine_environment(const std::map<std::string, std::string>& ours,
                                            const EnginePlan& plan, const EngineSettings& settings) {
    const auto paths = engine_paths(settings);
    std::map<std::string, std::string> variables;
    for (const auto& [name, value] : ours) {
        if (is_for_the_engine(name)) variables[name] = value;
    }
    variables["HOME"] = "/root";
    variables["PATH"] = value_or(ours, "PATH", kUsualPath);
    if (plan.network.backend != IptablesBackend::None)
        variables["PATH"] = paths.programs + ":" + variables["PATH"];
    if (plan.network.without_raw) variables["DOCKER_INSECURE_NO_IPTABLES_RAW"] = "1";
    if (plan.network.without_bridge_filter) variables["DOCKER_IGNORE_BR_NETFILTER_ERROR"] = "1";
    if (plan.security.ignore_apparmor) variables["container"] = "docker";
    if (!settings.ca_certificates.empty()) {
        variables["SSL_CERT_DIR"] =
            value_or(variables, "SSL_CERT_DIR", kSystemCertificates) + ":" + paths.certificates;
    }
    std::vector<std::string> entries;
    for (const auto& [name, value] : variables) entries.push_back(name + "=" + value);
    return entries;
}

}  // namespace supervisor::engine
