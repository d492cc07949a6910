#include "broker/self.hpp"

#include <algorithm>

#include "base/strings.hpp"
#include "broker/objects/ledger.hpp"

namespace supervisor::broker {
namespace {

constexpr std::size_t kIdLength = 64;

bool is_hex(std::string_view text) {
    return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// The last run of exactly 64 hexadecimal digits.
std::string last_id(std::string_view line) {
    std::string found;
    for (std::size_t i = 0; i + kIdLength <= line.size(); ++i) {
        const bool starts = i == 0 || !is_hex(line.substr(i - 1, 1));
        const bool ends = i + kIdLength == line.size() || !is_hex(line.substr(i + kIdLength, 1));
        if (starts && ends && is_hex(line.substr(i, kIdLength))) found = line.substr(i, kIdLength);
    }
    return found;
}

}  // namespace

std::vector<std::string> own_container_candidates(std::string_view cgroup, std::string_view mountinfo,
                                                  std::string_view hostname) {
    std::vector<std::string> out;
    const auto add = [&out](std::string id) {
        if (!id.empty() && std::find(out.begin(), out.end(), id) == out.end()) out.push_back(std::move(id));
    };
    for (const auto line : split_lines(cgroup)) add(last_id(line));
    for (const auto line : split_lines(mountinfo)) {
        const auto fields = split_words(line);
        // Field 4 is the root within its file system, field 5 where it is mounted.
        if (fields.size() > 4 && (fields[4] == "/etc/hostname" || fields[4] == "/etc/resolv.conf"))
            add(last_id(fields[3]));
    }
    if (hostname.size() == 12 && is_hex(hostname)) add(std::string(hostname));
    return out;
}

std::vector<Mount> mounts_from_inspect(const json::object& inspect) {
    std::vector<Mount> out;
    const auto* mounts = inspect.if_contains("Mounts");
    if (mounts == nullptr || !mounts->is_array()) return out;
    for (const auto& element : mounts->as_array()) {
        if (!element.is_object()) continue;
        const auto& mount = element.as_object();
        const auto type = text_of(mount, "Type");
        const auto source = text_of(mount, "Source");
        if ((type != "bind" && type != "volume") || !source.starts_with('/')) continue;
        const auto* writable = mount.if_contains("RW");
        out.push_back({text_of(mount, "Destination"), source,
                       writable == nullptr || !writable->is_bool() || writable->as_bool(),
                       type == "volume" ? text_of(mount, "Name") : std::string()});
    }
    return out;
}

}  // namespace supervisor::broker
