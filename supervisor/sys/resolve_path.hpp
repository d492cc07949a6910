// Where a path really leads, in this process' mount namespace.
#pragma once

#include <string>

#include "base/result.hpp"

namespace supervisor::sys {

struct ResolvedPath {
    std::string
        path;  // absolute, without symbolic links; a part that does not exist is appended as it was given
    bool exists = false;
};

// `path` must be absolute. "." and ".." are resolved as the kernel does it, after links. A part that does not
// exist may not contain ".."; magic links (/proc/<pid>/root, /proc/self/fd/…) are refused.
Result<ResolvedPath> resolve_path(const std::string& path);

}  // namespace supervisor::sys
