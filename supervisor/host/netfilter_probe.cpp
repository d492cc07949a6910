#include "host/netfilter_probe.hpp"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/strings.hpp"
#include "base/unique_fd.hpp"
#include "host/experiment.hpp"
#include "sys/files.hpp"

namespace supervisor::host {
namespace {

// The MASQUERADE target insists on this table name; an existing table of that name is simply used.
constexpr char kTable[] = "nat";
constexpr char kRawTable[] = "raw";
constexpr char kChain[] = "supervisor-probe";
constexpr std::uint32_t kSourceNatPriority = 100;                         // NF_IP_PRI_NAT_SRC
constexpr std::uint32_t kRawPriority = static_cast<std::uint32_t>(-300);  // NF_IP_PRI_RAW
// struct nf_nat_ipv4_multi_range_compat / nf_nat_range: a MASQUERADE with nothing set. The former holds one
// range (size 1); the latter is all zeros. Both padded to the 8 bytes that xtables compares with.
constexpr std::size_t kMasquerade4Size = 24;
constexpr std::size_t kMasquerade6Size = 40;

// Grows a netlink message buffer; nested attributes and messages get their length when they are closed.
class Batch {
  public:
    std::size_t begin_message(std::uint16_t type, std::uint16_t flags, std::uint8_t family,
                              std::uint16_t resource) {
        const auto at = bytes_.size();
        nlmsghdr header{};
        header.nlmsg_type = type;
        header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
        header.nlmsg_seq = ++sequence_;
        append(&header, sizeof header);
        nfgenmsg generic{};
        generic.nfgen_family = family;
        generic.version = NFNETLINK_V0;
        generic.res_id = htons(resource);
        append(&generic, sizeof generic);
        return at;
    }
    void end_message(std::size_t at) {
        const auto length = static_cast<std::uint32_t>(bytes_.size() - at);
        std::memcpy(bytes_.data() + at, &length, sizeof length);
    }
    std::size_t begin_nested(std::uint16_t type) {
        const auto at = bytes_.size();
        header(static_cast<std::uint16_t>(type | NLA_F_NESTED), 0);
        return at;
    }
    void end_nested(std::size_t at) {
        const auto length = static_cast<std::uint16_t>(bytes_.size() - at);
        std::memcpy(bytes_.data() + at, &length, sizeof length);
    }
    void put(std::uint16_t type, const void* data, std::size_t size) {
        header(type, size);
        append(data, size);
    }
    void put(std::uint16_t type, std::string_view text) {
        put(type, std::string(text).c_str(), text.size() + 1);
    }
    void put(std::uint16_t type, std::uint32_t value) {
        const auto big_endian = htonl(value);
        put(type, &big_endian, sizeof big_endian);
    }
    std::uint32_t last_sequence() const { return sequence_; }
    const std::vector<char>& bytes() const { return bytes_; }

  private:
    void header(std::uint16_t type, std::size_t size) {
        nlattr attribute{};
        attribute.nla_len = static_cast<std::uint16_t>(NLA_HDRLEN + size);
        attribute.nla_type = type;
        append(&attribute, sizeof attribute);
    }
    void append(const void* data, std::size_t size) {
        const auto at = bytes_.size();
        bytes_.resize(at + NLMSG_ALIGN(size));
        std::memcpy(bytes_.data() + at, data, size);
    }
    std::vector<char> bytes_;
    std::uint32_t sequence_ = 0;
};

constexpr std::uint16_t nft_message(int type) {
    return static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | type);
}

void add_table(Batch& batch, std::uint8_t family, const char* table) {
    const auto at = batch.begin_message(nft_message(NFT_MSG_NEWTABLE), NLM_F_CREATE | NLM_F_ACK, family, 0);
    batch.put(NFTA_TABLE_NAME, table);
    batch.end_message(at);
}

struct Chain {
    const char* table;
    const char* type;
    std::uint32_t hook;
    std::uint32_t priority;
};
constexpr Chain kNatChain{kTable, "nat", NF_INET_POST_ROUTING, kSourceNatPriority};
constexpr Chain kRawChain{kRawTable, "filter", NF_INET_PRE_ROUTING, kRawPriority};

void add_chain(Batch& batch, std::uint8_t family, const Chain& chain) {
    const auto at = batch.begin_message(nft_message(NFT_MSG_NEWCHAIN), NLM_F_CREATE | NLM_F_ACK, family, 0);
    batch.put(NFTA_CHAIN_TABLE, chain.table);
    batch.put(NFTA_CHAIN_NAME, kChain);
    const auto hook = batch.begin_nested(NFTA_CHAIN_HOOK);
    batch.put(NFTA_HOOK_HOOKNUM, chain.hook);
    batch.put(NFTA_HOOK_PRIORITY, chain.priority);
    batch.end_nested(hook);
    batch.put(NFTA_CHAIN_TYPE, chain.type);
    batch.end_message(at);
}

// The same MASQUERADE that iptables-nft sends: the xtables target through nf_tables' compatibility layer.
void add_masquerade_rule(Batch& batch, std::uint8_t family) {
    const auto at =
        batch.begin_message(nft_message(NFT_MSG_NEWRULE), NLM_F_CREATE | NLM_F_APPEND | NLM_F_ACK, family, 0);
    batch.put(NFTA_RULE_TABLE, kTable);
    batch.put(NFTA_RULE_CHAIN, kChain);
    const auto expressions = batch.begin_nested(NFTA_RULE_EXPRESSIONS);
    const auto element = batch.begin_nested(NFTA_LIST_ELEM);
    batch.put(NFTA_EXPR_NAME, "target");
    const auto data = batch.begin_nested(NFTA_EXPR_DATA);
    batch.put(NFTA_TARGET_NAME, "MASQUERADE");
    batch.put(NFTA_TARGET_REV, std::uint32_t{0});
    std::uint32_t info[kMasquerade6Size / sizeof(std::uint32_t)] = {};
    if (family == NFPROTO_IPV4) info[0] = 1;
    batch.put(NFTA_TARGET_INFO, info, family == NFPROTO_IPV4 ? kMasquerade4Size : kMasquerade6Size);
    batch.end_nested(data);
    batch.end_nested(element);
    batch.end_nested(expressions);
    batch.end_message(at);
}

// Errors by part of the question, found through the sequence numbers of that part's messages.
struct Question {
    std::uint32_t last4 = 0;
    std::uint32_t last6 = 0;
    std::uint32_t last_raw4 = 0;
};

// One transaction for everything: dropping one makes the kernel wait for an RCU grace period, which is
// some 15 ms on many machines.
Question ask(Batch& batch) {
    Question question;
    batch.end_message(batch.begin_message(NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
    for (const std::uint8_t family : {NFPROTO_IPV4, NFPROTO_IPV6}) {
        add_table(batch, family, kTable);
        add_chain(batch, family, kNatChain);
        add_masquerade_rule(batch, family);
        (family == NFPROTO_IPV4 ? question.last4 : question.last6) = batch.last_sequence();
    }
    add_table(batch, NFPROTO_IPV4, kRawTable);
    add_chain(batch, NFPROTO_IPV4, kRawChain);
    question.last_raw4 = batch.last_sequence();
    return question;  // no NFNL_MSG_BATCH_END: that is what makes the kernel drop it
}

struct Answers {
    int error4 = ENOPROTOOPT;  // until the last message of a part is acknowledged
    int error6 = ENOPROTOOPT;
    int raw4 = ENOPROTOOPT;
};

Answers all_failed(int error) {
    return {error, error, error};
}

void take_reply(const nlmsghdr& header, int error, const Question& question, Answers& answers) {
    const auto sequence = header.nlmsg_seq;
    int& slot = sequence <= question.last4   ? answers.error4
                : sequence <= question.last6 ? answers.error6
                                             : answers.raw4;
    const bool last =
        sequence == question.last4 || sequence == question.last6 || sequence == question.last_raw4;
    const bool first_error = error != 0 && (slot == ENOPROTOOPT || slot == 0);
    if (first_error) slot = error;
    if (error == 0 && last && slot == ENOPROTOOPT) slot = 0;
}

// Netlink answers within the send, so nothing is waited for.
Answers read_replies(int socket, const Question& question) {
    alignas(nlmsghdr) char buffer[8192];
    Answers answers;
    for (;;) {
        const auto got = ::recv(socket, buffer, sizeof buffer, MSG_DONTWAIT);
        if (got < 0) return answers;
        auto left = static_cast<unsigned>(got);
        for (auto* header = reinterpret_cast<nlmsghdr*>(buffer); NLMSG_OK(header, left);
             header = NLMSG_NEXT(header, left)) {
            if (header->nlmsg_type != NLMSG_ERROR) continue;
            take_reply(*header, -static_cast<nlmsgerr*>(NLMSG_DATA(header))->error, question, answers);
        }
    }
}

Answers try_nat(const Batch& batch, const Question& question) {
    const int socket = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
    if (socket < 0) return all_failed(errno);
    sockaddr_nl kernel{};
    kernel.nl_family = AF_NETLINK;
    Answers answers;
    if (::sendto(socket, batch.bytes().data(), batch.bytes().size(), 0,
                 reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel) < 0) {
        answers = all_failed(errno);
    } else {
        answers = read_replies(socket, question);
    }
    ::close(socket);
    return answers;
}

// Asked only where ip_tables is in use already: the kernel loads the table's module for the question.
int legacy_table_error(const char* table) {
    const UniqueFd socket(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
    if (!socket) return 0;  // not ours to ask
    ipt_getinfo info{};
    std::strncpy(info.name, table, sizeof info.name - 1);
    socklen_t size = sizeof info;
    // Only ENOENT says that there is no such table.
    return ::getsockopt(socket.get(), IPPROTO_IP, IPT_SO_GET_INFO, &info, &size) == 0 || errno != ENOENT
               ? 0
               : ENOENT;
}

bool has_lines(const char* path) {
    return !trim(sys::read_file_or(path)).empty();
}

}  // namespace

NetfilterProbe look_at_legacy_tables() {
    NetfilterProbe probe;
    probe.legacy_tables = has_lines("/proc/net/ip_tables_names");
    probe.legacy_tables6 = has_lines("/proc/net/ip6_tables_names");
    probe.legacy_loaded = sys::exists("/proc/net/ip_tables_names") || sys::exists("/sys/module/iptable_nat");
    return probe;
}

struct NetfilterExperiment::Private {
    Batch batch;
    Question question;
    Experiment<Answers> experiment;
    int start_error = 0;
};

NetfilterExperiment::NetfilterExperiment() : private_(std::make_unique<Private>()) {
    private_->question = ask(private_->batch);
    private_->start_error =
        private_->experiment.start([&] { return try_nat(private_->batch, private_->question); });
}

NetfilterExperiment::~NetfilterExperiment() = default;

NetfilterProbe NetfilterExperiment::finish(Milliseconds patience) {
    NetfilterProbe probe = look_at_legacy_tables();
    const int failure = private_->start_error != 0 ? private_->start_error : ETIMEDOUT;
    const auto answers = private_->experiment.finish(patience).value_or(all_failed(failure));
    probe.tried = true;
    probe.nat4_error = answers.error4;
    probe.nat6_error = answers.error6;
    probe.raw4_error = answers.raw4;
    if (probe.legacy_tables) probe.legacy_raw4_error = legacy_table_error("raw");
    return probe;
}

}  // namespace supervisor::host
