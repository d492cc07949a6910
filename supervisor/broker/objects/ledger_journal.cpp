// What the engine's lists do not tell, kept in a file that outlives this process: one JSON array a line.
#include "base/log.hpp"

#include <cstdint>
#include "base/strings.hpp"
#include "broker/objects/ledger.hpp"
#include "sys/files.hpp"

namespace supervisor::broker {
namespace {

std::string text_at(const json::array& entry, std::size_t index) {
    const auto* value = entry.if_contains(index);
    return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}

std::uint64_t number_at(const json::array& entry, std::size_t index) {
    const auto* value = entry.if_contains(index);
    if (value == nullptr || !value->is_number()) return 0;
    const auto number = value->to_number<std::int64_t>();
    return number < 0 ? 0 : static_cast<std::uint64_t>(number);
}

bool flag_at(const json::array& entry, std::size_t index) {
    const auto* value = entry.if_contains(index);
    return value != nullptr && value->is_bool() && value->as_bool();
}

}  // namespace

void Ledger::keep_in(int fd) {
    const auto text = sys::read_open_file(fd);
    if (!text) log::warn("broker", text.error().context("read the ledger").message());
    if (text) {
        // The last line of a process that was killed may be torn: it is no JSON and is skipped.
        for (const auto line : split_lines(*text)) {
            if (const auto entry = parse_json(line); entry && entry->is_array()) replay(entry->as_array());
        }
        if (!text->empty() && text->back() != '\n') (void)sys::write_all(fd, "\n");
    }
    journal_ = fd;
}

void Ledger::replay(const json::array& entry) {
    const auto kind = text_at(entry, 0);
    const auto name = text_at(entry, 1);
    if (kind == "volume") {
        add_volume(name, text_at(entry, 2));
    } else if (kind == "image") {
        add_image(name, {text_at(entry, 2), text_at(entry, 3), flag_at(entry, 4), flag_at(entry, 5),
                         flag_at(entry, 6)});
    } else if (kind == "container") {
        add(OwnContainer{name, text_at(entry, 2), text_at(entry, 3), number_at(entry, 4),
                         number_at(entry, 5)});
    } else if (kind == "no volume") {
        remove_volume(name);
    } else if (kind == "no image") {
        remove_image(name);
    }
}

void Ledger::note(const json::array& entry) const {
    if (journal_ >= 0) (void)sys::write_all(journal_, to_text(entry) + "\n");
}

}  // namespace supervisor::broker
