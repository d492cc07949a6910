#include "sys/capabilities.hpp"

#include <sys/capability.h>

#include <algorithm>
#include <cctype>
#include <memory>

namespace supervisor::sys {

std::string capability_name(unsigned capability) {
    // "cap_chown", or the bare number of one that is younger than the library.
    const std::unique_ptr<char, int (*)(void*)> name(::cap_to_name(static_cast<cap_value_t>(capability)),
                                                     ::cap_free);
    std::string text = name != nullptr ? name.get() : std::to_string(capability);
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return text.starts_with("CAP_") ? text : "CAP_" + text;
}

std::vector<std::string> capability_names(std::uint64_t mask) {
    std::vector<std::string> names;
    for (unsigned capability = 0; capability < 64; ++capability) {
        if (has_capability(mask, capability)) names.push_back(capability_name(capability));
    }
    return names;
}

}  // namespace supervisor::sys
