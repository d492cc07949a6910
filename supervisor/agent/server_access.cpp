#include "agent/server_access.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <utility>

#include "base/strings.hpp"

namespace supervisor::agent {
namespace {

constexpr std::array<std::pair<std::string_view, Verification>, 3> kVerifications = {{
    {"FULL", Verification::Full},
    {"NO_VERIFY_HOST", Verification::NoHost},
    {"NONE", Verification::None},
}};

// JVM arguments that matter to the bootstrapper alone, or that this launcher reads itself.
constexpr std::array<std::string_view, 22> kHarmlessJvmArguments = {
    "-Xm",
    "-Xs",
    "-Xlog",
    "-server",
    "-XX:",
    "-Dgo.",
    "-Dgocd.",
    "-Dagent.",
    "-Dlockfile.",
    "-Dsleep.for.download",
    "-Dfile.encoding=",
    "-Djava.awt.headless=",
    "-Djava.io.tmpdir=",
    "-Djava.net.preferIPv",
    "-Djava.security.egd=",
    "-Dnetworkaddress.cache.",
    "-Duser.",
    "-Dhttp.proxy",
    "-Dhttps.proxy",
    "-Dhttp.nonProxyHosts=",
    "--enable-native-access",
    "--sun-misc-unsafe-memory-access",
};
// Java's clients take a proxy's user from here; a fetcher would have to show it in its arguments.
constexpr std::array<std::string_view, 4> kProxyCredentials = {
    "-Dhttp.proxyUser=", "-Dhttp.proxyPassword=", "-Dhttps.proxyUser=", "-Dhttps.proxyPassword="};
// What Java leaves out when http.nonProxyHosts is not set.
constexpr std::string_view kDefaultNonProxyHosts = "localhost|127.*|::1|0.0.0.0|::0";

std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return out;
}

template <class Prefixes>
bool starts_with_any(std::string_view argument, const Prefixes& prefixes) {
    return std::any_of(prefixes.begin(), prefixes.end(),
                       [&](std::string_view prefix) { return argument.starts_with(prefix); });
}

// Without the value, which may be a password.
std::string name_of(const std::string& argument) {
    return argument.substr(0, argument.find('='));
}

std::string absolute(const std::string& path, const std::string& directory) {
    return path.starts_with('/') ? path : directory + '/' + path;
}

std::optional<std::string> java_property(const std::vector<std::string>& arguments, std::string_view name) {
    const auto prefix = "-D" + std::string(name) + '=';
    std::optional<std::string> value;
    for (const auto& argument : arguments) {
        if (argument.starts_with(prefix)) value = argument.substr(prefix.size());
    }
    return value;
}

std::string proxy_for(const Settings& settings) {
    const std::string scheme = settings.server_url.starts_with("https:") ? "https" : "http";
    auto arguments = settings.inherited_jvm_flags;
    arguments.insert(arguments.end(), settings.bootstrapper_jvm_args.begin(),
                     settings.bootstrapper_jvm_args.end());
    const auto host = java_property(arguments, scheme + ".proxyHost");
    if (!host || host->empty()) return {};
    const auto excluded = java_property(arguments, "http.nonProxyHosts");
    const auto server = host_of(settings.server_url);
    if (matches_non_proxy_hosts(server, excluded ? std::string_view(*excluded) : kDefaultNonProxyHosts)) {
        return "direct";
    }
    const auto port = java_property(arguments, scheme + ".proxyPort");
    return "http://" + *host + ':' + port.value_or(scheme == "https" ? "443" : "80");
}

Result<> take_argument(ServerAccess& access, const std::string& name, const std::string& value,
                       const std::string& directory) {
    if (name == "-sslVerificationMode") {
        SUPERVISOR_TRY_ASSIGN(verification, parse_verification(value));
        access.verification = verification;
    } else if (name == "-rootCertFile") {
        access.root_certificates = absolute(value, directory);
    } else if (name == "-sslCertificateFile") {
        access.client_certificate = absolute(value, directory);
    } else if (name == "-sslPrivateKeyFile") {
        access.client_key = absolute(value, directory);
    } else if (name == "-sslPrivateKeyPassphraseFile") {
        access.client_key_passphrase_file = absolute(value, directory);
    } else {
        return fail("'" + printable(name) +
                    "' is not known: accepted are -sslVerificationMode, -rootCertFile, -sslCertificateFile, "
                    "-sslPrivateKeyFile, -sslPrivateKeyPassphraseFile");
    }
    return {};
}

}  // namespace

std::string_view to_string(Verification verification) {
    for (const auto& [name, known] : kVerifications) {
        if (known == verification) return name;
    }
    return "?";
}

Result<Verification> parse_verification(std::string_view text) {
    for (const auto& [name, known] : kVerifications) {
        if (name == text) return known;
    }
    return fail("'" + printable(text) +
                "' is no way to verify a server: accepted are FULL, NO_VERIFY_HOST, NONE");
}

std::vector<std::string> ServerAccess::agent_arguments() const {
    std::vector<std::string> arguments;
    const auto add = [&](std::string_view name, std::string_view value) {
        if (!value.empty()) arguments.insert(arguments.end(), {std::string(name), std::string(value)});
    };
    if (verification != Verification::Full) add("-sslVerificationMode", to_string(verification));
    add("-rootCertFile", root_certificates);
    add("-sslCertificateFile", client_certificate);
    add("-sslPrivateKeyFile", client_key);
    add("-sslPrivateKeyPassphraseFile", client_key_passphrase_file);
    return arguments;
}

Result<ServerAccess> read_server_access(const Settings& settings) {
    ServerAccess access;
    const auto& arguments = settings.bootstrapper_args;
    for (std::size_t i = 0; i < arguments.size(); i += 2) {
        if (i + 1 == arguments.size()) {
            return fail("AGENT_BOOTSTRAPPER_ARGS: '" + printable(arguments[i]) + "' needs a value");
        }
        const auto taken = take_argument(access, arguments[i], arguments[i + 1], settings.working_directory);
        if (!taken) return fail(taken.error(), "AGENT_BOOTSTRAPPER_ARGS");
    }
    if (access.client_certificate.empty() != access.client_key.empty()) {
        return fail("AGENT_BOOTSTRAPPER_ARGS: -sslCertificateFile and -sslPrivateKeyFile belong together");
    }
    access.proxy = proxy_for(settings);
    for (const auto& argument : settings.bootstrapper_jvm_args) {
        if (!starts_with_any(argument, kHarmlessJvmArguments) || starts_with_any(argument, kProxyCredentials))
            access.only_for_a_jvm.push_back(name_of(argument));
    }
    // Of what every JVM in the container reads, only the way to a server and the trust in it matter to a
    // fetcher.
    for (const auto& flag : settings.inherited_jvm_flags) {
        if (flag.starts_with("-Djavax.net.ssl.") || starts_with_any(flag, kProxyCredentials))
            access.only_for_a_jvm.push_back(name_of(flag));
    }
    return access;
}

bool matches_non_proxy_hosts(std::string_view host, std::string_view patterns) {
    const auto name = lower(host);
    for (const auto piece : split(patterns, '|')) {
        auto pattern = lower(trim(piece));
        if (pattern.starts_with('[') && pattern.ends_with(']'))
            pattern = pattern.substr(1, pattern.size() - 2);
        const bool open_front = pattern.starts_with('*');
        const bool open_back = pattern.size() > 1 && pattern.ends_with('*');
        const auto core = pattern.substr(open_front, pattern.size() - open_front - open_back);
        if (pattern.empty()) continue;
        if (open_front && open_back ? name.find(core) != std::string::npos
            : open_front            ? name.ends_with(core)
            : open_back             ? name.starts_with(core)
                                    : name == core) {
            return true;
        }
    }
    return false;
}

std::string host_of(std::string_view url) {
    const auto scheme = url.find("://");
    auto rest = scheme == std::string_view::npos ? url : url.substr(scheme + 3);
    rest = rest.substr(0, rest.find_first_of("/?#"));
    if (const auto user = rest.rfind('@'); user != std::string_view::npos) rest.remove_prefix(user + 1);
    if (rest.starts_with('[')) return std::string(rest.substr(1, rest.find(']') - 1));
    return std::string(rest.substr(0, rest.find(':')));
}

std::string without_user(std::string_view url) {
    const auto scheme = url.find("://");
    const auto start = scheme == std::string_view::npos ? 0 : scheme + 3;
    const auto authority = url.substr(start, url.find_first_of("/?#", start) - start);
    const auto at = authority.rfind('@');
    if (at == std::string_view::npos) return std::string(url);
    return std::string(url.substr(0, start)) + std::string(url.substr(start + at + 1));
}

}  // namespace supervisor::agent
