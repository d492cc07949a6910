// Result<T>: a value or an Error. One place to change when std::expected can be relied on.
#pragma once

#include <tl/expected.hpp>

#include "base/error.hpp"

namespace supervisor {

template <class T = void>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(Error error) {
    return tl::unexpected<Error>(std::move(error));
}
inline tl::unexpected<Error> fail(std::string message) {
    return fail(Error(std::move(message)));
}

// fail() with context in front of somebody else's error.
inline tl::unexpected<Error> fail(Error error, std::string_view context) {
    return fail(std::move(error).context(context));
}

}  // namespace supervisor

// Returns from the calling function when `expression` (a Result) holds an error.
#define SUPERVISOR_TRY(expression)                                    \
    do {                                                              \
        if (auto try_result = (expression); !try_result)              \
            return ::supervisor::fail(std::move(try_result).error()); \
    } while (false)

// auto-declares `name` as the value of `expression`, or returns its error.
#define SUPERVISOR_TRY_ASSIGN(name, expression)                                      \
    auto name##_result = (expression);                                               \
    if (!name##_result) return ::supervisor::fail(std::move(name##_result).error()); \
    auto& name = *name##_result
