#include "agent/launch.hpp"

#include "base/strings.hpp"
#include "sys/files.hpp"

namespace supervisor::agent {
namespace {

std::string java_of(const Settings& settings) {
    return settings.java_home.empty() ? "java" : settings.java_home + "/bin/java";
}

template <class Words>
void append(std::vector<std::string>& target, const Words& words) {
    target.insert(target.end(), words.begin(), words.end());
}

Result<LaunchChoice> available(LaunchMode mode, std::string reason, const LaunchFacts& facts,
                               const Settings& settings) {
    const auto missing = [&](std::string_view what) {
        return fail("cannot launch the agent in mode " + std::string(to_string(mode)) + ": " +
                    std::string(what) + " is missing in this image");
    };
    if (mode == LaunchMode::Direct && !facts.has_fetcher) return missing("gocd-agent-fetch");
    if (mode == LaunchMode::Bootstrapper && !facts.has_bootstrapper) {
        return missing(settings.agent_home + "/lib/agent-bootstrapper.jar");
    }
    if (mode == LaunchMode::Wrapper && !facts.has_wrapper)
        return missing(settings.agent_home + "/bin/go-agent");
    return LaunchChoice{mode, std::move(reason), {}};
}

Result<LaunchChoice> choose_automatically(const Settings& settings, const ServerAccess& access,
                                          const LaunchFacts& facts) {
    if (!access.only_for_a_jvm.empty()) {
        return available(LaunchMode::Bootstrapper,
                         "AGENT_BOOTSTRAPPER_JVM_ARGS has " + printable(access.only_for_a_jvm.front()) +
                             ", which only a bootstrapper's JVM can follow",
                         facts, settings);
    }
    if (!facts.has_fetcher) {
        return available(LaunchMode::Bootstrapper, "gocd-agent-fetch is missing in this image", facts,
                         settings);
    }
    return available(LaunchMode::Direct, "agent.jar is started without a bootstrapper", facts, settings);
}

// One variable, split at spaces by the official launcher.
std::string startup_args_text(const Settings& settings) {
    std::vector<std::string> words;
    for (const auto& flag : agent_flags(settings)) words.push_back(replace_all(flag, " ", "%20"));
    return join(words, " ");
}

void add_option(std::vector<std::string>& argv, std::string_view name, std::string_view value) {
    if (!value.empty()) append(argv, std::vector<std::string>{std::string(name), std::string(value)});
}

std::vector<std::string> md5_properties(const ServerStatus& status) {
    return {"-Dagent.plugins.md5=" + status.plugins_md5, "-Dagent.binary.md5=" + status.agent_md5,
            "-Dagent.launcher.md5=" + status.launcher_md5, "-Dagent.tfs.md5=" + status.tfs_md5};
}

// What the JVM will see before the server has had its say.
std::vector<std::string> effective_flags(const Settings& settings) {
    auto flags = agent_flags(settings);
    append(flags, settings.inherited_jvm_flags);
    return flags;
}

}  // namespace

Result<LaunchChoice> choose_launch(const Settings& settings, const ServerAccess& access,
                                   const LaunchFacts& facts) {
    if (settings.launch == LaunchMode::Auto) return choose_automatically(settings, access, facts);
    SUPERVISOR_TRY_ASSIGN(choice, available(settings.launch, "asked for", facts, settings));
    if (choice.mode == LaunchMode::Direct) {
        for (const auto& argument : access.only_for_a_jvm) {
            choice.warnings.push_back("AGENT_BOOTSTRAPPER_JVM_ARGS: " + printable(argument) +
                                      " has no meaning in a direct launch");
        }
    }
    return std::move(choice);
}

Command fetcher_command(const Settings& settings, const ServerAccess& access, const LaunchFacts& facts,
                        const std::string& fetcher, const Environment& environment) {
    Command command{{fetcher, "--server", settings.server_url, "--directory", settings.working_directory},
                    environment,
                    settings.working_directory};
    add_option(command.argv, "--baked", facts.baked_directory);
    // Reading 45 MB is for a cache that may be used.
    if (settings.use_aot && aot_fits(facts.aot, effective_flags(settings), facts.jre).use)
        add_option(command.argv, "--check", facts.aot->path);
    add_option(command.argv, "--verification", to_string(access.verification));
    add_option(command.argv, "--root-certificates", access.root_certificates);
    add_option(command.argv, "--client-certificate", access.client_certificate);
    add_option(command.argv, "--client-key", access.client_key);
    add_option(command.argv, "--client-key-passphrase-file", access.client_key_passphrase_file);
    add_option(command.argv, "--proxy", access.proxy);
    return command;
}

DirectLaunch direct_command(const Settings& settings, const ServerAccess& access, const LaunchFacts& facts,
                            const FetchResult& fetched, const Environment& environment) {
    const auto flags = agent_flags(settings);
    auto effective = effective_flags(settings);
    for (const auto& property : fetched.status.extra_properties) effective.push_back("-D" + property);
    auto aot = settings.use_aot
                   ? judge_aot(facts.aot, effective, facts.jre, fetched.status.agent_md5, fetched.checked_sum)
                   : AotVerdict{false, "the AOT cache is switched off"};
    std::vector<std::string> argv = {java_of(settings)};
    if (aot.use) argv.push_back("-XX:AOTCache=" + facts.aot->path);
    append(argv, flags);
    for (const auto& property : fetched.status.extra_properties) argv.push_back("-D" + property);
    append(argv, md5_properties(fetched.status));
    argv.push_back("-Dagent.bootstrapper.version=" +
                   (facts.agent_version.empty() ? "UNKNOWN" : facts.agent_version));
    append(argv, std::vector<std::string>{"-jar", "agent.jar", "-serverUrl", settings.server_url});
    append(argv, access.agent_arguments());
    return {{std::move(argv), environment, settings.working_directory}, std::move(aot)};
}

Command bootstrapper_command(const Settings& settings, const Environment& environment) {
    Command command{{java_of(settings)}, environment, settings.working_directory};
    append(command.argv, bootstrapper_flags(settings));
    append(command.argv, std::vector<std::string>{"-jar", settings.agent_home + "/lib/agent-bootstrapper.jar",
                                                  "-serverUrl", settings.server_url});
    append(command.argv, settings.bootstrapper_args);
    set_variable(command.environment, "AGENT_STARTUP_ARGS", startup_args_text(settings));
    return command;
}

Command wrapper_command(const Settings& settings, const Environment& environment) {
    Command command{
        {settings.agent_home + "/bin/go-agent", "console"}, environment, settings.working_directory};
    set_variable(command.environment, "AGENT_STARTUP_ARGS", startup_args_text(settings));
    return command;
}

std::string wrapper_properties(const Settings& settings) {
    std::string text = "wrapper.java.command=" + java_of(settings) + '\n';
    text += "wrapper.working.dir=" + settings.working_directory + '\n';
    text += "wrapper.logfile=" + settings.working_directory + "/logs/go-agent-bootstrapper-wrapper.log\n";
    text += "wrapper.app.parameter.100=-serverUrl\n";
    text += "wrapper.app.parameter.101=" + settings.server_url + '\n';
    int number = 100;
    for (const auto& flag : bootstrapper_flags(settings)) {
        text += "wrapper.java.additional." + std::to_string(number++) + '=' + flag + '\n';
    }
    number = 200;
    for (const auto& word : settings.bootstrapper_args) {
        text += "wrapper.app.parameter." + std::to_string(number++) + '=' + word + '\n';
    }
    return text;
}

std::vector<std::string> hook_command(const std::string& path) {
    const auto beginning = sys::read_beginning(path, 4).value_or("#!");
    if (beginning.starts_with("#!") || beginning == "\177ELF") return {path};
    return {"bash", path};
}

}  // namespace supervisor::agent
