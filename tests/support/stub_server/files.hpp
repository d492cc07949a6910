// The four files that a server offers to agents, with their md5 sums.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace stub_server {

supervisor::Result<std::string> read_file(const std::string& path);
std::string md5_hex(std::string_view bytes);

struct ServedFile {
    std::string bytes;
    std::string md5;
};

// Reads a file again when its time or size has changed, so that a test can put a newer one in its place.
class Files {
  public:
    explicit Files(std::string directory) : directory_(std::move(directory)) {}
    std::shared_ptr<const ServedFile> get(const std::string& name);

  private:
    struct Entry {
        std::string name;
        long long stamp = -1;
        std::shared_ptr<const ServedFile> file;
    };
    Entry& entry(const std::string& name);

    std::string directory_;
    std::mutex mutex_;
    std::vector<std::unique_ptr<Entry>> entries_;
};

}  // namespace stub_server
