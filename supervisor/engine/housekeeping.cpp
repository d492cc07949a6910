#include "engine/housekeeping.hpp"

#include <signal.h>
#include <sys/mman.h>

#include "base/log.hpp"
#include "base/strings.hpp"

namespace supervisor::engine {
namespace {

constexpr Milliseconds kLimit{120'000};
constexpr int kBaselineDescriptor = 3;

}  // namespace

void Housekeeping::engine_ready() {
    enqueue({"internal-engine-prune", setup_.socket_path, setup_.data_root,
             std::to_string(setup_.high_water_percent)});
    if (setup_.remove_containers) enqueue({"internal-job-baseline", setup_.socket_path});
}

void Housekeeping::job_finished() {
    if (setup_.remove_containers) {
        enqueue(
            {"internal-job-cleanup", setup_.socket_path, setup_.remove_everything ? "all" : "containers"});
        enqueue({"internal-job-baseline", setup_.socket_path});
    }
    enqueue({"internal-engine-prune", setup_.socket_path, setup_.data_root,
             std::to_string(setup_.high_water_percent)});
}

void Housekeeping::stop() {
    queue_.clear();
    if (helper_ > 0) (void)processes_.signal(helper_, SIGKILL);
}

void Housekeeping::enqueue(std::vector<std::string> words) {
    queue_.push_back(std::move(words));
    if (helper_ <= 0) run_next();
}

void Housekeeping::run_next() {
    if (queue_.empty()) return;
    if (!baseline_) baseline_.reset(::memfd_create("baseline", MFD_CLOEXEC));
    proc::ChildPlan plan = setup_.helper(queue_.front());
    queue_.erase(queue_.begin());
    plan.descriptors.push_back({baseline_.get(), kBaselineDescriptor});
    service::Output output;
    output.standard_error = &log::error_stream();
    output.result = [this](std::string_view line) {
        if (!line.empty()) setup_.said(printable(line));
    };
    auto pid = processes_.start(plan, output, [this](const proc::ExitStatus&) {
        helper_ = -1;
        limit_.cancel();
        run_next();
    });
    if (!pid) return log::warn("engine", pid.error().message());
    helper_ = *pid;
    limit_ = loop_.after(kLimit, [this] { (void)processes_.signal(helper_, SIGKILL); });
}

}  // namespace supervisor::engine
