// One attempt to bring the agent's files up to date: ask the server once, take what is there or baked in,
// download the rest side by side. A file appears under its own name only when its md5 sum is the announced
// one.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/fetch/http.hpp"
#include "agent/fetch/options.hpp"
#include "agent/fetch_result.hpp"

namespace supervisor::agent::fetch {

class Fetcher {
  public:
    explicit Fetcher(const Options& options) : options_(options), http_(options) {}

    // What an agent that was killed leaves in its working directory, and the official launcher removes before
    // each start: unpacked libraries. Only while no agent runs there.
    void remove_leftovers() const;

    // Can be called again after an error; what was complete stays.
    Result<FetchResult> attempt(bool use_environment_proxy);

  private:
    Result<ServerStatus> ask_server(bool use_environment_proxy);
    Result<> link_baked(const std::string& name) const;
    Result<> download(const std::vector<PlannedFile>& files, bool use_environment_proxy, FetchResult& result);

    const Options& options_;
    Http http_;
};

}  // namespace supervisor::agent::fetch
