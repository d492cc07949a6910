// Addresses and ports of the host, as a policy file lists them and as requests ask for them.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace supervisor::broker {

// "172.16.0.0/12", "fd00::/8", or one address.
struct Subnet {
    std::array<std::uint8_t, 16> base{};
    unsigned prefix = 0;
    bool v6 = false;

    bool contains(const Subnet& inner) const;
};
Result<Subnet> parse_subnet(std::string_view text);

class AddressSet {
  public:
    // The first text that is none is named.
    static Result<AddressSet> parse(const std::vector<std::string>& texts);
    bool contains(const Subnet& subnet) const;
    const std::string& text() const { return text_; }  // for messages

  private:
    std::vector<Subnet> subnets_;
    std::string text_;
};

struct PortRange {
    std::uint16_t first = 0;
    std::uint16_t last = 0;
};
// "8080" or "8000-8010"; digits only.
Result<PortRange> parse_port_range(std::string_view text);

class PortSet {
  public:
    static Result<PortSet> parse(const std::vector<std::string>& texts);
    bool contains(const PortRange& range) const;
    const std::string& text() const { return text_; }

  private:
    std::vector<PortRange> ranges_;
    std::string text_;
};

}  // namespace supervisor::broker
