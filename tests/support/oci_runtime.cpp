// An OCI runtime for test engines on machines whose root lacks a capability.
//
// `docker run --privileged` asks for every capability the kernel knows, and runc refuses the whole container
// when its own bounding set does not have one of them. This program stands in front of runc: it takes what
// cannot be given out of the bundle's config.json (create, run) or of the process file (exec --process), and
// then becomes runc. tests/support/engine registers it only where something is missing.
//
// Usage: as dockerd calls runc. The real runtime is the first `runc` in PATH, or $OCI_RUNTIME_REAL.
// Exit: runc's own, or 70 with one line on stderr.
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <boost/json/src.hpp>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace {

namespace json = boost::json;

// In the order of their numbers in linux/capability.h.
constexpr std::array kCapabilityNames{"CAP_CHOWN",
                                      "CAP_DAC_OVERRIDE",
                                      "CAP_DAC_READ_SEARCH",
                                      "CAP_FOWNER",
                                      "CAP_FSETID",
                                      "CAP_KILL",
                                      "CAP_SETGID",
                                      "CAP_SETUID",
                                      "CAP_SETPCAP",
                                      "CAP_LINUX_IMMUTABLE",
                                      "CAP_NET_BIND_SERVICE",
                                      "CAP_NET_BROADCAST",
                                      "CAP_NET_ADMIN",
                                      "CAP_NET_RAW",
                                      "CAP_IPC_LOCK",
                                      "CAP_IPC_OWNER",
                                      "CAP_SYS_MODULE",
                                      "CAP_SYS_RAWIO",
                                      "CAP_SYS_CHROOT",
                                      "CAP_SYS_PTRACE",
                                      "CAP_SYS_PACCT",
                                      "CAP_SYS_ADMIN",
                                      "CAP_SYS_BOOT",
                                      "CAP_SYS_NICE",
                                      "CAP_SYS_RESOURCE",
                                      "CAP_SYS_TIME",
                                      "CAP_SYS_TTY_CONFIG",
                                      "CAP_MKNOD",
                                      "CAP_LEASE",
                                      "CAP_AUDIT_WRITE",
                                      "CAP_AUDIT_CONTROL",
                                      "CAP_SETFCAP",
                                      "CAP_MAC_OVERRIDE",
                                      "CAP_MAC_ADMIN",
                                      "CAP_SYSLOG",
                                      "CAP_WAKE_ALARM",
                                      "CAP_BLOCK_SUSPEND",
                                      "CAP_AUDIT_READ",
                                      "CAP_PERFMON",
                                      "CAP_BPF",
                                      "CAP_CHECKPOINT_RESTORE"};

std::set<std::string, std::less<>> own_bounding_set() {
    std::set<std::string, std::less<>> own;
    for (std::size_t number = 0; number < kCapabilityNames.size(); ++number) {
        if (prctl(PR_CAPBSET_READ, number, 0, 0, 0) == 1) own.emplace(kCapabilityNames[number]);
    }
    return own;
}

void keep_only(json::array& names, const std::set<std::string, std::less<>>& allowed) {
    json::array kept;
    for (const json::value& name : names) {
        if (name.is_string() && allowed.contains(std::string_view(name.get_string()))) kept.push_back(name);
    }
    names = std::move(kept);
}

// `process` is the OCI process object: config.json's "process", or the whole file of `exec --process`.
void strip_process(json::object& process, const std::set<std::string, std::less<>>& allowed) {
    json::value* capabilities = process.if_contains("capabilities");
    if (capabilities == nullptr || !capabilities->is_object()) return;
    for (auto& set : capabilities->get_object()) {
        if (set.value().is_array()) keep_only(set.value().get_array(), allowed);
    }
}

void rewrite(const std::filesystem::path& file, bool is_bundle_config) {
    std::ifstream in(file);
    const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    json::value document = json::parse(text);
    json::object* process = document.if_object();
    if (process != nullptr && is_bundle_config) {
        json::value* inner = process->if_contains("process");
        process = inner == nullptr ? nullptr : inner->if_object();
    }
    if (process == nullptr) return;
    strip_process(*process, own_bounding_set());
    std::ofstream(file, std::ios::trunc) << json::serialize(document);
}

struct Call {
    std::string_view command;
    std::optional<std::string> bundle;
    std::optional<std::string> process_file;
};

// runc's command word is the first of the three we care about; options may be written with '=' or with a
// space.
Call read_call(const std::vector<std::string>& args) {
    Call call;
    const auto value_of = [&](std::size_t i, std::string_view name) -> std::optional<std::string> {
        if (args[i] == name && i + 1 < args.size()) return args[i + 1];
        if (args[i].starts_with(std::string(name) + "=")) return args[i].substr(name.size() + 1);
        return std::nullopt;
    };
    for (std::size_t i = 0; i < args.size(); ++i) {
        if (call.command.empty() && (args[i] == "create" || args[i] == "run" || args[i] == "exec"))
            call.command = args[i];
        for (const char* name : {"--bundle", "-b"}) {
            if (auto value = value_of(i, name)) call.bundle = std::move(value);
        }
        for (const char* name : {"--process", "-p"}) {
            if (auto value = value_of(i, name)) call.process_file = std::move(value);
        }
    }
    return call;
}

void strip_what_cannot_be_given(const std::vector<std::string>& args) {
    const Call call = read_call(args);
    if (call.command == "exec" && call.process_file) rewrite(*call.process_file, false);
    if (call.command == "create" || call.command == "run") {
        rewrite(std::filesystem::path(call.bundle.value_or(".")) / "config.json", true);
    }
}

}  // namespace

int main(int argc, char** argv) {
    try {
        strip_what_cannot_be_given(std::vector<std::string>(argv + 1, argv + argc));
    } catch (const std::exception& failure) {
        std::cerr << "oci-runtime: cannot adapt the container's configuration: " << failure.what() << '\n';
        return 70;
    }
    const char* real = std::getenv("OCI_RUNTIME_REAL");
    argv[0] = const_cast<char*>(real != nullptr ? real : "runc");
    execvp(argv[0], argv);
    std::cerr << "oci-runtime: cannot execute " << argv[0] << ": " << std::strerror(errno) << '\n';
    return 70;
}
