// Splits a line into words as a POSIX shell would, without evaluating anything: '…', "…" and \ quote; $, `,
// *, ~, ; and > are ordinary characters. For options that users write in one variable
// (DOCKERD_ADDITIONAL_ARGS and friends).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace supervisor {

// Fails on an unterminated quote or a trailing backslash.
Result<std::vector<std::string>> split_shell_words(std::string_view line);

}  // namespace supervisor
