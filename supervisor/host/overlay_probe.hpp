// Can the file system that holds `directory` carry overlay layers? Asked by doing it: a mount with two lower
// directories, a deletion through it, and a look at the whiteout that this must leave in the upper one.
//
// A forked child does it in a mount namespace of its own, so no mount is ever visible to anybody else and
// none is left when the child is killed; the scratch directory is removed afterwards.
#pragma once

#include <memory>
#include <string>

#include "base/clock.hpp"

namespace supervisor::host {

enum class OverlayStage { NotTried, Scratch, Namespace, FileTypes, Mount, Whiteout, Works };

struct OverlayProbe {
    OverlayStage stage = OverlayStage::NotTried;  // where it ended; Works: all of it was seen to work
    int error = 0;                                // errno there
    bool works() const { return stage == OverlayStage::Works; }
    bool tried() const { return stage != OverlayStage::NotTried; }
};

// Begins when it is made; `options` are appended to the mount's, for example "userxattr" in a user namespace.
class OverlayExperiment {
  public:
    explicit OverlayExperiment(const std::string& directory, const std::string& options = {});
    ~OverlayExperiment();
    OverlayExperiment(const OverlayExperiment&) = delete;
    OverlayExperiment& operator=(const OverlayExperiment&) = delete;

    // After `patience` the child is killed and the error is ETIMEDOUT: a remote file system may hang.
    OverlayProbe finish(Milliseconds patience = Milliseconds(3000));

  private:
    struct Private;
    std::unique_ptr<Private> private_;
};

// One clause for a log line: "the upper directory's file system refuses overlay (Invalid argument)".
std::string describe(const OverlayProbe& probe);

}  // namespace supervisor::host
