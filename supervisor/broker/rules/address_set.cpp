#include "broker/rules/address_set.hpp"

#include <arpa/inet.h>

namespace supervisor::broker {
namespace {

bool bit(const std::array<std::uint8_t, 16>& bytes, unsigned index) {
    return (bytes[index / 8] >> (7 - index % 8) & 1U) != 0;
}

}  // namespace

bool Subnet::contains(const Subnet& inner) const {
    if (v6 != inner.v6 || inner.prefix < prefix) return false;
    for (unsigned i = 0; i < prefix; ++i) {
        if (bit(base, i) != bit(inner.base, i)) return false;
    }
    return true;
}

Result<Subnet> Subnet::parse(std::string_view text) {
    const auto error = [&] {
        return fail("\"" + printable(text, 60) + "\" is no address and no subnet such as 172.20.0.0/16");
    };
    const auto slash = text.find('/');
    const std::string address(text.substr(0, slash));
    Subnet out;
    out.v6 = address.find(':') != std::string::npos;
    if (::inet_pton(out.v6 ? AF_INET6 : AF_INET, address.c_str(), out.base.data()) != 1) return error();
    const unsigned most = out.v6 ? 128 : 32;
    out.prefix = most;
    if (slash == std::string_view::npos) return out;
    const auto prefix = parse_unsigned(text.substr(slash + 1), most);
    if (!prefix) return error();
    out.prefix = static_cast<unsigned>(*prefix);
    return out;
}

Result<PortRange> PortRange::parse(std::string_view text) {
    const auto dash = text.find('-');
    const auto first = parse_unsigned(text.substr(0, dash), UINT16_MAX);
    const auto last =
        dash == std::string_view::npos ? first : parse_unsigned(text.substr(dash + 1), UINT16_MAX);
    if (!first || !last || *first > *last)
        return fail("\"" + printable(text, 60) + "\" is no port and no range such as 8000-8999");
    return PortRange{static_cast<std::uint16_t>(*first), static_cast<std::uint16_t>(*last)};
}

}  // namespace supervisor::broker
