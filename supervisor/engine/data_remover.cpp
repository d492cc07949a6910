#include "engine/data_remover.hpp"

#include <signal.h>

#include "base/log.hpp"
#include "base/strings.hpp"

namespace supervisor::engine {

void DataRemover::start() {
    if (setup_.directories.empty()) return;
    std::vector<std::string> words = {"internal-remove-data"};
    words.insert(words.end(), setup_.directories.begin(), setup_.directories.end());
    setup_.directories.clear();
    service::Output output;
    output.standard_error = &log::error_stream();
    output.result = [this](std::string_view line) { setup_.said(printable(line)); };
    auto pid =
        processes_.start(setup_.helper(words), output, [this](const proc::ExitStatus&) { helper_ = -1; });
    if (!pid) return log::warn("engine", pid.error().message());
    helper_ = *pid;
}

void DataRemover::stop() {
    setup_.directories.clear();
    if (helper_ > 0) (void)processes_.signal(helper_, SIGKILL);
}

}  // namespace supervisor::engine
