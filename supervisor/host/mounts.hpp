// Mounts that a plan asks for, with a log of how to undo them.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace supervisor::host {

// Undo actions, run in reverse order. What cannot be undone is reported, not fatal: the container's mount
// namespace ends with it anyway.
class UndoLog {
  public:
    using Action = std::function<Result<>()>;
    UndoLog() = default;
    UndoLog(const UndoLog&) = delete;
    UndoLog& operator=(const UndoLog&) = delete;
    UndoLog(UndoLog&&) = default;
    UndoLog& operator=(UndoLog&&) = default;

    void add(std::string what, Action action) { actions_.push_back({std::move(what), std::move(action)}); }
    // Messages of the actions that failed. The log is empty afterwards.
    std::vector<std::string> run();
    bool empty() const { return actions_.empty(); }

  private:
    struct Entry {
        std::string what;
        Action action;
    };
    std::vector<Entry> actions_;
};

// Takes the read-only flag off a mount, keeping its other flags. Not logged for undo: see UndoLog.
Result<> remount_writable(const std::string& path);
Result<> make_shared(const std::string& path);

Result<> mount_securityfs(UndoLog& undo);
Result<> mount_tmpfs(const std::string& path, const std::string& options, UndoLog& undo);
// Where `path` is on a read-only file system (docker run --read-only), a small tmpfs is put over it, if that
// is allowed. Not undone: it is for what must be writable from the first moment to the last.
Result<> ensure_writable(const std::string& path);
// Makes a character device. An existing node stays, and is not undone.
Result<> make_character_device(const std::string& path, unsigned major_number, unsigned minor_number,
                               mode_t mode, UndoLog& undo);

}  // namespace supervisor::host
