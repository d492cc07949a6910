#include "options.hpp"

#include <algorithm>
#include <array>
#include <functional>

#include "base/json.hpp"
#include "base/strings.hpp"
#include "files.hpp"

namespace stub_server {
namespace {

using supervisor::fail;
using supervisor::Result;
namespace json = supervisor::json;

struct Option {
    std::string_view name;
    std::string_view value;  // "" for a switch
    std::string_view help;
    std::function<Result<>(Options&, const std::string&)> set;
};

Result<> set_listen(Options& options, const std::string& value) {
    const auto colon = value.rfind(':');
    if (colon == std::string::npos) return fail("accepted is HOST:PORT");
    options.host = value.substr(0, colon);
    SUPERVISOR_TRY_ASSIGN(port, supervisor::parse_unsigned(value.substr(colon + 1), 65535));
    options.port = static_cast<std::uint16_t>(port);
    return {};
}

Result<> set_milliseconds(std::chrono::milliseconds& target, const std::string& value) {
    SUPERVISOR_TRY_ASSIGN(amount, supervisor::parse_unsigned(value));
    target = std::chrono::milliseconds(amount);
    return {};
}

Result<> set_number(std::uint64_t& target, const std::string& value) {
    SUPERVISOR_TRY_ASSIGN(amount, supervisor::parse_unsigned(value));
    target = amount;
    return {};
}

Result<> set_fault_kind(Fault& fault, const std::string& name, const std::string& argument) {
    static const std::map<std::string, Fault::Kind> kinds = {
        {"status", Fault::Kind::Status},     {"delay", Fault::Kind::Delay}, {"rate", Fault::Kind::Rate},
        {"truncate", Fault::Kind::Truncate}, {"stall", Fault::Kind::Stall}, {"corrupt", Fault::Kind::Corrupt},
        {"redirect", Fault::Kind::Redirect}, {"drop", Fault::Kind::Drop},
    };
    const auto found = kinds.find(name);
    if (found == kinds.end()) return fail("unknown fault '" + name + "'");
    fault.kind = found->second;
    if (fault.kind == Fault::Kind::Redirect) {
        fault.target = argument;
        return {};
    }
    return argument.empty() ? Result<>() : set_number(fault.amount, argument);
}

// [METHOD ]PATH_SUFFIX=KIND[:ARGUMENT][*COUNT]
Result<> add_fault(Options& options, const std::string& value) {
    const auto equals = value.find('=');
    if (equals == std::string::npos) return fail("accepted is [METHOD ]PATH=KIND[:ARGUMENT][*COUNT]");
    Fault fault;
    fault.path_suffix = value.substr(0, equals);
    if (const auto space = fault.path_suffix.find(' '); space != std::string::npos) {
        fault.method = fault.path_suffix.substr(0, space);
        fault.path_suffix.erase(0, space + 1);
    }
    auto kind = value.substr(equals + 1);
    if (const auto star = kind.rfind('*'); star != std::string::npos) {
        SUPERVISOR_TRY(set_number(fault.remaining, kind.substr(star + 1)));
        kind.resize(star);
    }
    const auto colon = kind.find(':');
    const auto argument = colon == std::string::npos ? std::string() : kind.substr(colon + 1);
    SUPERVISOR_TRY(set_fault_kind(fault, kind.substr(0, colon), argument));
    options.faults.push_back(std::move(fault));
    return {};
}

std::chrono::milliseconds milliseconds_at(const json::object& object, std::string_view name) {
    const auto* value = object.if_contains(name);
    return std::chrono::milliseconds(value != nullptr && value->is_int64() ? value->as_int64() : 0);
}

Result<Job> job_from(const json::value& value) {
    const auto* object = value.if_object();
    const auto* commands = object == nullptr ? nullptr : object->if_contains("commands");
    if (commands == nullptr || !commands->is_array())
        return fail("a job needs \"commands\": [[\"word\", …], …]");
    Job job;
    for (const auto& command : commands->as_array()) {
        if (!command.is_array()) return fail("a command is an array of words");
        auto& words = job.commands.emplace_back();
        for (const auto& word : command.as_array()) {
            if (!word.is_string()) return fail("a word is a string");
            words.emplace_back(word.as_string().c_str());
        }
    }
    if (const auto* environment = object->if_contains("environment");
        environment && environment->is_object()) {
        for (const auto& [name, text] : environment->as_object()) {
            if (text.is_string()) job.environment[std::string(name)] = text.as_string().c_str();
        }
    }
    job.cancel_after = milliseconds_at(*object, "cancel_after_ms");
    job.kill_after = milliseconds_at(*object, "kill_after_ms");
    return job;
}

Result<> read_jobs(Options& options, const std::string& path) {
    SUPERVISOR_TRY_ASSIGN(text, read_file(path));
    SUPERVISOR_TRY_ASSIGN(value, supervisor::parse_json(text));
    if (!value.is_array()) return fail(path + ": an array of jobs is expected");
    for (const auto& element : value.as_array()) {
        SUPERVISOR_TRY_ASSIGN(job, job_from(element));
        options.jobs.push_back(std::move(job));
    }
    return {};
}

Result<> add_shell_job(Options& options, const std::string& command) {
    options.jobs.push_back(Job{.commands = {{"sh", "-c", command}}, .environment = {}});
    return {};
}

Result<> set_last_job(Options& options, std::chrono::milliseconds Job::*field, const std::string& value) {
    if (options.jobs.empty()) return fail("there is no --job before it");
    return set_milliseconds(options.jobs.back().*field, value);
}

template <class Member>
auto text(Member member) {
    return [member](Options& options, const std::string& value) -> Result<> {
        options.*member = value;
        return {};
    };
}

const std::vector<Option>& table() {
    static const std::vector<Option> options = {
        {"--listen", "HOST:PORT", "default 127.0.0.1:0, a free port", set_listen},
        {"--port-file", "FILE", "the port is written here as soon as it is bound", text(&Options::port_file)},
        {"--files", "DIR", "agent.jar, agent-launcher.jar, agent-plugins.zip, tfs-impl.jar",
         text(&Options::files)},
        {"--record", "FILE", "what was seen, one JSON object a line, with time stamps",
         text(&Options::record)},
        {"--key", "KEY", "the only auto-register key accepted; others get 422", text(&Options::key)},
        {"--extra-properties", "TEXT", "name=value pairs that the agent JVM is to get",
         text(&Options::extra_properties)},
        {"--job", "COMMAND", "a job that runs sh -c COMMAND; may be repeated", add_shell_job},
        {"--cancel-after", "MS", "cancels the job named before it",
         [](Options& o, const std::string& v) { return set_last_job(o, &Job::cancel_after, v); }},
        {"--kill-after", "MS", "kills the tasks of the job named before it",
         [](Options& o, const std::string& v) { return set_last_job(o, &Job::kill_after, v); }},
        {"--jobs", "FILE",
         "[{\"commands\": [[…]], \"environment\": {}, \"cancel_after_ms\": N, \"kill_after_ms\": N}]",
         read_jobs},
        {"--repeat", "N", "hands out the list of jobs N times",
         [](Options& o, const std::string& v) { return set_number(o.repeat, v); }},
        {"--exit-after-jobs", "N", "ends with 0 once N jobs were reported",
         [](Options& o, const std::string& v) { return set_number(o.exit_after_jobs, v); }},
        {"--down-for", "MS", "the port refuses connections that long",
         [](Options& o, const std::string& v) { return set_milliseconds(o.down_for, v); }},
        {"--fault", "RULE",
         "[METHOD ]PATH=KIND[:N][*COUNT]; status:N delay:MS rate:N truncate:N stall:N corrupt redirect:URL "
         "drop",
         add_fault},
        {"--tls-cert", "FILE", "PEM chain; TLS needs --tls-key too", text(&Options::tls_certificate)},
        {"--tls-key", "FILE", "", text(&Options::tls_key)},
        {"--client-ca", "FILE", "demands a client certificate signed by it", text(&Options::client_ca)},
        {"--proxy", "",
         "be an HTTP proxy that leads nowhere but here: absolute URLs, or CONNECT and then TLS",
         [](Options& o, const std::string&) -> Result<> {
             o.proxy = true;
             return {};
         }},
    };
    return options;
}

}  // namespace

supervisor::Result<Options> parse_options(const std::vector<std::string>& arguments) {
    Options options;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const Option* known = nullptr;
        for (const auto& option : table()) {
            if (option.name == arguments[i]) known = &option;
        }
        if (known == nullptr) return fail("unknown option '" + arguments[i] + "'");
        if (!known->value.empty() && ++i == arguments.size())
            return fail(std::string(known->name) + " needs a value");
        if (auto set = known->set(options, arguments[i]); !set) {
            return fail(set.error(), std::string(known->name) + " '" + arguments[i] + "'");
        }
    }
    return options;
}

std::string usage() {
    std::string out = "gocd-stub-server: what an agent needs of a GoCD server\n\n";
    for (const auto& option : table()) {
        auto line = "  " + std::string(option.name) + ' ' + std::string(option.value);
        line.resize(std::max<std::size_t>(line.size() + 1, 28), ' ');
        out += line + std::string(option.help) + '\n';
    }
    return out;
}

}  // namespace stub_server
