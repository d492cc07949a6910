// Which of the kernel's two packet filters can do what NAT needs.
//
// nf_tables is asked by sending it a transaction that makes a table, a NAT chain and a MASQUERADE rule, and
// leaving out the message that would commit it: the kernel checks everything and then drops it, as for
// `nft --check`. A forked child sends it, since dropping a transaction takes the kernel some 15 ms.
// The older ip_tables is only looked at in /proc: asking it loads its modules into the host's kernel.
#pragma once

#include <memory>

#include "base/clock.hpp"

namespace supervisor::host {

struct NetfilterProbe {
    bool tried = false;
    int nat4_error = 0;  // errno that nf_tables gave for IPv4 NAT; 0: it works
    int nat6_error = 0;
    // The same for a chain of the raw table, where engines since 28 drop what comes for a published port from
    // elsewhere; and what ip_tables says of that table where it is in use.
    int raw4_error = 0;
    int legacy_raw4_error = 0;
    // Tables of ip_tables exist in this network namespace, so somebody filters with it already.
    bool legacy_tables = false;
    bool legacy_tables6 = false;
    // The kernel has ip_tables' NAT table loaded or built in, as far as one can see without loading it.
    bool legacy_loaded = false;

    bool nftables_nat() const { return tried && nat4_error == 0; }
    bool nftables_nat6() const { return tried && nat6_error == 0; }
};

// What /proc shows, without asking the kernel for anything.
NetfilterProbe look_at_legacy_tables();

// Begins when it is made.
class NetfilterExperiment {
  public:
    NetfilterExperiment();
    ~NetfilterExperiment();
    NetfilterExperiment(const NetfilterExperiment&) = delete;
    NetfilterExperiment& operator=(const NetfilterExperiment&) = delete;

    NetfilterProbe finish(Milliseconds patience = Milliseconds(3000));

  private:
    struct Private;
    std::unique_ptr<Private> private_;
};

}  // namespace supervisor::host
