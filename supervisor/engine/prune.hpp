// Makes room in the data directory: build cache first, then images that no container uses, and no more than
// is needed to come below the watermark.
//
// The two requests mean the same whether the engine keeps images in a graph driver or in containerd's store
// (the default since 29); how full the disk is is asked of the disk, since engines count in different ways.
#pragma once

#include <functional>
#include <string>

#include "engine/api_client.hpp"
#include "engine/data_directory.hpp"

namespace supervisor::engine {

struct PruneRequest {
    unsigned high_water_percent = 85;
    std::function<Result<DiskUse>()> disk_use;
    // One line for each step that was taken.
    std::function<void(const std::string& line)> said;
};

// The error names what the engine answered.
Result<> prune_to_watermark(const ApiClient& client, const PruneRequest& request, Deadline deadline);

}  // namespace supervisor::engine
