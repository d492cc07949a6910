// What is known about the engine that is installed and about what an earlier one left in its data directory.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace supervisor::engine {

struct EngineVersion {
    unsigned major = 0;  // 0: unknown
    unsigned minor = 0;
    unsigned patch = 0;

    bool known() const { return major != 0; }
    bool at_least(unsigned wanted_major, unsigned wanted_minor = 0) const {
        return major > wanted_major || (major == wanted_major && minor >= wanted_minor);
    }
    std::string text() const;
};

// From what `dockerd --version` prints: "Docker version 26.1.5+dfsg1, build a72d7cd".
EngineVersion parse_engine_version(std::string_view text);

struct EngineFacts {
    EngineVersion version;
    // Directories of graph drivers in the data directory that are not empty, vfs left out: the engine itself
    // does not count it either.
    std::vector<std::string> prior_drivers;
    bool prior_image_store = false;  // containerd's image store has content there
};

// The image build writes the answer of `dockerd --version` and dockerd's size to `version_file`, because
// asking takes some 30 ms. An engine of another size was installed later: then it is asked.
EngineFacts read_engine_facts(const std::string& data_root, const std::string& dockerd,
                              const std::string& version_file);

// Only what lies in the data directory.
void read_prior_data(const std::string& data_root, EngineFacts& facts);

// Where the supervisor's containerd keeps its data: the place that dockerd itself would give it, so that data
// made with a plain dockerd stays usable and the other way round.
std::string containerd_root(const std::string& data_root);

}  // namespace supervisor::engine
