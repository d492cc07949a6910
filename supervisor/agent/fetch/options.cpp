#include "agent/fetch/options.hpp"

#include <map>

#include "base/strings.hpp"

namespace supervisor::agent::fetch {
namespace {

Result<> set_special(Options& options, const std::string& name, const std::string& value) {
    if (name == "--verification") {
        SUPERVISOR_TRY_ASSIGN(verification, parse_verification(value));
        options.access.verification = verification;
        return {};
    }
    if (name == "--stall-seconds") {
        SUPERVISOR_TRY_ASSIGN(seconds, parse_unsigned(value, 3600));
        options.stall = std::chrono::seconds(seconds);
        return {};
    }
    return fail("unknown option '" + printable(name) + "'");
}

}  // namespace

Result<Options> parse_options(const std::vector<std::string>& arguments) {
    Options options;
    const std::map<std::string, std::string*> texts = {
        {"--server", &options.server},
        {"--directory", &options.directory},
        {"--baked", &options.baked},
        {"--check", &options.check},
        {"--root-certificates", &options.access.root_certificates},
        {"--client-certificate", &options.access.client_certificate},
        {"--client-key", &options.access.client_key},
        {"--client-key-passphrase-file", &options.access.client_key_passphrase_file},
        {"--proxy", &options.access.proxy},
    };
    const auto only = arguments.size() == 1 ? arguments.front() : std::string();
    if (only == "--default-jvm-flags") options.print = Options::Print::JvmFlags;
    if (only == "--console-logging") options.print = Options::Print::ConsoleLogging;
    if (arguments.size() == 2 && arguments.front() == "--sum") {
        options.print = Options::Print::Sum;
        options.check = arguments.back();
    }
    if (options.print != Options::Print::Nothing) return options;
    for (std::size_t i = 0; i < arguments.size(); i += 2) {
        const auto& name = arguments[i];
        if (i + 1 == arguments.size()) return fail(name + " needs a value");
        if (const auto text = texts.find(name); text != texts.end()) {
            *text->second = arguments[i + 1];
        } else {
            SUPERVISOR_TRY(set_special(options, name, arguments[i + 1]));
        }
    }
    if (options.server.empty() || options.directory.empty())
        return fail("--server and --directory are needed");
    return options;
}

}  // namespace supervisor::agent::fetch
