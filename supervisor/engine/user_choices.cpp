#include "engine/user_choices.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>

#include "base/strings.hpp"
#include "sys/files.hpp"

namespace supervisor::engine {
namespace {

enum class Kind { Boolean, Number, Text, List, Map };

struct Flag {
    std::string_view name;
    char letter;
    std::string_view key;  // in daemon.json
    Kind kind;
};

// dockerd's flags whose meaning matters here or whose name in the file differs from the flag's. Others follow
// the general rule: the key is the flag's name.
constexpr Flag kFlags[] = {{"add-runtime", 0, "runtimes", Kind::Map},
                           {"allow-direct-routing", 0, "allow-direct-routing", Kind::Boolean},
                           {"authorization-plugin", 0, "authorization-plugins", Kind::List},
                           {"bip", 0, "bip", Kind::Text},
                           {"bridge", 'b', "bridge", Kind::Text},
                           {"cgroup-parent", 0, "cgroup-parent", Kind::Text},
                           {"config-file", 0, "config-file", Kind::Text},
                           {"containerd", 0, "containerd", Kind::Text},
                           {"cri-containerd", 0, "cri-containerd", Kind::Boolean},
                           {"data-root", 0, "data-root", Kind::Text},
                           {"graph", 'g', "data-root", Kind::Text},
                           {"debug", 'D', "debug", Kind::Boolean},
                           {"default-address-pool", 0, "default-address-pools", Kind::List},
                           {"default-network-opt", 0, "default-network-opts", Kind::Map},
                           {"default-ulimit", 0, "default-ulimits", Kind::Map},
                           {"dns", 0, "dns", Kind::List},
                           {"dns-opt", 0, "dns-opts", Kind::List},
                           {"dns-search", 0, "dns-search", Kind::List},
                           {"exec-opt", 0, "exec-opts", Kind::List},
                           {"exec-root", 0, "exec-root", Kind::Text},
                           {"experimental", 0, "experimental", Kind::Boolean},
                           {"feature", 0, "features", Kind::Map},
                           {"group", 'G', "group", Kind::Text},
                           {"help", 0, "help", Kind::Boolean},
                           {"host", 'H', "hosts", Kind::List},
                           {"icc", 0, "icc", Kind::Boolean},
                           {"init", 0, "init", Kind::Boolean},
                           {"insecure-registry", 0, "insecure-registries", Kind::List},
                           {"ip-forward", 0, "ip-forward", Kind::Boolean},
                           {"ip-forward-no-drop", 0, "ip-forward-no-drop", Kind::Boolean},
                           {"ip-masq", 0, "ip-masq", Kind::Boolean},
                           {"ip6tables", 0, "ip6tables", Kind::Boolean},
                           {"iptables", 0, "iptables", Kind::Boolean},
                           {"ipv6", 0, "ipv6", Kind::Boolean},
                           {"label", 0, "labels", Kind::List},
                           {"live-restore", 0, "live-restore", Kind::Boolean},
                           {"log-driver", 0, "log-driver", Kind::Text},
                           {"log-level", 'l', "log-level", Kind::Text},
                           {"log-opt", 0, "log-opts", Kind::Map},
                           {"mtu", 0, "mtu", Kind::Number},
                           {"no-new-privileges", 0, "no-new-privileges", Kind::Boolean},
                           {"node-generic-resource", 0, "node-generic-resources", Kind::List},
                           {"pidfile", 'p', "pidfile", Kind::Text},
                           {"raw-logs", 0, "raw-logs", Kind::Boolean},
                           {"registry-mirror", 0, "registry-mirrors", Kind::List},
                           {"rootless", 0, "rootless", Kind::Boolean},
                           {"selinux-enabled", 0, "selinux-enabled", Kind::Boolean},
                           {"storage-driver", 's', "storage-driver", Kind::Text},
                           {"storage-opt", 0, "storage-opts", Kind::List},
                           {"tls", 0, "tls", Kind::Boolean},
                           {"tlsverify", 0, "tlsverify", Kind::Boolean},
                           {"userland-proxy", 0, "userland-proxy", Kind::Boolean},
                           {"validate", 0, "validate", Kind::Boolean},
                           {"version", 'v', "version", Kind::Boolean}};

const Flag* flag_named(std::string_view name) {
    const auto* found = std::find_if(std::begin(kFlags), std::end(kFlags),
                                     [&](const Flag& flag) { return flag.name == name; });
    return found == std::end(kFlags) ? nullptr : found;
}

const Flag* flag_lettered(char letter) {
    const auto* found = std::find_if(std::begin(kFlags), std::end(kFlags),
                                     [&](const Flag& flag) { return flag.letter == letter; });
    return found == std::end(kFlags) ? nullptr : found;
}

// One argument cut into what it names and what it gives: "--dns=1.1.1.1", "--dns", "-H", "-Hfd://".
struct Written {
    std::string name;
    std::optional<std::string> value;
    const Flag* flag = nullptr;
};

Result<Written> cut(const std::string& argument) {
    Written written;
    if (argument.starts_with("--") && argument.size() > 2) {
        const auto equals = argument.find('=');
        written.name = argument.substr(2, equals == std::string::npos ? equals : equals - 2);
        if (equals != std::string::npos) written.value = argument.substr(equals + 1);
        written.flag = flag_named(written.name);
        return written;
    }
    if (argument.size() >= 2 && argument[0] == '-') {
        written.flag = flag_lettered(argument[1]);
        written.name = written.flag != nullptr ? std::string(written.flag->name) : argument.substr(1, 1);
        if (argument.size() > 2) written.value = argument.substr(argument[2] == '=' ? 3 : 2);
        return written;
    }
    return fail(
        fmt::format("DOCKERD_ADDITIONAL_ARGS: '{}' is not an option of dockerd", printable(argument)));
}

void set_value(json::object& values, std::string_view key, Kind kind, const std::string& text) {
    if (kind == Kind::Boolean) {
        values[key] = parse_bool(text).value_or(true);
    } else if (kind == Kind::Number) {
        values[key] = parse_unsigned(text, UINT32_MAX).value_or(0);
    } else if (kind == Kind::Text) {
        values[key] = text;
    } else if (kind == Kind::List) {
        if (!values.contains(key)) values[key] = json::array();
        values[key].as_array().emplace_back(text);
    } else {
        if (!values.contains(key)) values[key] = json::object();
        const auto equals = text.find('=');
        values[key].as_object()[text.substr(0, equals)] =
            equals == std::string::npos ? "true" : text.substr(equals + 1);
    }
}

// The engine listens there anyway, on a socket that outlives it; twice, dockerd cannot.
bool is_usual_socket(std::string_view host) {
    return host == "unix://" || host == "unix:///var/run/docker.sock" || host == "unix:///run/docker.sock";
}

}  // namespace

std::string configuration_file_of(const std::vector<std::string>& arguments, const std::string& otherwise) {
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        if (arguments[i].starts_with("--config-file=")) return arguments[i].substr(14);
        if (arguments[i] == "--config-file" && i + 1 < arguments.size()) return arguments[i + 1];
    }
    return otherwise;
}

Result<std::string> configuration_text(const std::string& file, const std::string& usual) {
    if (sys::is_directory(file)) {
        return fail(file +
                    " is a directory: Docker makes one where the file that -v names is missing on the host; "
                    "give -v the path of a file");
    }
    if (file == usual && !sys::exists(file)) return std::string();
    return sys::read_file(file);
}

Result<UserChoices> UserChoices::read(std::string_view file_text, const std::string& file_name,
                                      const std::vector<std::string>& arguments) {
    UserChoices choices;
    choices.file_name_ = file_name;
    if (!trim(file_text).empty()) {
        auto parsed = parse_json(file_text);
        if (!parsed) return fail(parsed.error(), file_name);
        if (!parsed->is_object()) return fail(file_name + ": a JSON object is expected");
        choices.file_ = parsed->as_object();
        choices.values_ = choices.file_;
    }
    SUPERVISOR_TRY(choices.take_arguments(arguments));
    return choices;
}

Result<> UserChoices::take_arguments(const std::vector<std::string>& arguments) {
    for (std::size_t at = 0; at < arguments.size();) {
        SUPERVISOR_TRY_ASSIGN(next, take_argument(arguments, at));
        at = next;
    }
    return {};
}

// Takes the option at `at` and returns where the next one begins.
Result<std::size_t> UserChoices::take_argument(const std::vector<std::string>& arguments, std::size_t at) {
    SUPERVISOR_TRY_ASSIGN(written, cut(arguments[at]));
    const Kind kind = written.flag != nullptr ? written.flag->kind : Kind::Text;
    const std::string key(written.flag != nullptr ? written.flag->key : std::string_view(written.name));
    if (file_.contains(key)) {
        return fail(
            fmt::format("'{}' is given both by --{} in DOCKERD_ADDITIONAL_ARGS and by \"{}\" in {}; "
                        "dockerd accepts one of them: remove the other",
                        key, written.name, key, file_name_));
    }
    std::size_t used = 1;
    const bool next_is_value = kind != Kind::Boolean && at + 1 < arguments.size() &&
                               (written.flag != nullptr || !arguments[at + 1].starts_with('-'));
    if (!written.value && next_is_value) {
        written.value = arguments[at + 1];
        used = 2;
    }
    if (!written.value && kind != Kind::Boolean && written.flag != nullptr)
        return fail(fmt::format("DOCKERD_ADDITIONAL_ARGS: --{} needs a value", written.name));
    set_value(values_, key, written.value || written.flag != nullptr ? kind : Kind::Boolean,
              written.value.value_or("true"));
    argument_keys_[key] = true;
    const bool ours = key == "config-file" || (key == "hosts" && is_usual_socket(written.value.value_or("")));
    if (!ours) {
        arguments_.insert(arguments_.end(), arguments.begin() + static_cast<std::ptrdiff_t>(at),
                          arguments.begin() + static_cast<std::ptrdiff_t>(at + used));
    }
    return at + used;
}

const json::value* UserChoices::find(std::string_view key) const {
    return values_.if_contains(key);
}

std::string UserChoices::text(std::string_view key) const {
    const auto* value = find(key);
    if (value == nullptr) return {};
    return value->is_string() ? std::string(value->as_string()) : to_text(*value);
}

std::optional<bool> UserChoices::boolean(std::string_view key) const {
    const auto* value = find(key);
    if (value == nullptr || !value->is_bool()) return std::nullopt;
    return value->as_bool();
}

std::vector<std::string> UserChoices::list(std::string_view key) const {
    std::vector<std::string> values;
    const auto* value = find(key);
    if (value == nullptr || !value->is_array()) return values;
    for (const auto& item : value->as_array()) {
        values.push_back(item.is_string() ? std::string(item.as_string()) : to_text(item));
    }
    return values;
}

std::vector<std::string> UserChoices::hosts() const {
    auto hosts = list("hosts");
    std::erase_if(hosts, is_usual_socket);
    return hosts;
}

std::optional<bool> UserChoices::feature(std::string_view name) const {
    const auto* features = find("features");
    if (features == nullptr || !features->is_object()) return std::nullopt;
    const auto* value = features->as_object().if_contains(name);
    if (value == nullptr) return std::nullopt;
    if (value->is_bool()) return value->as_bool();
    if (!value->is_string()) return std::nullopt;
    const auto parsed = parse_bool(std::string_view(value->as_string()));
    return parsed ? std::optional<bool>(*parsed) : std::nullopt;
}

std::string UserChoices::origin(std::string_view key) const {
    return from_arguments(key) ? "DOCKERD_ADDITIONAL_ARGS" : file_name_;
}

}  // namespace supervisor::engine
