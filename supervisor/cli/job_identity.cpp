#include "cli/job_identity.hpp"

#include "base/strings.hpp"
#include "sys/files.hpp"
#include "sys/fs_identity.hpp"

namespace supervisor::cli {
namespace {

constexpr int kMaxAncestors = 64;

// The parent's pid is the second field behind the command name, which may itself hold blanks and parentheses
// (proc(5)).
pid_t parent_of(std::string_view stat) {
    const auto end_of_name = stat.rfind(')');
    if (end_of_name == std::string_view::npos) return 0;
    const auto fields = split_words(stat.substr(end_of_name + 1));
    return fields.size() < 2 ? 0 : static_cast<pid_t>(parse_unsigned(fields[1], 1U << 30U).value_or(0));
}

}  // namespace

broker::JobIdentity parse_job_identity(std::string_view environment) {
    broker::JobIdentity job;
    const std::pair<std::string_view, std::string broker::JobIdentity::*> fields[] = {
        {"GO_PIPELINE_NAME=", &broker::JobIdentity::pipeline},
        {"GO_PIPELINE_COUNTER=", &broker::JobIdentity::pipeline_counter},
        {"GO_STAGE_NAME=", &broker::JobIdentity::stage},
        {"GO_STAGE_COUNTER=", &broker::JobIdentity::stage_counter},
        {"GO_JOB_NAME=", &broker::JobIdentity::job}};
    for (const auto& entry : split(environment, '\0')) {
        for (const auto& [prefix, field] : fields) {
            if (entry.starts_with(prefix)) job.*field = entry.substr(prefix.size());
        }
    }
    return job.pipeline.empty() || job.job.empty() ? broker::JobIdentity() : job;
}

broker::JobIdentity find_job_identity(pid_t pid, uid_t user, gid_t group) {
    const auto identity = sys::FsIdentity::take(user, group);
    if (!identity) return {};
    for (int i = 0; i < kMaxAncestors && pid > 1; ++i) {
        const std::string directory = "/proc/" + std::to_string(pid);
        auto job = parse_job_identity(sys::read_file_or(directory + "/environ"));
        if (!job.empty()) return job;
        pid = parent_of(sys::read_file_or(directory + "/stat"));
    }
    return {};
}

}  // namespace supervisor::cli
