#include "broker/objects/name_patterns.hpp"

namespace supervisor::broker {
namespace {

constexpr std::size_t kMaxPattern = 256;

std::shared_ptr<regex_t> compile(const std::string& text) {
    if (text.size() > kMaxPattern) return nullptr;
    auto pattern = std::make_unique<regex_t>();
    if (::regcomp(pattern.get(), text.c_str(), REG_EXTENDED | REG_NOSUB) != 0) return nullptr;
    return {pattern.release(), [](regex_t* compiled) {
                ::regfree(compiled);
                delete compiled;
            }};
}

bool matches(const regex_t& pattern, const std::string& text) {
    return ::regexec(&pattern, text.c_str(), 0, nullptr, 0) == 0;
}

}  // namespace

NamePatterns::NamePatterns(Filters& filters) {
    const auto taken = filters.extract("name");
    if (taken.empty()) return;
    for (const auto& text : taken.mapped()) {
        if (auto pattern = compile(text)) {
            patterns_.push_back(std::move(pattern));
        } else {
            plain_.push_back(text);
        }
    }
}

bool NamePatterns::match(const std::string& name) const {
    for (const auto& pattern : patterns_) {
        if (matches(*pattern, name) || matches(*pattern, "/" + name)) return true;
    }
    for (const auto& text : plain_) {
        if (name.find(text) != std::string::npos) return true;
    }
    return false;
}

}  // namespace supervisor::broker
