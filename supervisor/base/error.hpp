// Errors are values. An Error names what failed and why, and grows a context chain on its way up:
//   "enable controllers: write /sys/fs/cgroup/cgroup.subtree_control: Device or resource busy"
// Who detects an error returns it and does not log; who decides what happens next logs it once.
#pragma once

#include <string>
#include <string_view>

namespace supervisor {

class Error {
  public:
    // code: an errno value, or 0 where no system call is to blame.
    Error(int code, std::string message) : code_(code), message_(std::move(message)) {}
    explicit Error(std::string message) : Error(0, std::move(message)) {}

    // The errno that started the chain, 0 if none did.
    int code() const noexcept { return code_; }
    const std::string& message() const noexcept { return message_; }

    // Puts what was being done in front: error.context("mount /sys/fs/cgroup").
    Error context(std::string_view what) const&;
    Error context(std::string_view what) &&;

    // Adds what the user can do about it; printed behind the chain.
    Error advice(std::string_view fix) &&;

  private:
    int code_;
    std::string message_;
};

// "what subject: text of errno". Call it before anything else can change errno.
Error system_error(std::string_view what, std::string_view subject = {});
Error system_error(int code, std::string_view what, std::string_view subject = {});

// The text of an errno value without locale or allocation surprises.
std::string errno_text(int code);

}  // namespace supervisor
