#include "engine/space_network.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

#include "base/strings.hpp"
#include "host/namespaces.hpp"
#include "host/netlink.hpp"
#include "sys/files.hpp"

namespace supervisor::engine {
namespace {

constexpr std::uint32_t ipv4(unsigned a, unsigned b, unsigned c, unsigned d) {
    return a << 24U | b << 16U | c << 8U | d;
}

// Candidates for the pair, from rarely used corners of the private ranges that the engine's own pools
// (address_pools.cpp) leave alone; each has room for 64 pairs.
constexpr std::array<std::uint32_t, 4> kCandidates{ipv4(10, 77, 213, 0), ipv4(100, 101, 213, 0),
                                                   ipv4(10, 11, 213, 0), ipv4(198, 18, 213, 0)};
// Names of links and chains.
constexpr std::string_view kLink = "engine";
constexpr std::string_view kChain = "GOCD-";
constexpr unsigned kMostLinks = 64;

constexpr std::uint32_t kNetworkSize = 1U << (32 - kLinkPrefix);

bool is_free(const Ipv4Range& wanted, const std::vector<Ipv4Range>& taken) {
    return std::none_of(taken.begin(), taken.end(), [&](const Ipv4Range& other) {
        return other.prefix != 0 && wanted.overlaps(other);  // the default route covers everything
    });
}

// As /proc/net/{udp,tcp} write an IPv4 address: hexadecimal of the number in memory order.
std::string proc_net_address(const std::string& address) {
    std::string text;
    for (const auto& part : split(address, '.')) {
        const auto number = parse_unsigned(part, 255);
        if (!number) return {};
        text.insert(0, fmt::format("{:02X}", *number));
    }
    return text;
}

std::uint16_t find_port(const std::string& address, std::string_view table) {
    const std::string wanted = proc_net_address(address) + ":";
    for (const auto& line : split_lines(table)) {
        const auto words = split_words(line);
        if (words.size() < 4 || !words[1].starts_with(wanted)) continue;
        const bool waiting = words[3] == "0A" || words[3] == "07";  // listening (tcp), unconnected (udp)
        std::uint16_t port = 0;
        const auto digits = words[1].substr(wanted.size());
        std::from_chars(digits.data(), digits.data() + digits.size(), port, 16);
        if (waiting && port != 0) return port;
    }
    return 53;
}

bool is_ipv4_loopback(std::string_view address) {
    return address.starts_with("127.");
}

std::string resolver_rules(const LinkPlan& link, const std::string& chain) {
    if (!link.resolver) return {};
    const auto& resolver = *link.resolver;
    return fmt::format(
        "-A {0} -i {1} -d {2} -p udp --dport 53 -j DNAT --to-destination {3}:{4}\n"
        "-A {0} -i {1} -d {2} -p tcp --dport 53 -j DNAT --to-destination {3}:{5}\n",
        chain, link.name, link.outer_address, resolver.address, resolver.udp_port, resolver.tcp_port);
}

std::string inward_rules(const LinkPlan& link, Family family, const std::string& chain, bool listener_match) {
    const bool ipv6 = family == Family::Ipv6;
    const std::string& inner = ipv6 ? link.inner_address6 : link.inner_address;
    std::string rules;
    for (const char* protocol : {"tcp", "udp"}) {
        const std::string local = fmt::format("-A {} -p {} -m addrtype --dst-type LOCAL", chain, protocol);
        if (listener_match) rules += local + " -m socket --nowildcard -j RETURN\n";
        rules += fmt::format("{} -j DNAT --to-destination {}\n", local, ipv6 ? "[" + inner + "]" : inner);
    }
    return rules;
}

Result<UniqueFd> memory_file(std::string_view text) {
    UniqueFd file(::memfd_create("rules", MFD_CLOEXEC));
    if (!file) return fail(system_error("create memfd"));
    SUPERVISOR_TRY(sys::write_all(file.get(), text));
    (void)::lseek(file.get(), 0, SEEK_SET);
    return file;
}

std::string text_of(int file) {
    std::string text;
    char chunk[4096];
    for (ssize_t got; (got = ::pread(file, chunk, sizeof chunk, static_cast<off_t>(text.size()))) > 0;)
        text.append(chunk, static_cast<std::size_t>(got));
    return text;
}

std::string first_line_of(int file) {
    const auto all = text_of(file);
    return printable(trim(std::string_view(all).substr(0, all.find('\n'))), 300);
}

// Its exit is collected here, by pid: the reaper must never see it.
Result<> wait_for(const proc::Child& child, Milliseconds patience) {
    pollfd waiting{child.pidfd.get(), POLLIN, 0};
    int ready = 1;
    if (child.pidfd) {
        do {
            ready = ::poll(&waiting, 1, static_cast<int>(patience.count()));
        } while (ready < 0 && errno == EINTR);
    }
    if (ready == 0) (void)proc::send_signal(child, SIGKILL);
    int status = 0;
    while (::waitpid(child.pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (ready == 0) return fail(Error(ETIMEDOUT, "it took too long"));
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return fail(Error(EINVAL, "it failed"));
    return {};
}

// The link that a line of iptables-save is about, "" for somebody else's: "engine0" of "-A FORWARD -i engine0
// …" and of ":GOCD-engine0-IN - [0:0]".
std::string link_of_rule(std::string_view line) {
    for (auto word : split_words(line)) {
        if (word.starts_with(":")) word.remove_prefix(1);
        if (word.starts_with(kChain)) {
            word.remove_prefix(kChain.size());
            word = word.substr(0, word.find('-'));
        }
        if (word.starts_with(kLink) && parse_unsigned(word.substr(kLink.size()), kMostLinks))
            return std::string(word);
    }
    return {};
}

// Docker writes ndots:0 into the resolv.conf of a container in a user-defined network. An inner engine that
// inherits it takes it for the user's wish and stops passing names without a dot on.
std::string without_ndots0(std::string_view line) {
    std::vector<std::string> kept;
    for (const auto& word : split_words(line))
        if (word != "ndots:0") kept.emplace_back(word);
    return kept.size() < 2 ? std::string() : join(kept, " ") + "\n";
}

}  // namespace

Result<LinkPlan> plan_link(const std::vector<Ipv4Range>& taken, unsigned mtu, bool ipv6) {
    LinkPlan link;
    link.mtu = mtu;
    for (const auto candidate : kCandidates) {
        for (std::uint32_t offset = 0; offset < 256; offset += kNetworkSize) {
            const std::uint32_t network = candidate + offset;
            if (!is_free({network, kLinkPrefix}, taken)) continue;
            link.outer_address = ipv4_text(network + 1);
            link.inner_address = ipv4_text(network + 2);
            if (!ipv6) return link;
            // A unique local prefix (RFC 4193) that carries the IPv4 network's number.
            const std::string prefix =
                fmt::format("fd60:c0de:{:x}:{:x}::", network >> 16U, network & 0xffffU);
            link.outer_address6 = prefix + "1";
            link.inner_address6 = prefix + "2";
            return link;
        }
    }
    return fail(Error(EADDRINUSE,
                      "no private network is left for the engine's link: the container has routes to "
                      "all candidates"));
}

LoopbackResolver find_resolver(const std::string& address, std::string_view udp, std::string_view tcp) {
    return {address, find_port(address, udp), find_port(address, tcp)};
}

std::string outer_rules(const LinkPlan& link, Family family, bool listener_match) {
    const bool ipv6 = family == Family::Ipv6;
    const std::string in = "GOCD-" + link.name + "-IN";
    const std::string out = "GOCD-" + link.name + "-OUT";
    std::string rules = fmt::format("*nat\n:{0} -\n:{1} -\n", in, out);
    if (!ipv6) rules += resolver_rules(link, in);
    rules += fmt::format("-A {0} -i {1} -j RETURN\n-A {0} -i lo -j RETURN\n", in, link.name);
    rules += inward_rules(link, family, in, listener_match);
    rules += fmt::format("-A {} -s {} ! -o {} -j MASQUERADE\n", out,
                         ipv6 ? link.inner_address6 : link.inner_address, link.name);
    rules += fmt::format("-A PREROUTING -j {}\n-A POSTROUTING -j {}\nCOMMIT\n", in, out);
    // route_localnet, which the resolver needs, must not open everything else on the outer loopback.
    rules += "*filter\n";
    if (!ipv6 && link.resolver)
        rules +=
            fmt::format("-I INPUT -i {} -d 127.0.0.0/8 -m conntrack ! --ctstate DNAT -j DROP\n", link.name);
    rules += fmt::format("-I FORWARD -i {0} -j ACCEPT\n-I FORWARD -o {0} -j ACCEPT\nCOMMIT\n", link.name);
    return rules;
}

std::string outer_rules_removal(const LinkPlan& link, Family family) {
    const std::string in = "GOCD-" + link.name + "-IN";
    const std::string out = "GOCD-" + link.name + "-OUT";
    std::string rules = fmt::format(
        "*nat\n-D PREROUTING -j {0}\n-D POSTROUTING -j {1}\n-F {0}\n-F {1}\n-X {0}\n-X {1}\nCOMMIT\n", in,
        out);
    rules += "*filter\n";
    if (family == Family::Ipv4 && link.resolver)
        rules +=
            fmt::format("-D INPUT -i {} -d 127.0.0.0/8 -m conntrack ! --ctstate DNAT -j DROP\n", link.name);
    rules += fmt::format("-D FORWARD -i {0} -j ACCEPT\n-D FORWARD -o {0} -j ACCEPT\nCOMMIT\n", link.name);
    return rules;
}

// The agent's resolv.conf still names the loopback address: in the engine's namespace that is sent to the
// gateway, with a source address that can leave the namespace.
std::string inner_rules(const LinkPlan& link) {
    if (!link.resolver) return {};
    std::string rules = "*nat\n";
    for (const char* protocol : {"udp", "tcp"}) {
        rules += fmt::format("-A OUTPUT -d {} -p {} --dport 53 -j DNAT --to-destination {}\n",
                             link.resolver->address, protocol, link.outer_address);
        rules += fmt::format("-A POSTROUTING -s 127.0.0.0/8 -d {} -p {} --dport 53 -j SNAT --to-source {}\n",
                             link.outer_address, protocol, link.inner_address);
    }
    return rules + "COMMIT\n";
}

std::string engine_resolv_conf(const std::string& outer_text, const LinkPlan& link) {
    std::string text;
    for (const auto& line : split_lines(outer_text)) {
        const auto words = split_words(line);
        const bool server = words.size() >= 2 && words[0] == "nameserver";
        if (server && link.resolver && words[1] == link.resolver->address) {
            text += "nameserver " + link.outer_address + "\n";
        } else if (link.resolver && !words.empty() && words[0] == "options") {
            text += without_ndots0(line);
        } else if (!server || !is_ipv4_loopback(words[1])) {
            text += std::string(line) + "\n";
        }
    }
    return text;
}

std::string stale_rules_removal(std::string_view saved,
                                const std::function<bool(const std::string&)>& alive) {
    std::string removal;
    std::string rules;
    std::vector<std::string> chains;
    const auto close_table = [&] {
        for (const auto& chain : chains) rules += "-F " + chain + "\n";
        for (const auto& chain : chains) rules += "-X " + chain + "\n";
        if (!rules.empty()) removal += rules + "COMMIT\n";
        rules.clear();
        chains.clear();
    };
    std::string table;
    for (const auto line : split_lines(saved)) {
        if (line.starts_with("*")) table = std::string(line) + "\n";
        if (line == "COMMIT") close_table();
        const auto link = link_of_rule(line);
        if (link.empty() || alive(link)) continue;
        if (rules.empty()) rules = table;
        if (line.starts_with(":")) chains.emplace_back(split_words(line)[0].substr(1));
        // What stands in a chain of the link goes with the chain.
        if (line.starts_with("-A ") && !line.starts_with("-A GOCD-"))
            rules += "-D " + std::string(line.substr(3)) + "\n";
    }
    return removal;
}

Result<SpaceNetwork> SpaceNetwork::create(LinkPlan link, int engine_namespace) {
    SUPERVISOR_TRY_ASSIGN(outer, host::Netlink::open());
    SUPERVISOR_TRY_ASSIGN(inner, host::Netlink::open_in(engine_namespace));
    SpaceNetwork network;
    for (unsigned number = 1; outer.has_link(link.name) && number < kMostLinks; ++number)
        link.name = std::string(kLink) + std::to_string(number);
    SUPERVISOR_TRY(outer.add_veth({link.name, link.inner_name, engine_namespace, link.mtu}));
    network.linked_ = true;
    network.link_ = link;
    network.engine_namespace_ = engine_namespace;
    SUPERVISOR_TRY(outer.add_address(link.name, fmt::format("{}/{}", link.outer_address, kLinkPrefix)));
    SUPERVISOR_TRY(outer.set_up(link.name));
    SUPERVISOR_TRY(inner.set_up("lo"));
    SUPERVISOR_TRY(inner.add_address(link.inner_name, fmt::format("{}/{}", link.inner_address, kLinkPrefix)));
    SUPERVISOR_TRY(inner.set_up(link.inner_name));
    SUPERVISOR_TRY(inner.add_default_route(link.inner_name, link.outer_address));
    if (link.outer_address6.empty()) return network;
    // An engine without IPv6 is better than none.
    if (const auto added = network.add_ipv6(outer, inner); !added) {
        network.link_.ipv6_problem = added.error().message();
        network.link_.outer_address6.clear();
        network.link_.inner_address6.clear();
    }
    return network;
}

// Docker gives its containers' interfaces their IPv6 by hand and switches it off for all that come later.
Result<> SpaceNetwork::add_ipv6(host::Netlink& outer, host::Netlink& inner) const {
    const auto switch_of = [](const std::string& name) {
        return "/proc/sys/net/ipv6/conf/" + name + "/disable_ipv6";
    };
    SUPERVISOR_TRY(sys::write_existing(switch_of(link_.name), "0"));
    SUPERVISOR_TRY(host::write_in_network_namespace(engine_namespace_, switch_of(link_.inner_name), "0"));
    SUPERVISOR_TRY(outer.add_address(link_.name, fmt::format("{}/{}", link_.outer_address6, kLinkPrefix6)));
    SUPERVISOR_TRY(
        inner.add_address(link_.inner_name, fmt::format("{}/{}", link_.inner_address6, kLinkPrefix6)));
    return inner.add_default_route(link_.inner_name, link_.outer_address6);
}

Result<> SpaceNetwork::allow_forwarding() const {
    SUPERVISOR_TRY(sys::write_existing("/proc/sys/net/ipv4/ip_forward", "1"));
    if (link_.resolver) {
        SUPERVISOR_TRY(sys::write_existing("/proc/sys/net/ipv4/conf/" + link_.name + "/route_localnet", "1"));
        SUPERVISOR_TRY(host::write_in_network_namespace(
            engine_namespace_, "/proc/sys/net/ipv4/conf/" + link_.inner_name + "/route_localnet", "1"));
    }
    if (link_.outer_address6.empty()) return {};
    // A router does not listen to router advertisements unless it is told to (2): without that the outer side
    // would lose its default route.
    const std::string settings = "/proc/sys/net/ipv6/conf/";
    for (const auto& name : sys::list_directory(settings).value_or(std::vector<std::string>{})) {
        const std::string accept = settings + name + "/accept_ra";
        if (trim(sys::read_file_or(accept)) == "1") (void)sys::write_existing(accept, "2");
    }
    return sys::write_existing(settings + "all/forwarding", "1");
}

Result<> SpaceNetwork::start(const proc::Spawner& spawner, Loader loader) {
    SUPERVISOR_TRY_ASSIGN(input, memory_file(loader.rules));
    SUPERVISOR_TRY_ASSIGN(output, memory_file({}));
    proc::ChildPlan plan;
    plan.name = loader.program;
    plan.executable = loader.program;
    plan.arguments = {loader.program};
    if (!loader.rules.empty()) plan.arguments.insert(plan.arguments.end(), {"--noflush", "--wait", "5"});
    plan.environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"};
    plan.descriptors = {{input.get(), 0}, {output.get(), 1}, {output.get(), 2}};
    if (loader.network_namespace >= 0) plan.namespaces = {{loader.network_namespace, CLONE_NEWNET}};
    SUPERVISOR_TRY_ASSIGN(child, spawner.spawn(plan));
    loader.child = std::move(child);
    loader.output = std::move(output);
    (loader.rules.empty() ? savers_ : loaders_).push_back(std::move(loader));
    return {};
}

// A start must not fail because somebody else's rules cannot be read.
void SpaceNetwork::look_for_stale_rules(const proc::Spawner& spawner, const FirewallPrograms& programs) {
    for (const auto& restore : {programs.iptables_restore, programs.ip6tables_restore}) {
        const auto at = restore.rfind("-restore");
        if (at == std::string::npos) continue;
        Loader saver;
        saver.program = restore.substr(0, at) + "-save";
        saver.restore = restore;
        if (sys::exists(saver.program)) (void)start(spawner, std::move(saver));
    }
}

void SpaceNetwork::remove_stale_rules(const proc::Spawner& spawner) {
    constexpr Milliseconds kPatience(2000);
    auto outer = host::Netlink::open();
    const auto alive = [&](const std::string& name) {
        return name != link_.name && outer && outer->has_link(name);
    };
    auto savers = std::move(savers_);
    savers_.clear();
    for (auto& saver : savers) {
        if (!wait_for(saver.child, kPatience)) continue;
        Loader removal;
        removal.program = saver.restore;
        removal.rules = stale_rules_removal(text_of(saver.output.get()), alive);
        if (!removal.rules.empty()) (void)start(spawner, std::move(removal));
    }
    (void)finish_rules(spawner, kPatience);
}

Result<> SpaceNetwork::start_rules(const proc::Spawner& spawner, const FirewallPrograms& programs) {
    programs_ = programs;
    remove_stale_rules(spawner);
    SUPERVISOR_TRY(allow_forwarding());
    rules_ = true;
    const auto load = [&](const std::string& program, Family family) {
        Loader loader;
        loader.program = program;
        loader.rules = outer_rules(link_, family, true);
        loader.fallback = outer_rules(link_, family, false);
        return start(spawner, std::move(loader));
    };
    SUPERVISOR_TRY(load(programs.iptables_restore, Family::Ipv4));
    if (const auto rules = inner_rules(link_); !rules.empty()) {
        Loader inner;
        inner.program = programs.iptables_restore;
        inner.rules = rules;
        inner.network_namespace = engine_namespace_;
        SUPERVISOR_TRY(start(spawner, std::move(inner)));
    }
    if (!link_.outer_address6.empty() && !programs.ip6tables_restore.empty())
        SUPERVISOR_TRY(load(programs.ip6tables_restore, Family::Ipv6));
    return {};
}

Result<> SpaceNetwork::finish(const proc::Spawner& spawner, Loader& loader, Milliseconds patience) {
    auto loaded = wait_for(loader.child, patience);
    if (loaded) return {};
    if (loader.fallback.empty())
        return fail(Error(loaded.error().code(),
                          fmt::format("load rules with {}: {}: {}", loader.program, loaded.error().message(),
                                      first_line_of(loader.output.get()))));
    Loader again;
    again.program = loader.program;
    again.rules = loader.fallback;
    again.network_namespace = loader.network_namespace;
    return start(spawner, std::move(again));
}

Result<> SpaceNetwork::finish_rules(const proc::Spawner& spawner, Milliseconds patience) {
    Result<> first;
    while (!loaders_.empty()) {
        Loader loader = std::move(loaders_.front());
        loaders_.erase(loaders_.begin());
        auto finished = finish(spawner, loader, patience);
        if (!finished && first) first = std::move(finished);
    }
    return first;
}

Result<> SpaceNetwork::remove(const proc::Spawner& spawner) {
    constexpr Milliseconds kPatience(3000);
    for (auto& saver : savers_) (void)wait_for(saver.child, kPatience);
    savers_.clear();
    Result<> first = finish_rules(spawner, kPatience);
    const auto note = [&](Result<> result) {
        if (!result && first) first = std::move(result);
    };
    if (rules_) {
        rules_ = false;
        Loader ipv4;
        ipv4.program = programs_.iptables_restore;
        ipv4.rules = outer_rules_removal(link_, Family::Ipv4);
        note(start(spawner, std::move(ipv4)));
        if (!link_.outer_address6.empty() && !programs_.ip6tables_restore.empty()) {
            Loader ipv6;
            ipv6.program = programs_.ip6tables_restore;
            ipv6.rules = outer_rules_removal(link_, Family::Ipv6);
            note(start(spawner, std::move(ipv6)));
        }
    }
    if (linked_) {
        linked_ = false;
        auto outer = host::Netlink::open();
        note(outer ? outer->remove_link(link_.name) : Result<>(fail(outer.error())));
    }
    note(finish_rules(spawner, kPatience));
    return first;
}

}  // namespace supervisor::engine
