#include "host/overlay_probe.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <optional>

#include "base/error.hpp"
#include "host/experiment.hpp"
#include "host/keep_times.hpp"
#include "sys/files.hpp"

namespace supervisor::host {
namespace {

// Everything the child needs, made before the fork: after it only system calls are safe.
struct Scratch {
    std::string directory;
    std::string lower;
    std::string other_lower;
    std::string upper;
    std::string work;
    std::string merged;
    std::string options;
    std::string file_in_lower;
    std::string file_in_merged;
    std::string whiteout;
};

Scratch paths_in(const std::string& directory, const std::string& extra) {
    Scratch scratch;
    scratch.directory = directory;
    scratch.lower = directory + "/lower";
    scratch.other_lower = directory + "/other-lower";
    scratch.upper = directory + "/upper";
    scratch.work = directory + "/work";
    scratch.merged = directory + "/merged";
    scratch.options = "lowerdir=" + scratch.other_lower + ":" + scratch.lower + ",upperdir=" + scratch.upper +
                      ",workdir=" + scratch.work;
    if (!extra.empty()) scratch.options += "," + extra;
    scratch.file_in_lower = scratch.lower + "/file";
    scratch.file_in_merged = scratch.merged + "/file";
    scratch.whiteout = scratch.upper + "/file";
    return scratch;
}

bool create(const Scratch& scratch) {
    for (const auto* path :
         {&scratch.lower, &scratch.other_lower, &scratch.upper, &scratch.work, &scratch.merged}) {
        if (::mkdir(path->c_str(), 0700) != 0) return false;
    }
    const int fd = ::open(scratch.file_in_lower.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return false;
    ::close(fd);
    return true;
}

// Overlay needs readdir to tell file types; xfs made with ftype=0 does not.
bool tells_file_types(const Scratch& scratch) {
    DIR* directory = ::opendir(scratch.directory.c_str());
    if (directory == nullptr) return false;
    bool known = true;
    while (const dirent* entry = ::readdir(directory)) {
        if (entry->d_name[0] != '.' && entry->d_type == DT_UNKNOWN) known = false;
    }
    ::closedir(directory);
    return known;
}

OverlayProbe try_overlay(const Scratch& scratch) {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
        return {OverlayStage::Namespace, errno};
    if (::mount("overlay", scratch.merged.c_str(), "overlay", 0, scratch.options.c_str()) != 0)
        return {OverlayStage::Mount, errno};
    if (::unlink(scratch.file_in_merged.c_str()) != 0) return {OverlayStage::Whiteout, errno};
    struct stat status {};
    if (::lstat(scratch.whiteout.c_str(), &status) != 0) return {OverlayStage::Whiteout, errno};
    if (!S_ISCHR(status.st_mode) || status.st_rdev != 0) return {OverlayStage::Whiteout, EINVAL};
    return {OverlayStage::Works, 0};
}

}  // namespace

struct OverlayExperiment::Private {
    explicit Private(const std::string& directory) : times(directory) {}
    ~Private() {
        if (!scratch.directory.empty()) (void)sys::remove_tree(scratch.directory);
    }
    Private(const Private&) = delete;
    Private& operator=(const Private&) = delete;

    KeepTimes times;
    Scratch scratch;
    Experiment<OverlayProbe> experiment;
    std::optional<OverlayProbe> early_answer;
};

OverlayExperiment::OverlayExperiment(const std::string& directory, const std::string& options)
    : private_(std::make_unique<Private>(directory)) {
    std::string name = directory + "/.overlay-probe-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) {
        private_->early_answer = OverlayProbe{OverlayStage::Scratch, errno};
        return;
    }
    private_->scratch = paths_in(name, options);
    const Scratch& scratch = private_->scratch;
    if (!create(scratch)) {
        private_->early_answer = OverlayProbe{OverlayStage::Scratch, errno};
    } else if (!tells_file_types(scratch)) {
        private_->early_answer = OverlayProbe{OverlayStage::FileTypes, 0};
    } else if (const int error = private_->experiment.start([&] { return try_overlay(scratch); })) {
        private_->early_answer = OverlayProbe{OverlayStage::Namespace, error};
    }
}

OverlayExperiment::~OverlayExperiment() = default;

OverlayProbe OverlayExperiment::finish(Milliseconds patience) {
    if (private_->early_answer) return *private_->early_answer;
    return private_->experiment.finish(patience).value_or(OverlayProbe{OverlayStage::Mount, ETIMEDOUT});
}

std::string describe(const OverlayProbe& probe) {
    const std::string why = probe.error == 0 ? "" : " (" + errno_text(probe.error) + ")";
    switch (probe.stage) {
        case OverlayStage::NotTried:
            return "overlay was not tried";
        case OverlayStage::Scratch:
            return "no scratch directory could be made there" + why;
        case OverlayStage::Namespace:
            return "no mount namespace could be made" + why;
        case OverlayStage::FileTypes:
            return "its readdir does not tell file types (xfs made with ftype=0?)";
        case OverlayStage::Mount:
            return probe.error == ENODEV ? "this kernel has no overlay file system"
                                         : "the file system refuses to carry overlay layers" + why;
        case OverlayStage::Whiteout:
            return "deleting a lower file through overlay does not work there" + why;
        case OverlayStage::Works:
            return "overlay works there";
    }
    return "unknown";
}

}  // namespace supervisor::host
