// A fast sum of a file's contents: notices damage, not malice. An AOT cache is tens of megabytes, and every
// start pays for its check; md5 would cost more than the cache gains on a slow machine.
#pragma once

#include <string>

#include "base/result.hpp"

namespace supervisor::agent::fetch {

// 16 hex digits.
Result<std::string> content_sum(const std::string& path);

}  // namespace supervisor::agent::fetch
