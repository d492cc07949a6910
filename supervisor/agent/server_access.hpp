// How the server is reached: the part of AGENT_BOOTSTRAPPER_ARGS and of a bootstrapper's JVM flags that a
// launcher other than the official one has to understand.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/settings.hpp"

namespace supervisor::agent {

enum class Verification { Full, NoHost, None };
// FULL, NO_VERIFY_HOST, NONE.
std::string_view to_string(Verification verification);
Result<Verification> parse_verification(std::string_view text);

struct ServerAccess {
    Verification verification = Verification::Full;
    // Absolute paths, "" where nothing was given.
    std::string root_certificates;
    std::string client_certificate;
    std::string client_key;
    std::string client_key_passphrase_file;
    // From Java's proxy properties: "http://HOST:PORT"; "direct" when http.nonProxyHosts names the server; ""
    // when there are no such properties and the proxy variables of the environment count.
    std::string proxy;
    // Names of JVM arguments that only a bootstrapper's JVM could follow (a Java trust store, the user of a
    // proxy, an agent library, …).
    std::vector<std::string> only_for_a_jvm;

    // The same as arguments of agent.jar.
    std::vector<std::string> agent_arguments() const;
};

// Fails on an argument that the official bootstrapper would refuse, and names it.
Result<ServerAccess> read_server_access(const Settings& settings);

// Java's rule: patterns separated by '|', each with '*' at its beginning or end; case does not count.
bool matches_non_proxy_hosts(std::string_view host, std::string_view patterns);

// The host of an http(s) URL, without port, user and the brackets of IPv6.
std::string host_of(std::string_view url);
// For logs: the URL without "user:password@".
std::string without_user(std::string_view url);

}  // namespace supervisor::agent
