// resolv.conf(5), as far as it matters for passing name servers on.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace supervisor::host {

struct ResolvConf {
    std::vector<std::string> nameservers;
    std::vector<std::string> search;
    std::vector<std::string> options;
};
ResolvConf parse_resolv_conf(std::string_view text);

// An address that means "this machine itself" and so nothing to somebody in another network namespace:
// 127.0.0.0/8 and ::1.
bool is_loopback_address(std::string_view address);

}  // namespace supervisor::host
