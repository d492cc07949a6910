#pragma once
// How often the long tests repeat themselves. Moderate by default; the environment asks for more.

#include <cstdlib>
#include <string>

namespace e2e {

// E2E_FULL=1: everything as often as the acceptance asks for. A single count has a variable of its own.
inline bool full_run() {
    const char* value = std::getenv("E2E_FULL");
    return value != nullptr && std::string(value) == "1";
}

inline int repetitions(const char* variable, int usual, int full) {
    const char* value = std::getenv(variable);
    if (value != nullptr && std::atoi(value) > 0) return std::atoi(value);
    return full_run() ? full : usual;
}

}  // namespace e2e
