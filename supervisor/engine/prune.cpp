#include "engine/prune.hpp"

#include <fmt/core.h>

#include "base/strings.hpp"

namespace supervisor::engine {
namespace {

// dangling=false: all images that no container uses, not only those without a name. In the form of filters
// that engines have read since 1.10; the older one, with lists, is deprecated.
constexpr const char* kUnusedImages = "/images/prune?filters=%7B%22dangling%22%3A%7B%22false%22%3Atrue%7D%7D";
constexpr const char* kBuildCache = "/build/prune?all=1";

Result<> take(PruneStep step, const ApiClient& client, Deadline deadline) {
    SUPERVISOR_TRY_ASSIGN(
        answer,
        client.request("POST", step == PruneStep::UnusedImages ? kUnusedImages : kBuildCache, deadline));
    if (answer.status == 200) return {};
    return fail(fmt::format("prune: the engine answers {}: {}", answer.status, printable(trim(answer.body))));
}

}  // namespace

Result<> prune_to_watermark(const ApiClient& client, const PruneRequest& request, Deadline deadline) {
    auto step = PruneStep::None;
    for (;;) {
        SUPERVISOR_TRY_ASSIGN(use, request.disk_use());
        step = next_prune_step(use, request.high_water_percent, step);
        if (step == PruneStep::None) return {};
        SUPERVISOR_TRY(take(step, client, deadline));
        request.said(fmt::format("the data directory is {}% full: pruned {}", use.percent(),
                                 step == PruneStep::UnusedImages ? "unused images" : "the build cache"));
    }
}

}  // namespace supervisor::engine
