#include "agent/jvm_flags.hpp"

#include <algorithm>

#include "base/strings.hpp"

namespace supervisor::agent {
namespace {

constexpr std::string_view kSerial = "-XX:+UseSerialGC";

bool selects_collector(const std::string& flag) {
    return flag.starts_with("-XX:+Use") && flag.ends_with("GC");
}

// Defaults first, so that a later flag of the user wins; two collectors would be refused by the JVM.
std::vector<std::string> combined(std::vector<std::string> defaults, const std::vector<std::string>& user,
                                  const std::vector<std::string>& inherited) {
    const auto chosen = [](const auto& flags) {
        return std::any_of(flags.begin(), flags.end(), selects_collector);
    };
    if (chosen(user) || chosen(inherited)) std::erase(defaults, kSerial);
    defaults.insert(defaults.end(), user.begin(), user.end());
    return defaults;
}

bool plain_property(const std::string& flag) {
    return flag.starts_with("-D") && !flag.starts_with("-Djava.") && !flag.starts_with("-Djdk.");
}

std::vector<std::string> without_properties(std::vector<std::string> flags) {
    std::erase_if(flags, plain_property);
    return flags;
}

void add_interval(std::vector<std::string>& flags, std::string_view property,
                  const std::optional<Milliseconds>& value) {
    if (value) flags.push_back("-D" + std::string(property) + '=' + std::to_string(value->count()));
}

}  // namespace

std::vector<std::string> default_agent_flags() {
    return {"-Xms128m",
            "-Xmx256m",
            "--enable-native-access=ALL-UNNAMED",
            "--sun-misc-unsafe-memory-access=allow",
            "-XX:+IgnoreUnrecognizedVMOptions",
            std::string(kSerial),
            "-XX:TieredStopAtLevel=1"};
}

std::vector<std::string> default_bootstrapper_flags() {
    return {"-Xms16m", "-Xmx128m", std::string(kSerial), "-XX:TieredStopAtLevel=1"};
}

std::vector<std::string> agent_flags(const Settings& settings) {
    auto ours = settings.startup_args ? *settings.startup_args : default_agent_flags();
    ours.emplace_back("-Dgo.console.stdout=true");
    add_interval(ours, "agent.ping.interval", settings.ping_interval);
    add_interval(ours, "agent.instruction.interval", settings.instruction_interval);
    return combined(std::move(ours), settings.jvm_opts, settings.inherited_jvm_flags);
}

std::vector<std::string> bootstrapper_flags(const Settings& settings) {
    auto flags =
        combined(default_bootstrapper_flags(), settings.bootstrapper_jvm_args, settings.inherited_jvm_flags);
    flags.emplace_back("-Dgo.console.stdout=true");
    return flags;
}

Result<AotRecord> parse_aot_record(std::string_view text) {
    AotRecord record;
    for (const auto line : split_lines(text)) {
        const auto equals = line.find('=');
        const auto key = line.substr(0, equals);
        const auto value = equals == std::string_view::npos ? std::string_view() : line.substr(equals + 1);
        if (key == "jre") {
            record.jre = value;
        } else if (key == "jar") {
            record.jar = value;
        } else if (key == "size") {
            SUPERVISOR_TRY_ASSIGN(size, parse_unsigned(value));
            record.size = size;
        } else if (key == "sum") {
            record.sum = value;
        } else if (key == "flag") {
            record.flags.emplace_back(value);
        } else {
            return fail("'" + printable(line) + "' does not belong into the record of an AOT cache");
        }
    }
    if (record.jre.empty() || record.jar.empty() || record.size == 0 || record.sum.empty())
        return fail("the record of the AOT cache lacks its JRE, jar, size or sum");
    return record;
}

std::string jre_version(std::string_view release) {
    constexpr std::string_view kKey = "JAVA_RUNTIME_VERSION=\"";
    for (const auto line : split_lines(release)) {
        if (line.starts_with(kKey))
            return std::string(line.substr(kKey.size(), line.rfind('"') - kKey.size()));
    }
    return {};
}

AotVerdict aot_fits(const std::optional<AotCache>& cache, const std::vector<std::string>& flags,
                    std::string_view jre) {
    if (!cache) return {false, "there is no AOT cache"};
    const auto& record = cache->record;
    if (record.jre != jre) {
        return {false,
                "the AOT cache was trained with JRE " + record.jre + ", this one is " + std::string(jre)};
    }
    if (cache->size != record.size)
        return {false, "the AOT cache has another size than the one that was trained"};
    if (without_properties(flags) != without_properties(record.flags)) {
        return {false, "the AOT cache was trained with other JVM flags: " + join(record.flags, " ")};
    }
    return {true, "using " + cache->path};
}

AotVerdict judge_aot(const std::optional<AotCache>& cache, const std::vector<std::string>& flags,
                     std::string_view jre, std::string_view jar, std::string_view sum) {
    auto verdict = aot_fits(cache, flags, jre);
    if (!verdict.use) return verdict;
    if (cache->record.jar != jar)
        return {false, "the AOT cache was trained with another agent.jar than the server has"};
    if (cache->record.sum != sum) return {false, "the AOT cache is damaged"};
    return verdict;
}

}  // namespace supervisor::agent
