// A set of bytes to look up in, one load a byte: which ones a grammar allows.
#pragma once

#include <array>
#include <string_view>

namespace supervisor::broker {

class ByteSet {
  public:
    static constexpr std::string_view kLettersAndDigits =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

    constexpr explicit ByteSet(std::string_view members, std::string_view more = {}) {
        for (const char c : members) has_[static_cast<unsigned char>(c)] = true;
        for (const char c : more) has_[static_cast<unsigned char>(c)] = true;
    }
    constexpr bool has(char c) const { return has_[static_cast<unsigned char>(c)]; }

  private:
    std::array<bool, 256> has_{};
};

}  // namespace supervisor::broker
