#include "host/resolv_conf.hpp"

#include "base/strings.hpp"

namespace supervisor::host {

ResolvConf parse_resolv_conf(std::string_view text) {
    ResolvConf conf;
    for (const auto line : split_lines(text)) {
        const auto words = split_words(line.substr(0, line.find_first_of("#;")));
        if (words.size() < 2) continue;
        if (words[0] == "nameserver") conf.nameservers.emplace_back(words[1]);
        // The last search or domain line counts (resolv.conf(5)); options add up.
        if (words[0] == "search" || words[0] == "domain") conf.search.assign(words.begin() + 1, words.end());
        if (words[0] == "options") conf.options.insert(conf.options.end(), words.begin() + 1, words.end());
    }
    return conf;
}

bool is_loopback_address(std::string_view address) {
    return address.starts_with("127.") || address == "::1";
}

}  // namespace supervisor::host
