#include "sys/procfs.hpp"

#include <algorithm>
#include <charconv>

#include "base/strings.hpp"

namespace supervisor::sys {
namespace {

constexpr std::uint32_t kRouteUp = 1;  // RTF_UP of linux/route.h

template <class Number>
std::optional<Number> number(std::string_view text, int base = 10) {
    Number value{};
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (error != std::errc{} || stop != text.data() + text.size()) return std::nullopt;
    return value;
}

bool octal(char c) {
    return c >= '0' && c <= '7';
}

// mountinfo writes blanks and backslashes as \ooo.
std::string unescape(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool escape = text[i] == '\\' && i + 3 < text.size() && octal(text[i + 1]) &&
                            octal(text[i + 2]) && octal(text[i + 3]);
        if (!escape) {
            out += text[i];
            continue;
        }
        out += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
        i += 3;
    }
    return out;
}

std::vector<std::string> strings(const std::vector<std::string_view>& views) {
    return {views.begin(), views.end()};
}

bool contains(const std::vector<std::string>& list, std::string_view value) {
    return std::find(list.begin(), list.end(), value) != list.end();
}

std::optional<MountEntry> parse_mount(std::string_view line) {
    const auto words = split_words(line);
    const auto dash = std::find(words.begin(), words.end(), "-");
    if (words.size() < 9 || dash - words.begin() < 6 || words.end() - dash < 3) return std::nullopt;
    const auto id = number<int>(words[0]);
    const auto parent = number<int>(words[1]);
    if (!id || !parent) return std::nullopt;
    MountEntry entry;
    entry.id = *id;
    entry.parent = *parent;
    entry.device = words[2];
    entry.root = unescape(words[3]);
    entry.target = unescape(words[4]);
    entry.options = strings(split(words[5], ','));
    entry.propagation.assign(words.begin() + 6, dash);
    entry.type = dash[1];
    entry.source = unescape(dash[2]);
    if (words.end() - dash > 3) entry.super_options = strings(split(dash[3], ','));
    return entry;
}

// "Key:\tvalue" → value.
std::optional<std::string_view> keyed_value(std::string_view line, std::string_view key) {
    if (!line.starts_with(key) || line.size() <= key.size() || line[key.size()] != ':') return std::nullopt;
    return trim(line.substr(key.size() + 1));
}

std::optional<User> parse_user(std::string_view line) {
    const auto fields = split(line, ':');
    if (fields.size() != 7) return std::nullopt;
    const auto id = number<uid_t>(fields[2]);
    const auto group = number<gid_t>(fields[3]);
    if (!id || !group) return std::nullopt;
    return User{std::string(fields[0]), *id, *group, std::string(fields[5]), std::string(fields[6])};
}

std::optional<Group> parse_group(std::string_view line) {
    const auto fields = split(line, ':');
    if (fields.size() != 4) return std::nullopt;
    const auto id = number<gid_t>(fields[2]);
    if (!id) return std::nullopt;
    Group group{std::string(fields[0]), *id, {}};
    if (!fields[3].empty()) group.members = strings(split(fields[3], ','));
    return group;
}

// /proc/net/route prints addresses as the hexadecimal of a network-order word read in host order.
std::optional<std::uint32_t> route_address(std::string_view text) {
    const auto raw = number<std::uint32_t>(text, 16);
    if (!raw) return std::nullopt;
    return __builtin_bswap32(*raw);
}

std::optional<Route4> parse_route(std::string_view line) {
    const auto words = split_words(line);
    if (words.size() < 8) return std::nullopt;
    const auto destination = route_address(words[1]);
    const auto gateway = route_address(words[2]);
    const auto flags = number<std::uint32_t>(words[3], 16);
    const auto metric = number<std::uint32_t>(words[6]);
    const auto mask = route_address(words[7]);
    if (!destination || !gateway || !flags || !metric || !mask || (*flags & kRouteUp) == 0)
        return std::nullopt;
    return Route4{std::string(words[0]), *destination, *mask, *gateway, *metric};
}

}  // namespace

bool MountEntry::read_only() const {
    return contains(options, "ro") || contains(super_options, "ro");
}

bool MountEntry::shared() const {
    return std::any_of(propagation.begin(), propagation.end(),
                       [](const std::string& field) { return field.starts_with("shared:"); });
}

bool MountEntry::has_super_option(std::string_view option) const {
    return contains(super_options, option);
}

std::vector<MountEntry> parse_mountinfo(std::string_view text) {
    std::vector<MountEntry> mounts;
    for (const auto line : split_lines(text)) {
        if (auto entry = parse_mount(line)) mounts.push_back(std::move(*entry));
    }
    return mounts;
}

const MountEntry* mount_at(const std::vector<MountEntry>& mounts, std::string_view path) {
    const auto found = std::find_if(mounts.rbegin(), mounts.rend(),
                                    [&](const MountEntry& entry) { return entry.target == path; });
    return found == mounts.rend() ? nullptr : &*found;
}

bool path_is_inside(std::string_view path, std::string_view directory) {
    if (directory == "/") return path.starts_with('/');
    return path.starts_with(directory) && (path.size() == directory.size() || path[directory.size()] == '/');
}

const MountEntry* mount_holding(const std::vector<MountEntry>& mounts, std::string_view path) {
    const MountEntry* best = nullptr;
    for (const auto& entry : mounts) {
        if (!path_is_inside(path, entry.target)) continue;
        if (best == nullptr || entry.target.size() >= best->target.size()) best = &entry;
    }
    return best;
}

std::vector<CgroupMembership> parse_cgroup_membership(std::string_view text) {
    std::vector<CgroupMembership> memberships;
    for (const auto line : split_lines(text)) {
        const auto first = line.find(':');
        const auto second = line.find(':', first == std::string_view::npos ? first : first + 1);
        if (second == std::string_view::npos) continue;
        const auto hierarchy = number<unsigned>(line.substr(0, first));
        if (!hierarchy) continue;
        memberships.push_back({*hierarchy, std::string(line.substr(first + 1, second - first - 1)),
                               std::string(line.substr(second + 1))});
    }
    return memberships;
}

ProcessStatus parse_process_status(std::string_view text) {
    ProcessStatus status;
    const std::pair<std::string_view, std::uint64_t*> masks[] = {{"CapInh", &status.inheritable},
                                                                 {"CapPrm", &status.permitted},
                                                                 {"CapEff", &status.effective},
                                                                 {"CapBnd", &status.bounding},
                                                                 {"CapAmb", &status.ambient}};
    for (const auto line : split_lines(text)) {
        for (const auto& [key, mask] : masks) {
            if (const auto value = keyed_value(line, key))
                *mask = number<std::uint64_t>(*value, 16).value_or(0);
        }
        if (const auto value = keyed_value(line, "NoNewPrivs")) status.no_new_privileges = *value == "1";
        if (const auto value = keyed_value(line, "Seccomp"))
            status.seccomp_mode = number<unsigned>(*value).value_or(0);
    }
    return status;
}

std::vector<std::string> parse_filesystems(std::string_view text) {
    std::vector<std::string> names;
    for (const auto line : split_lines(text)) {
        const auto words = split_words(line);
        if (!words.empty()) names.emplace_back(words.back());
    }
    return names;
}

std::optional<User> find_user(std::string_view passwd, std::string_view name) {
    for (const auto line : split_lines(passwd)) {
        if (auto user = parse_user(line); user && user->name == name) return user;
    }
    return std::nullopt;
}

std::optional<User> find_user(std::string_view passwd, uid_t id) {
    for (const auto line : split_lines(passwd)) {
        if (auto user = parse_user(line); user && user->id == id) return user;
    }
    return std::nullopt;
}

std::optional<Group> find_group(std::string_view group, std::string_view name) {
    for (const auto line : split_lines(group)) {
        if (auto entry = parse_group(line); entry && entry->name == name) return entry;
    }
    return std::nullopt;
}

std::vector<gid_t> supplementary_groups(std::string_view group, std::string_view name) {
    std::vector<gid_t> ids;
    for (const auto line : split_lines(group)) {
        if (auto entry = parse_group(line); entry && contains(entry->members, name)) ids.push_back(entry->id);
    }
    return ids;
}

std::vector<Route4> parse_routes(std::string_view text) {
    std::vector<Route4> routes;
    for (const auto line : split_lines(text)) {
        if (auto route = parse_route(line)) routes.push_back(std::move(*route));
    }
    return routes;
}

const Route4* default_route(const std::vector<Route4>& routes) {
    const Route4* best = nullptr;
    for (const auto& route : routes) {
        if (route.destination != 0 || route.mask != 0) continue;
        if (best == nullptr || route.metric < best->metric) best = &route;
    }
    return best;
}

std::uint64_t meminfo_value(std::string_view text, std::string_view key) {
    for (const auto line : split_lines(text)) {
        const auto value = keyed_value(line, key);
        if (!value) continue;
        const auto words = split_words(*value);
        return words.empty() ? 0 : number<std::uint64_t>(words[0]).value_or(0) * 1024;
    }
    return 0;
}

}  // namespace supervisor::sys
