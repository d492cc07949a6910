// HTTP(S) by libcurl: one set of connections, several transfers side by side.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/fetch/options.hpp"
#include "agent/fetch_plan.hpp"
#include "base/result.hpp"

namespace supervisor::agent::fetch {

struct Transfer {
    std::string url;
    // Gets the body piece by piece; an error ends the transfer and becomes its result.
    std::function<Result<>(std::string_view)> sink;
    // Filled by run(): the headers of the last answer (after redirects), and how it went. Anything but a
    // complete answer of 200 is an error that says what to look at.
    Headers headers;
    Result<> outcome = {};
};

class Http {
  public:
    explicit Http(const Options& options);
    ~Http();
    Http(const Http&) = delete;
    Http& operator=(const Http&) = delete;

    // Runs all of them side by side and returns when the last one has ended. `use_environment_proxy` matters
    // only when no proxy was configured explicitly.
    void run(std::vector<Transfer*> transfers, bool use_environment_proxy);

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace supervisor::agent::fetch
