#include "agent/directories.hpp"

#include <array>
#include <cerrno>
#include <cstdint>
#include <optional>

#include "agent/autoregister.hpp"
#include "agent/console_logging.hpp"
#include "base/strings.hpp"
#include "sys/directory_lock.hpp"
#include "sys/files.hpp"
#include "sys/fs_identity.hpp"
#include "sys/paths.hpp"

namespace supervisor::agent {
namespace {

constexpr std::array<std::string_view, 3> kDataDirectories = {"config", "logs", "pipelines"};
// The wrapper's paths are relative to the working directory.
constexpr std::array<std::string_view, 5> kWrapperDirectories = {"bin", "lib", "run", "wrapper",
                                                                 "wrapper-config"};
constexpr std::array<std::string_view, 3> kLoggingIncludes = {"agent-bootstrapper-logback-include.xml",
                                                              "agent-launcher-logback-include.xml",
                                                              "agent-logback-include.xml"};
constexpr std::string_view kLauncherLock = ".agent-bootstrapper.running";

std::string at(const std::string& directory, std::string_view name) {
    return directory + '/' + std::string(name);
}

Error with_owner_advice(Error error, const std::string& directory, const Owner& owner) {
    if (error.code() != EACCES && error.code() != EPERM && error.code() != EROFS) return error;
    const auto account = std::to_string(owner.user) + ':' + std::to_string(owner.group);
    return std::move(error).advice("the agent runs as " + account + " and must be able to write to " +
                                   directory + ": chown " + account + " the directory that is mounted there");
}

// A link, unless something usable is there already; a link that leads nowhere counts as nothing.
Result<> ensure_link(const std::string& link, const std::string& target) {
    if (sys::exists(link)) return {};
    return sys::make_link(target, link);
}

Result<> make_data_directories(const Settings& settings) {
    for (const auto name : kDataDirectories) {
        const auto directory = at(settings.volume_directory, name);
        SUPERVISOR_TRY(sys::make_directories(directory));
        SUPERVISOR_TRY(ensure_link(at(settings.working_directory, name), directory));
    }
    return {};
}

Result<> write_logging(const Settings& settings) {
    for (const auto name : kLoggingIncludes) {
        const auto path = at(settings.working_directory, "config/" + std::string(name));
        if (sys::exists(path)) continue;
        const auto text = sys::read_file_or(at(settings.agent_home, "config/" + std::string(name)),
                                            std::string(kConsoleLogging));
        SUPERVISOR_TRY(sys::replace_file(path, text, 0644));
    }
    return {};
}

Result<> link_wrapper(const Settings& settings) {
    for (const auto name : kWrapperDirectories) {
        SUPERVISOR_TRY(ensure_link(at(settings.working_directory, name), at(settings.agent_home, name)));
    }
    return {};
}

// Inside the image: written as whoever owns the directory, so that neither a job can change what root wrote
// nor root be led astray by a job. The wrapper itself writes its pid file into run/.
Result<> configure_wrapper(const Settings& settings, const Owner& owner) {
    const auto directory = at(settings.agent_home, "wrapper-config");
    const bool agents = sys::owner_of(directory) == owner.user;
    const auto identity = sys::FsIdentity::take(agents ? owner.user : 0, agents ? owner.group : 0);
    if (!identity) return fail(identity.error());
    (void)sys::give_directory(at(settings.agent_home, "run"), owner.user, owner.group);
    return sys::replace_file(at(directory, "wrapper-properties.conf"), wrapper_properties(settings), 0644);
}

// The official launchers write through these links into the image, where they may not.
Result<> drop_links_to_baked_files(const Settings& settings) {
    for (const auto& file : agent_files()) {
        const auto path = at(settings.working_directory, file.name);
        if (sys::link_target(path)) SUPERVISOR_TRY(sys::remove_file(path));
    }
    return {};
}

Result<> forget_other_agent(const Settings& settings, Prepared& prepared) {
    const auto config = at(settings.working_directory, "config");
    const bool identified = sys::exists(at(config, "token")) || sys::exists(at(config, "guid.txt"));
    if (!identified || !belongs_to_other_agent(sys::read_file_or(at(config, "autoregister.properties")),
                                               settings.registration)) {
        return {};
    }
    SUPERVISOR_TRY(sys::remove_file(at(config, "token")));
    SUPERVISOR_TRY(sys::remove_file(at(config, "guid.txt")));
    prepared.notes.push_back("removed guid.txt and token from " + config +
                             ": they belong to another elastic agent");
    return {};
}

Result<> remove_launcher_lock(const Settings& settings, Prepared& prepared) {
    const auto path = at(settings.working_directory, kLauncherLock);
    if (!sys::exists(path)) return {};
    SUPERVISOR_TRY(sys::remove_file(path));
    prepared.notes.push_back("removed " + path + ", left over from a launcher that was killed");
    return {};
}

Result<> make_working_directory_ready(const Settings& settings, LaunchMode mode, Prepared& prepared) {
    SUPERVISOR_TRY(make_data_directories(settings));
    SUPERVISOR_TRY(write_logging(settings));
    SUPERVISOR_TRY(forget_other_agent(settings, prepared));
    SUPERVISOR_TRY(remove_launcher_lock(settings, prepared));
    if (mode != LaunchMode::Direct) SUPERVISOR_TRY(drop_links_to_baked_files(settings));
    if (mode == LaunchMode::Wrapper) SUPERVISOR_TRY(link_wrapper(settings));
    return {};
}

Result<> take_lock(const Settings& settings, Prepared& prepared) {
    auto locked = sys::lock_directory(settings.working_directory);
    if (!locked) {
        prepared.notes.push_back("cannot make sure that no other agent uses " + settings.working_directory +
                                 ": " + locked.error().message());
    } else if (!*locked) {
        return fail(Error("another agent runs in " + settings.working_directory)
                        .advice("give each agent a working directory of its own"));
    } else {
        prepared.lock = std::move(**locked);
    }
    return {};
}

std::optional<AotCache> read_aot_cache(const std::string& path) {
    const auto record = parse_aot_record(sys::read_file_or(path + ".record"));
    const auto size = sys::file_size(path);
    if (!record || !size) return std::nullopt;
    return AotCache{path, *record, *size};
}

}  // namespace

Result<Prepared> prepare_directories(const Settings& settings, LaunchMode mode, const Owner& owner) {
    Prepared prepared;
    for (const auto& directory : {settings.volume_directory, settings.working_directory}) {
        if (sys::adopt_empty_directory(directory, owner.user, owner.group)) {
            prepared.notes.push_back(directory + " was empty and root's; it is the agent's now");
        }
    }
    if (mode == LaunchMode::Wrapper) SUPERVISOR_TRY(configure_wrapper(settings, owner));
    const auto identity = sys::FsIdentity::take(owner.user, owner.group);
    if (!identity) return fail(identity.error());
    SUPERVISOR_TRY(take_lock(settings, prepared));
    if (auto made = make_working_directory_ready(settings, mode, prepared); !made) {
        return fail(with_owner_advice(std::move(made).error(),
                                      settings.volume_directory + " and " + settings.working_directory,
                                      owner));
    }
    prepared.registered = sys::exists(at(settings.working_directory, "config/token"));
    return prepared;
}

Result<> write_autoregister(const Settings& settings, const Owner& owner) {
    const auto& registration = settings.registration;
    if (registration.empty()) return {};
    const auto identity = sys::FsIdentity::take(owner.user, owner.group);
    if (!identity) return fail(identity.error());
    const auto config = at(settings.working_directory, "config");
    const bool registered = sys::exists(at(config, "token"));
    return sys::replace_file(
        at(config, "autoregister.properties"),
        registered ? render_registered(registration) : render_for_registration(registration), 0600);
}

LaunchFacts read_launch_facts(const Settings& settings, const std::string& fetcher,
                              const std::string& baked_directory, const std::string& aot_cache) {
    LaunchFacts facts;
    facts.has_fetcher = sys::is_executable(fetcher);
    facts.has_bootstrapper = sys::exists(at(settings.agent_home, "lib/agent-bootstrapper.jar"));
    facts.has_wrapper = sys::is_executable(at(settings.agent_home, "bin/go-agent"));
    if (sys::exists(at(baked_directory, "md5sums"))) facts.baked_directory = baked_directory;
    facts.aot = read_aot_cache(aot_cache);
    facts.jre = jre_version(sys::read_file_or(at(settings.java_home, "release")));
    facts.agent_version = trim(sys::read_file_or(at(settings.agent_home, "VERSION")));
    return facts;
}

}  // namespace supervisor::agent
