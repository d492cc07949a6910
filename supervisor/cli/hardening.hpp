// What agent, jobs and shells of the agent's user may not do, and what the user has relaxed of it.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "proc/child_plan.hpp"

namespace supervisor::cli {

// The user that agent and jobs run as, from /etc/passwd and /etc/group.
struct AgentAccount {
    uid_t user = 0;
    gid_t group = 0;
    std::vector<gid_t> supplementary_groups;
    std::string name;
    std::string home;
};
Result<AgentAccount> find_agent_account(const std::string& passwd_text, const std::string& group_text);

class Hardening {
  public:
    // `allow`: setuid, userns, seccomp (see --agent-allow).
    static Result<Hardening> create(const std::vector<std::string>& allow);

    // Account, empty capability sets, no_new_privs and the filter, less what is relaxed.
    void apply(proc::ChildPlan& plan, const AgentAccount& account) const;

    const std::vector<std::string>& relaxed() const noexcept { return allow_; }

  private:
    bool allows(std::string_view name) const;

    std::vector<std::string> allow_;
    std::shared_ptr<const proc::SeccompProgram> filter_;
};

}  // namespace supervisor::cli
