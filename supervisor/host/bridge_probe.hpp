// Whether this kernel makes bridges for us: one is made in a network namespace of a forked child, and goes
// with it.
#pragma once

#include <memory>

#include "base/clock.hpp"

namespace supervisor::host {

struct BridgeProbe {
    // False where no network namespace could be made: then it is that right which is missing.
    bool tried = false;
    int error = 0;  // errno; EOPNOTSUPP: the kernel has no such links

    bool works() const { return !tried || error == 0; }
};

// Begins when it is made.
class BridgeExperiment {
  public:
    // `kind` as in `ip link add type KIND`.
    explicit BridgeExperiment(const char* kind = "bridge");
    ~BridgeExperiment();
    BridgeExperiment(const BridgeExperiment&) = delete;
    BridgeExperiment& operator=(const BridgeExperiment&) = delete;

    BridgeProbe finish(Milliseconds patience = Milliseconds(3000));

  private:
    struct Private;
    std::unique_ptr<Private> private_;
};

}  // namespace supervisor::host
