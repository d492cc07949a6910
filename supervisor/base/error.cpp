#include "base/error.hpp"

#include <cerrno>
#include <cstring>

namespace supervisor {

Error Error::context(std::string_view what) const& {
    return Error(*this).context(what);
}

Error Error::context(std::string_view what) && {
    message_.insert(0, ": ").insert(0, what);
    return std::move(*this);
}

Error Error::advice(std::string_view fix) && {
    message_.append(" (").append(fix).append(")");
    return std::move(*this);
}

std::string errno_text(int code) {
    const char* text = strerrordesc_np(code);
    return text != nullptr ? text : "error " + std::to_string(code);
}

Error system_error(int code, std::string_view what, std::string_view subject) {
    std::string message(what);
    if (!subject.empty()) message.append(" ").append(subject);
    return Error(code, message.append(": ").append(errno_text(code)));
}

Error system_error(std::string_view what, std::string_view subject) {
    return system_error(errno, what, subject);
}

}  // namespace supervisor
