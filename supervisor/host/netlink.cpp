#include "host/netlink.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

#include "base/strings.hpp"
#include "sys/files.hpp"

namespace supervisor::host {

// One message under construction: header, a fixed part, then attributes that may nest.
class Netlink::Request {
  public:
    template <class Fixed>
    Request(std::uint16_t type, std::uint16_t flags, const Fixed& fixed) {
        static_assert(std::is_trivially_copyable_v<Fixed>);
        nlmsghdr header{};
        header.nlmsg_type = type;
        header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
        append(&header, sizeof header);
        append(&fixed, sizeof fixed);
    }

    void attribute(unsigned type, const void* data, std::size_t size) {
        const rtattr head{static_cast<unsigned short>(RTA_LENGTH(size)), static_cast<unsigned short>(type)};
        append(&head, sizeof head);
        append(data, size);
    }
    void attribute(unsigned type, const std::string& text) { attribute(type, text.c_str(), text.size() + 1); }
    void attribute(unsigned type, std::uint32_t number) { attribute(type, &number, sizeof number); }

    std::size_t begin(unsigned type) {
        const std::size_t at = bytes_.size();
        attribute(type, nullptr, 0);
        return at;
    }
    template <class Fixed>
    void fixed_part(const Fixed& fixed) {
        append(&fixed, sizeof fixed);
    }
    void end(std::size_t at) {
        rtattr head{};
        std::memcpy(&head, bytes_.data() + at, sizeof head);
        head.rta_len = static_cast<unsigned short>(bytes_.size() - at);
        std::memcpy(bytes_.data() + at, &head, sizeof head);
    }

    const std::vector<char>& finish(unsigned sequence) {
        nlmsghdr header{};
        std::memcpy(&header, bytes_.data(), sizeof header);
        header.nlmsg_len = static_cast<std::uint32_t>(bytes_.size());
        header.nlmsg_seq = sequence;
        std::memcpy(bytes_.data(), &header, sizeof header);
        return bytes_;
    }

  private:
    // Everything in a netlink message starts on a multiple of four bytes.
    void append(const void* data, std::size_t size) {
        const std::size_t at = bytes_.size();
        bytes_.resize(at + NLMSG_ALIGN(size));
        if (size != 0) std::memcpy(bytes_.data() + at, data, size);
    }

    std::vector<char> bytes_;
};

namespace {

struct Address {
    unsigned char family = AF_INET;
    unsigned char prefix = 32;
    unsigned char bytes[16]{};
    std::size_t size() const { return family == AF_INET ? 4 : 16; }
};

Result<Address> parse_address(const std::string& text) {
    Address address;
    const auto slash = text.find('/');
    const std::string host = text.substr(0, slash);
    address.family = host.find(':') == std::string::npos ? AF_INET : AF_INET6;
    if (::inet_pton(address.family, host.c_str(), address.bytes) != 1)
        return fail(Error(EINVAL, "\"" + text + "\" is not an IP address"));
    const unsigned longest = address.family == AF_INET ? 32 : 128;
    address.prefix = static_cast<unsigned char>(longest);
    if (slash == std::string::npos) return address;
    SUPERVISOR_TRY_ASSIGN(prefix, parse_unsigned(std::string_view(text).substr(slash + 1), longest));
    address.prefix = static_cast<unsigned char>(prefix);
    return address;
}

Result<UniqueFd> open_socket() {
    UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    if (!socket) return fail(system_error("open rtnetlink socket"));
    // Never reached by a working kernel; it keeps the promise that nothing here can hang.
    const timeval limit{2, 0};
    (void)::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    return socket;
}

ifinfomsg link_header(int index = 0) {
    ifinfomsg header{};
    header.ifi_family = AF_UNSPEC;
    header.ifi_index = index;
    return header;
}

// The answer's first message; `data` is its payload.
struct Answer {
    nlmsghdr header{};
    std::vector<char> data;
};

Result<Answer> receive(int socket) {
    std::vector<char> buffer(32 * 1024);
    ssize_t got = -1;
    do {
        got = ::recv(socket, buffer.data(), buffer.size(), 0);
    } while (got < 0 && errno == EINTR);
    if (got < 0) return fail(system_error("receive from rtnetlink"));
    Answer answer;
    const auto size = static_cast<std::size_t>(got);
    if (size < sizeof answer.header) return fail(Error(EPROTO, "rtnetlink: short answer"));
    std::memcpy(&answer.header, buffer.data(), sizeof answer.header);
    answer.data.assign(buffer.begin() + NLMSG_HDRLEN, buffer.begin() + got);
    return answer;
}

Result<Answer> exchange(int socket, const std::vector<char>& message) {
    if (::send(socket, message.data(), message.size(), 0) < 0) return fail(system_error("send to rtnetlink"));
    SUPERVISOR_TRY_ASSIGN(answer, receive(socket));
    if (answer.header.nlmsg_type == NLMSG_ERROR) {
        int code = 0;
        if (answer.data.size() < sizeof code) return fail(Error(EPROTO, "rtnetlink: short answer"));
        std::memcpy(&code, answer.data.data(), sizeof code);
        if (code != 0) return fail(Error(-code, errno_text(-code)));
    }
    return std::move(answer);
}

}  // namespace

Result<Netlink> Netlink::open() {
    SUPERVISOR_TRY_ASSIGN(socket, open_socket());
    return Netlink(std::move(socket));
}

Result<Netlink> Netlink::open_in(int network_namespace) {
    SUPERVISOR_TRY_ASSIGN(own, sys::open_file("/proc/self/ns/net", O_RDONLY));
    if (::setns(network_namespace, CLONE_NEWNET) != 0) return fail(system_error("enter network namespace"));
    auto netlink = open();
    if (::setns(own.get(), CLONE_NEWNET) != 0) return fail(system_error("return to own network namespace"));
    return netlink;
}

Result<> Netlink::perform(Request& request) {
    SUPERVISOR_TRY(exchange(socket_.get(), request.finish(++sequence_)));
    return {};
}

Result<int> Netlink::index_of(const std::string& link) {
    Request request(RTM_GETLINK, 0, link_header());
    request.attribute(IFLA_IFNAME, link);
    auto answer = exchange(socket_.get(), request.finish(++sequence_));
    if (!answer) return fail(answer.error(), "find link " + link);
    ifinfomsg header{};
    if (answer->header.nlmsg_type != RTM_NEWLINK || answer->data.size() < sizeof header)
        return fail(Error(ENODEV, "find link " + link + ": unexpected answer"));
    std::memcpy(&header, answer->data.data(), sizeof header);
    return header.ifi_index;
}

Result<> Netlink::add_veth(const VethPair& pair) {
    Request request(RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, link_header());
    request.attribute(IFLA_IFNAME, pair.name);
    if (pair.mtu != 0) request.attribute(IFLA_MTU, pair.mtu);
    const auto info = request.begin(IFLA_LINKINFO);
    request.attribute(IFLA_INFO_KIND, std::string("veth"));
    const auto data = request.begin(IFLA_INFO_DATA);
    const auto peer = request.begin(VETH_INFO_PEER);
    request.fixed_part(link_header());
    request.attribute(IFLA_IFNAME, pair.peer_name);
    if (pair.mtu != 0) request.attribute(IFLA_MTU, pair.mtu);
    request.attribute(IFLA_NET_NS_FD, static_cast<std::uint32_t>(pair.peer_namespace));
    request.end(peer);
    request.end(data);
    request.end(info);
    if (auto made = perform(request); !made) return fail(made.error(), "make veth pair " + pair.name);
    return {};
}

Result<> Netlink::set_up(const std::string& link) {
    SUPERVISOR_TRY_ASSIGN(index, index_of(link));
    ifinfomsg header = link_header(index);
    header.ifi_flags = IFF_UP;
    header.ifi_change = IFF_UP;
    Request request(RTM_NEWLINK, NLM_F_ACK, header);
    if (auto up = perform(request); !up) return fail(up.error(), "set up link " + link);
    return {};
}

Result<> Netlink::add_address(const std::string& link, const std::string& text) {
    SUPERVISOR_TRY_ASSIGN(index, index_of(link));
    SUPERVISOR_TRY_ASSIGN(address, parse_address(text));
    ifaddrmsg header{};
    header.ifa_family = address.family;
    header.ifa_prefixlen = address.prefix;
    header.ifa_index = static_cast<std::uint32_t>(index);
    Request request(RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, header);
    request.attribute(IFA_LOCAL, address.bytes, address.size());
    request.attribute(IFA_ADDRESS, address.bytes, address.size());
    if (address.family == AF_INET6) request.attribute(IFA_FLAGS, static_cast<std::uint32_t>(IFA_F_NODAD));
    if (auto added = perform(request); !added) return fail(added.error(), "add " + text + " to " + link);
    return {};
}

Result<> Netlink::add_default_route(const std::string& link, const std::string& gateway) {
    SUPERVISOR_TRY_ASSIGN(index, index_of(link));
    SUPERVISOR_TRY_ASSIGN(address, parse_address(gateway));
    rtmsg header{};
    header.rtm_family = address.family;
    header.rtm_table = RT_TABLE_MAIN;
    header.rtm_protocol = RTPROT_STATIC;
    header.rtm_scope = RT_SCOPE_UNIVERSE;
    header.rtm_type = RTN_UNICAST;
    Request request(RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, header);
    request.attribute(RTA_GATEWAY, address.bytes, address.size());
    request.attribute(RTA_OIF, static_cast<std::uint32_t>(index));
    if (auto added = perform(request); !added)
        return fail(added.error(), "add default route through " + gateway);
    return {};
}

Result<> Netlink::remove_link(const std::string& link) {
    Request request(RTM_DELLINK, NLM_F_ACK, link_header());
    request.attribute(IFLA_IFNAME, link);
    auto removed = perform(request);
    if (!removed && removed.error().code() != ENODEV) return fail(removed.error(), "remove link " + link);
    return {};
}

bool Netlink::has_link(const std::string& link) {
    return index_of(link).has_value();
}

}  // namespace supervisor::host
