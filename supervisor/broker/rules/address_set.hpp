// Addresses and ports of the host, as a policy file lists them and as requests ask for them.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/strings.hpp"

namespace supervisor::broker {

// "172.16.0.0/12", "fd00::/8", or one address.
struct Subnet {
    std::array<std::uint8_t, 16> base{};
    unsigned prefix = 0;
    bool v6 = false;

    static Result<Subnet> parse(std::string_view text);
    bool contains(const Subnet& inner) const;
};

// "8080" or "8000-8010"; digits only.
struct PortRange {
    std::uint16_t first = 0;
    std::uint16_t last = 0;

    static Result<PortRange> parse(std::string_view text);
    bool contains(const PortRange& inner) const { return first <= inner.first && inner.last <= last; }
};

template <class Range>
class RangeSet {
  public:
    // The first text that is none is named.
    static Result<RangeSet> parse(const std::vector<std::string>& texts) {
        RangeSet out;
        for (const auto& text : texts) {
            SUPERVISOR_TRY_ASSIGN(range, Range::parse(text));
            out.ranges_.push_back(range);
        }
        out.text_ = texts.empty() ? "none" : join(texts, ", ");
        return out;
    }
    // As a whole, in one of the set's.
    bool contains(const Range& inner) const {
        return std::any_of(ranges_.begin(), ranges_.end(),
                           [&](const Range& outer) { return outer.contains(inner); });
    }
    const std::string& text() const { return text_; }  // for messages

  private:
    std::vector<Range> ranges_;
    std::string text_;
};
using AddressSet = RangeSet<Subnet>;
using PortSet = RangeSet<PortRange>;

}  // namespace supervisor::broker
