#include "engine/address_pools.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "base/strings.hpp"

namespace supervisor::engine {
namespace {

constexpr std::uint32_t ipv4(std::uint32_t a, std::uint32_t b, std::uint32_t c = 0, std::uint32_t d = 0) {
    return a << 24 | b << 16 | c << 8 | d;
}

bool is_free(const Ipv4Range& range, const std::vector<Ipv4Range>& taken) {
    return std::none_of(taken.begin(), taken.end(),
                        [&](const Ipv4Range& other) { return range.overlaps(other); });
}

// The pools that the engine has built in (libnetwork's ipamutils), so that nothing changes for who counts on
// them.
std::vector<AddressPool> usual_pools() {
    std::vector<AddressPool> pools;
    for (std::uint32_t second = 17; second <= 31; ++second) pools.push_back({{ipv4(172, second), 16}, 16});
    for (std::uint32_t third = 0; third < 256; third += 16)
        pools.push_back({{ipv4(192, 168, third), 20}, 20});
    return pools;
}

// 10.0.0.0/8 is where clusters and companies live: its upper end, and only as a way out.
std::vector<AddressPool> last_resort_pools() {
    std::vector<AddressPool> pools;
    for (std::uint32_t second = 200; second <= 255; ++second) pools.push_back({{ipv4(10, second), 16}, 20});
    return pools;
}

std::vector<AddressPool> free_ones(std::vector<AddressPool> pools, const std::vector<Ipv4Range>& taken) {
    std::erase_if(pools, [&](const AddressPool& pool) { return !is_free(pool.base, taken); });
    return pools;
}

// Joins neighbours into one larger base, so that `docker info` lists a few and not thirty.
std::vector<AddressPool> joined(std::vector<AddressPool> pools) {
    for (std::size_t i = 0; i + 1 < pools.size();) {
        const auto& left = pools[i];
        const auto& right = pools[i + 1];
        const Ipv4Range both{left.base.address, left.base.prefix - 1};
        const bool siblings = left.size == right.size && left.base.prefix == right.base.prefix &&
                              both.address == (left.base.address & both.mask()) &&
                              right.base.address == (left.base.address | (left.base.mask() & ~both.mask()));
        if (!siblings) {
            ++i;
            continue;
        }
        pools[i].base = both;
        pools.erase(pools.begin() + static_cast<std::ptrdiff_t>(i) + 1);
        i = i > 0 ? i - 1 : 0;  // the larger one may have found its own sibling
    }
    return pools;
}

}  // namespace

std::string ipv4_text(std::uint32_t address) {
    return fmt::format("{}.{}.{}.{}", address >> 24, address >> 16 & 255, address >> 8 & 255, address & 255);
}

std::string Ipv4Range::text() const {
    return fmt::format("{}/{}", ipv4_text(address), prefix);
}

std::string Ipv4Range::first_host() const {
    return fmt::format("{}/{}", ipv4_text(address + 1), prefix);
}

std::optional<Ipv4Range> parse_ipv4_range(std::string_view text) {
    const auto slash = text.find('/');
    const auto parts = split(text.substr(0, slash), '.');
    if (parts.size() != 4) return std::nullopt;
    Ipv4Range range{0, 32};
    for (const auto part : parts) {
        const auto byte = parse_unsigned(part, 255);
        if (!byte) return std::nullopt;
        range.address = range.address << 8 | static_cast<std::uint32_t>(*byte);
    }
    if (slash != std::string_view::npos) {
        const auto prefix = parse_unsigned(text.substr(slash + 1), 32);
        if (!prefix) return std::nullopt;
        range.prefix = static_cast<unsigned>(*prefix);
    }
    range.address &= range.mask();
    return range;
}

std::optional<AddressPlan> choose_addresses(const std::vector<Ipv4Range>& taken) {
    auto pools = free_ones(usual_pools(), taken);
    if (pools.size() < 2) {
        const auto more = free_ones(last_resort_pools(), taken);
        pools.insert(pools.end(), more.begin(), more.end());
    }
    if (pools.size() < 2) return std::nullopt;
    AddressPlan plan;
    plan.bridge = pools.front().base;
    pools.erase(pools.begin());
    plan.pools = joined(std::move(pools));
    return plan;
}

}  // namespace supervisor::engine
