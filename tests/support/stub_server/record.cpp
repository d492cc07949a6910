#include "record.hpp"

#include <chrono>

namespace stub_server {

Record::Record(const std::string& path) : file_(path.empty() ? nullptr : std::fopen(path.c_str(), "ae")) {}

void Record::write(std::string_view event, supervisor::json::object members) {
    if (file_ == nullptr) return;
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(now).count();
    supervisor::json::object line = {{"t_us", micros}, {"event", event}};
    for (auto& member : members) line.insert(std::move(member));
    const auto text = supervisor::to_text(line) + '\n';
    const std::lock_guard lock(mutex_);
    std::fputs(text.c_str(), file_.get());
    std::fflush(file_.get());
}

}  // namespace stub_server
