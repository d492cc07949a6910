// Certificates of private registries, from a directory that the user mounts:
//   DIR/*.crt, DIR/*.pem            trusted by the engine for every registry, and by jobs
//   DIR/<registry>[:port]/*.crt     by the engine for that registry only (also client.cert and client.key)
//
// The engine reads the first kind through SSL_CERT_DIR; the second kind appears under /etc/docker/certs.d.
// Jobs get one bundle, the system's certificates and these, that the usual variables name.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace supervisor::engine {

// Copies into `target` and links into /etc/docker/certs.d. Returns notes about what was left out.
Result<std::vector<std::string>> install_certificates(const std::string& source, const std::string& target);

// Writes `bundle`: what the system trusts and the certificates of `source`.
Result<> write_bundle(const std::string& source, const std::string& bundle);
// SSL_CERT_FILE, CURL_CA_BUNDLE, GIT_SSL_CAINFO … for the agent and its jobs.
std::vector<std::string> bundle_environment(const std::string& bundle);

}  // namespace supervisor::engine
