// IPv4 ranges for the engine's bridges that do not collide with what the container can already reach.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace supervisor::engine {

struct Ipv4Range {
    std::uint32_t address = 0;  // host byte order, host bits zero
    unsigned prefix = 0;

    std::uint32_t mask() const { return prefix == 0 ? 0 : ~std::uint32_t{0} << (32 - prefix); }
    bool overlaps(const Ipv4Range& other) const {
        const auto common = mask() & other.mask();
        return (address & common) == (other.address & common);
    }
    std::string text() const;
    // "a.b.c.1/n": what a bridge in this range is given.
    std::string first_host() const;
};

// "10.0.0.0/8", or one address ("10.0.0.1" is a /32). Host bits are cleared.
std::optional<Ipv4Range> parse_ipv4_range(std::string_view text);
std::string ipv4_text(std::uint32_t address);

struct AddressPool {
    Ipv4Range base;
    unsigned size = 16;  // prefix of one network
};

struct AddressPlan {
    Ipv4Range bridge;                // of the default bridge
    std::vector<AddressPool> pools;  // for networks that are made later
};

// The engine's own ranges (172.17–172.31, 192.168.0.0/16), without what overlaps `taken`; only when nothing
// is left there, ranges of 10.0.0.0/8. No value when that is full as well.
std::optional<AddressPlan> choose_addresses(const std::vector<Ipv4Range>& taken);

}  // namespace supervisor::engine
