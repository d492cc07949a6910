// The agent's directories that the engine must see with its own ids, for `docker run -v $PWD:…`.
//
// Where a directory lies on a file system that cannot be id-mapped (the container's own overlay), it moves to
// the data volume, which can: a directory there is bound over it, filled with what was in it. A container
// that is restarted finds its files again; another container's are replaced.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"

namespace supervisor::engine {

struct MovedDirectory {
    std::string path;
    std::string store;  // where its files are now
};

class SharedDirectories {
  public:
    // More than this is not copied at start-up: the directory stays, and the engine sees it with foreign ids.
    static constexpr std::size_t kMostEntries = 4000;

    // Moves what can be moved to `stores`, a directory on the data volume. Failures are not the end: their
    // directories are in left(), with the reason.
    static SharedDirectories move(const std::vector<std::string>& paths, const std::string& stores);

    const std::vector<MovedDirectory>& moved() const noexcept { return moved_; }
    const std::vector<std::string>& left() const noexcept { return left_; }  // "PATH: reason"

    // Takes the mounts away; the stores stay for the next start.
    void undo() noexcept;

    SharedDirectories() = default;
    SharedDirectories(SharedDirectories&& other) noexcept;
    SharedDirectories& operator=(SharedDirectories&& other) noexcept;
    ~SharedDirectories() { undo(); }

  private:
    std::vector<MovedDirectory> moved_;
    std::vector<std::string> left_;
};

}  // namespace supervisor::engine
