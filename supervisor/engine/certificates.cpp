#include "engine/certificates.hpp"

#include <string_view>

#include "sys/files.hpp"

namespace supervisor::engine {
namespace {

constexpr const char* kPerRegistry = "/etc/docker/certs.d";
constexpr const char* kSystemBundle = "/etc/ssl/certs/ca-certificates.crt";
constexpr std::string_view kBegin = "-----BEGIN CERTIFICATE-----";

bool is_certificate_name(std::string_view name) {
    return name.ends_with(".crt") || name.ends_with(".pem");
}

Result<> copy_file(const std::string& from, const std::string& to, mode_t mode) {
    SUPERVISOR_TRY_ASSIGN(text, sys::read_file(from));
    return sys::replace_file(to, text, mode);
}

Result<> install_for_registry(const std::string& source, const std::string& registry) {
    const std::string target = std::string(kPerRegistry) + "/" + registry;
    SUPERVISOR_TRY(sys::make_directories(target));
    SUPERVISOR_TRY_ASSIGN(names, sys::list_directory(source + "/" + registry));
    for (const auto& name : names) {
        if (sys::is_directory(source + "/" + registry + "/" + name)) continue;
        const bool key = name.ends_with(".key");
        SUPERVISOR_TRY(
            copy_file(source + "/" + registry + "/" + name, target + "/" + name, key ? 0600 : 0644));
    }
    return {};
}

Result<std::string> certificate_text(const std::string& path) {
    SUPERVISOR_TRY_ASSIGN(text, sys::read_file(path));
    if (text.find(kBegin) == std::string::npos) return fail(path + " holds no PEM certificate");
    if (text.back() != '\n') text += '\n';
    return text;
}

}  // namespace

Result<std::vector<std::string>> install_certificates(const std::string& source, const std::string& target) {
    std::vector<std::string> notes;
    SUPERVISOR_TRY(sys::remove_tree(target));
    SUPERVISOR_TRY(sys::make_directories(target));
    auto names = sys::list_directory(source);
    if (!names) return fail(names.error(), "registry certificates");
    for (const auto& name : *names) {
        if (name.starts_with('.')) continue;  // the ..data links of a mounted Kubernetes secret
        const std::string path = source + "/" + name;
        Result<> done;
        if (sys::is_directory(path)) {
            done = install_for_registry(source, name);
        } else if (is_certificate_name(name)) {
            const auto text = certificate_text(path);
            done = text ? sys::replace_file(target + "/" + name, *text, 0644) : fail(text.error());
        } else {
            done = fail(path + " is neither *.crt, *.pem nor a registry's directory");
        }
        if (!done) notes.push_back("certificate left out: " + done.error().message());
    }
    return notes;
}

Result<> write_bundle(const std::string& source, const std::string& bundle) {
    std::string text = sys::read_file_or(kSystemBundle);
    auto names = sys::list_directory(source);
    if (!names) return fail(names.error(), "registry certificates");
    for (const auto& name : *names) {
        if (name.starts_with('.') || !is_certificate_name(name)) continue;
        if (const auto certificate = certificate_text(source + "/" + name)) text += *certificate;
    }
    return sys::replace_file(bundle, text, 0644);
}

std::vector<std::string> bundle_environment(const std::string& bundle) {
    std::vector<std::string> entries;
    for (const char* name :
         {"SSL_CERT_FILE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"})
        entries.push_back(std::string(name) + "=" + bundle);
    return entries;
}

}  // namespace supervisor::engine
