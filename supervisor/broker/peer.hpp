// Who is on the other end of a client connection.
#pragma once

#include <sys/types.h>

#include <string>

namespace supervisor::broker {

// The GoCD job that a process belongs to; empty strings when it belongs to none or nobody could tell.
struct JobIdentity {
    std::string pipeline;
    std::string pipeline_counter;
    std::string stage;
    std::string stage_counter;
    std::string job;

    bool empty() const { return pipeline.empty() && job.empty(); }
    bool operator==(const JobIdentity&) const = default;
    // "pipeline/12/stage/1/job", "" when empty: the form of GoCD's own locators.
    std::string locator() const {
        return empty() ? std::string()
                       : pipeline + '/' + pipeline_counter + '/' + stage + '/' + stage_counter + '/' + job;
    }
};

struct Peer {
    pid_t process = 0;  // 0: in a pid namespace that is not ours (a container of the job)
    uid_t user = 0;
    bool job_known = false;
    JobIdentity job;
};

}  // namespace supervisor::broker
