// A probe must not show: the times of the directory where it made its scratch files go back to what they
// were.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <string>

namespace supervisor::host {

class KeepTimes {
  public:
    explicit KeepTimes(const std::string& path) : path_(path), known_(::stat(path.c_str(), &before_) == 0) {}
    ~KeepTimes() {
        const timespec times[2] = {before_.st_atim, before_.st_mtim};
        if (known_) (void)::utimensat(AT_FDCWD, path_.c_str(), times, 0);
    }
    KeepTimes(const KeepTimes&) = delete;
    KeepTimes& operator=(const KeepTimes&) = delete;

  private:
    std::string path_;
    struct stat before_ {};
    bool known_;
};

}  // namespace supervisor::host
