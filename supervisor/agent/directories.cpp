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
constexpr std::string_view kAutoregister = "config/autoregister.properties";
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

std::string read_autoregister(const Settings& settings) {
    auto text = sys::read_regular_file(at(settings.working_directory, kAutoregister));
    // Before the first start the working directory has no link to it yet.
    if (!text) text = sys::read_regular_file(at(settings.volume_directory, kAutoregister));
    return text.value_or(std::string());
}

Result<> forget_other_agent(const Settings& settings, Prepared& prepared) {
    const auto config = settings.identity_directory();
    const bool identified = sys::exists(at(config, "token")) || sys::exists(at(config, "guid.txt"));
    if (!identified || !belongs_to_other_agent(read_autoregister(settings), settings.registration)) return {};
    SUPERVISOR_TRY(sys::remove_file(at(config, "token")));
    SUPERVISOR_TRY(sys::remove_file(at(config, "guid.txt")));
    prepared.notes.push_back("removed guid.txt and token from " + config +
                             ": they belong to another elastic agent");
    return {};
}

Result<bool> drop_launcher_lock(const Settings& settings) {
    const auto path = at(settings.working_directory, kLauncherLock);
    if (!sys::exists(path)) return false;
    SUPERVISOR_TRY(sys::remove_file(path));
    return true;
}

// Only when the kernel's lock says that we are alone here.
Result<> drop_leftover_lock(const Settings& settings, Prepared& prepared) {
    if (prepared.lock.get() < 0) return {};
    SUPERVISOR_TRY_ASSIGN(dropped, drop_launcher_lock(settings));
    if (dropped) {
        prepared.notes.push_back("removed " + at(settings.working_directory, kLauncherLock) +
                                 ", left over from a launcher that was killed");
    }
    return {};
}

Result<> make_working_directory_ready(const Settings& settings, LaunchMode mode, Prepared& prepared) {
    SUPERVISOR_TRY(make_data_directories(settings));
    SUPERVISOR_TRY(write_logging(settings));
    SUPERVISOR_TRY(forget_other_agent(settings, prepared));
    SUPERVISOR_TRY(drop_leftover_lock(settings, prepared));
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
    prepared.registered = sys::exists(at(settings.identity_directory(), "token"));
    return prepared;
}

Result<> adopt_registration(Settings& settings, const Owner& owner, const std::string& saved) {
    if (!settings.registration.empty()) return {};
    std::string text;
    {
        const auto identity = sys::FsIdentity::take(owner.user, owner.group);
        if (!identity) return fail(identity.error());
        text = read_autoregister(settings);
    }
    settings.registration = parse_registration(sys::read_file_or(saved), Comments::Ignored);
    settings.registration.merge(parse_registration(text, Comments::Count));
    if (!holds_registration_data(text)) return {};
    SUPERVISOR_TRY(sys::make_directories(saved.substr(0, saved.rfind('/')), 0700));
    return sys::replace_file(saved, render_for_registration(settings.registration), 0600);
}

void read_back_registration(Settings& settings, const Owner& owner) {
    const auto identity = sys::FsIdentity::take(owner.user, owner.group);
    if (identity)
        settings.registration.merge(parse_registration(read_autoregister(settings), Comments::Ignored));
}

Result<> write_autoregister(const Settings& settings, const Owner& owner) {
    const auto& registration = settings.registration;
    const auto identity = sys::FsIdentity::take(owner.user, owner.group);
    if (!identity) return fail(identity.error());
    const auto path = at(settings.working_directory, kAutoregister);
    const bool registered = sys::exists(at(settings.identity_directory(), "token"));
    if (!registered && registration.empty()) return {};
    const auto wanted = registered ? render_registered(registration) : render_for_registration(registration);
    const auto present = sys::read_regular_file(path);
    if (present ? *present == wanted : wanted.empty() && !sys::exists(path)) return {};
    const bool says_the_same = present && parse_registration(*present, Comments::Ignored) ==
                                              parse_registration(wanted, Comments::Ignored);
    if (says_the_same && !(registered && holds_registration_data(*present))) return {};
    auto written = sys::replace_file(path, wanted, 0600);
    if (written || written.error().code() != EBUSY) return written;
    return fail(
        std::move(written).error().advice("do not mount this one file: jobs can read what stays in it; give "
                                          "AGENT_AUTO_REGISTER_KEY, or mount the directory"));
}

Result<> follow_registration(const Settings& settings, const Owner& owner) {
    {
        const auto identity = sys::FsIdentity::take(owner.user, owner.group);
        if (!identity) return fail(identity.error());
        const auto text = sys::read_regular_file(at(settings.working_directory, kAutoregister)).value_or("");
        const bool token = sys::exists(at(settings.identity_directory(), "token"));
        if (token && !parse_registration(text, Comments::Ignored).key.empty()) return {};
    }
    return write_autoregister(settings, owner);
}

Result<bool> remove_launcher_lock(const Settings& settings, const Owner& owner) {
    const auto identity = sys::FsIdentity::take(owner.user, owner.group);
    if (!identity) return fail(identity.error());
    return drop_launcher_lock(settings);
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
