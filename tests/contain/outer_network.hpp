// A network around the test: the namespace that plays the container's own ("outer"), which the test process
// enters together with a mount and a uts namespace, and behind a link with a small MTU the world ("peer").
// The machine's own network is left alone.
#pragma once

#include <string>

#include "base/unique_fd.hpp"

namespace supervisor::contain {

class OuterNetwork {
  public:
    static constexpr const char* kPeer = "10.55.0.1";
    static constexpr const char* kOuter = "10.55.0.2";
    static constexpr const char* kPeer6 = "fd55::1";
    static constexpr const char* kOuter6 = "fd55::2";
    static constexpr unsigned kMtu = 1400;

    OuterNetwork();
    ~OuterNetwork();  // back to the machine's own network
    OuterNetwork(const OuterNetwork&) = delete;
    OuterNetwork& operator=(const OuterNetwork&) = delete;

    int peer() const { return peer_.get(); }

  private:
    UniqueFd own_;
    UniqueFd own_mounts_;
    UniqueFd own_names_;
    UniqueFd peer_;
};

}  // namespace supervisor::contain
