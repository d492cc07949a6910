#include "broker/config.hpp"

#include "base/json.hpp"
#include "base/strings.hpp"
#include "sys/files.hpp"

namespace supervisor::broker {
namespace {

json::value mount_to_json(const Mount& mount) {
    return json::object{{"destination", mount.destination},
                        {"source", mount.source},
                        {"writable", mount.writable},
                        {"volume", mount.volume}};
}

// Reads members one after the other; the first error stays. What was not asked for is an error at the end.
class Reader {
  public:
    explicit Reader(json::object object) : object_(std::move(object)) {}

    void read(std::string_view key, std::string& out) {
        if (const auto value = take(key)) {
            if (value->is_string())
                out = value->as_string();
            else
                wrong(key);
        }
    }
    void read(std::string_view key, bool& out) {
        if (const auto value = take(key)) {
            if (value->is_bool())
                out = value->as_bool();
            else
                wrong(key);
        }
    }
    void read(std::string_view key, int& out) {
        if (const auto value = take(key)) {
            if (value->is_int64())
                out = static_cast<int>(value->as_int64());
            else
                wrong(key);
        }
    }
    void read(std::string_view key, std::uint64_t& out) {
        if (const auto value = take(key)) {
            if (value->is_int64() && value->as_int64() >= 0)
                out = static_cast<std::uint64_t>(value->as_int64());
            else
                wrong(key);
        }
    }
    std::optional<json::value> take(std::string_view key) {
        const auto* found = object_.if_contains(key);
        if (found == nullptr) return {};
        json::value value = *found;
        object_.erase(key);
        return value;
    }
    void wrong(std::string_view key) {
        if (error_.empty()) error_ = std::string(key) + ": wrong type";
    }
    Result<> end() {
        if (!error_.empty()) return fail(error_);
        if (!object_.empty()) return fail("unknown key " + std::string(object_.begin()->key()));
        return {};
    }

  private:
    json::object object_;
    std::string error_;
};

Result<Mount> mount_from_json(const json::value& value) {
    if (!value.is_object()) return fail("mount is not an object");
    Mount mount;
    Reader reader(value.as_object());
    reader.read("destination", mount.destination);
    reader.read("source", mount.source);
    reader.read("writable", mount.writable);
    reader.read("volume", mount.volume);
    SUPERVISOR_TRY(reader.end());
    return mount;
}

Result<Limits> limits_from_json(const json::value& value) {
    if (!value.is_object()) return fail("limits is not an object");
    Limits limits;
    Reader reader(value.as_object());
    reader.read("containers", limits.containers);
    reader.read("memory", limits.memory);
    reader.read("nano_cpus", limits.nano_cpus);
    reader.read("pids", limits.pids);
    reader.read("sessions", limits.sessions);
    SUPERVISOR_TRY(reader.end());
    return limits;
}

Result<> read_lists(Reader& reader, Config& config) {
    if (const auto limits = reader.take("limits")) {
        SUPERVISOR_TRY_ASSIGN(parsed, limits_from_json(*limits));
        config.limits = parsed;
    }
    if (const auto mounts = reader.take("mounts")) {
        if (!mounts->is_array()) return fail("mounts is not an array");
        config.mounts.emplace();
        for (const auto& element : mounts->as_array()) {
            SUPERVISOR_TRY_ASSIGN(mount, mount_from_json(element));
            config.mounts->push_back(mount);
        }
    }
    if (const auto paths = reader.take("protected_paths")) {
        if (!paths->is_array()) return fail("protected_paths is not an array");
        config.protected_paths.clear();
        for (const auto& path : paths->as_array()) {
            if (!path.is_string()) return fail("protected_paths holds something else than strings");
            config.protected_paths.emplace_back(path.as_string());
        }
    }
    return {};
}

}  // namespace

std::string to_json(const Config& config) {
    json::object out{
        {"mode", config.mode == Mode::Dood ? "dood" : "dind"},
        {"host_socket", config.host_socket},
        {"host_socket_directory_fd", config.host_socket_directory_fd},
        {"listener_fd", config.listener_fd},
        {"listen_path", config.listen_path},
        {"shared_listener_fd", config.shared_listener_fd},
        {"shared_path", config.shared_path},
        {"ledger_fd", config.ledger_fd},
        {"agent_id", config.agent_id},
        {"agent_id_is_guess", config.agent_id_is_guess},
        {"incarnation", config.incarnation},
        {"own_container", config.own_container},
        {"policy", config.policy},
        {"cgroup_parent", config.cgroup_parent},
        {"keep_images", config.keep_images},
        {"audit_fd", config.audit_fd},
        {"supervisor_fd", config.supervisor_fd},
    };
    const auto& limits = config.limits;
    out["limits"] = json::object{{"containers", limits.containers},
                                 {"memory", limits.memory},
                                 {"nano_cpus", limits.nano_cpus},
                                 {"pids", limits.pids},
                                 {"sessions", limits.sessions}};
    if (config.mounts) {
        json::array mounts;
        for (const auto& mount : *config.mounts) mounts.push_back(mount_to_json(mount));
        out["mounts"] = std::move(mounts);
    }
    json::array paths;
    for (const auto& path : config.protected_paths) paths.push_back(json::string(path));
    out["protected_paths"] = std::move(paths);
    return to_text(out);
}

Result<Config> config_from_json(std::string_view text) {
    SUPERVISOR_TRY_ASSIGN(value, parse_json(text));
    if (!value.is_object()) return fail("broker configuration is not a JSON object");
    Config config;
    Reader reader(value.as_object());
    std::string mode = "dood";
    reader.read("mode", mode);
    if (mode != "dood" && mode != "dind") return fail("mode: neither dood nor dind");
    config.mode = mode == "dood" ? Mode::Dood : Mode::Dind;
    reader.read("host_socket", config.host_socket);
    reader.read("host_socket_directory_fd", config.host_socket_directory_fd);
    reader.read("listener_fd", config.listener_fd);
    reader.read("listen_path", config.listen_path);
    reader.read("shared_listener_fd", config.shared_listener_fd);
    reader.read("shared_path", config.shared_path);
    reader.read("ledger_fd", config.ledger_fd);
    reader.read("agent_id", config.agent_id);
    reader.read("agent_id_is_guess", config.agent_id_is_guess);
    reader.read("incarnation", config.incarnation);
    reader.read("own_container", config.own_container);
    reader.read("policy", config.policy);
    reader.read("cgroup_parent", config.cgroup_parent);
    reader.read("keep_images", config.keep_images);
    reader.read("audit_fd", config.audit_fd);
    reader.read("supervisor_fd", config.supervisor_fd);
    if (auto read = read_lists(reader, config); !read) return fail(read.error(), "broker configuration");
    if (auto end = reader.end(); !end) return fail(end.error(), "broker configuration");
    return config;
}

Bounds own_bounds() {
    Bounds out;
    out.hard_limits = sys::own_hard_limits();
    const auto text = sys::read_file_or("/proc/self/oom_score_adj");
    if (const auto score = parse_unsigned(trim(text), 1000))
        out.oom_score = static_cast<std::int64_t>(*score);
    return out;
}

}  // namespace supervisor::broker
