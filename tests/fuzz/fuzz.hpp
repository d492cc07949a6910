// What the targets share. What they hold true must hold in every build, so this is no assert().
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string_view>

inline void require(bool condition) {
    if (!condition) std::abort();
}

inline std::string_view text_of_input(const std::uint8_t* data, std::size_t size) {
    return {reinterpret_cast<const char*>(data), size};
}
