// Deny-list filters, compiled by libseccomp in the parent and loaded as plain BPF in the child.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "proc/child_plan.hpp"

namespace supervisor::proc {

struct SeccompRules {
    // System calls answered with EPERM. Names that this architecture or libseccomp does not know are skipped.
    std::vector<std::string> denied;
    // Answered with ENOSYS, so that callers fall back to something else.
    std::vector<std::string> hidden;
    // clone and unshare with CLONE_NEWUSER get EPERM, clone3 (whose flags a filter cannot see) ENOSYS.
    bool deny_user_namespaces = false;
    // The rules count for the 32-bit ABIs of this machine, too, instead of refusing these.
    bool cover_foreign_abi = false;
    // System calls of another ABI (32-bit, x32) get ENOSYS; they would otherwise walk past the list.
    bool deny_foreign_abi = true;
};

Result<SeccompProgram> compile(const SeccompRules& rules);

// Puts the calling process under the filter, for good; sets no_new_privs, which that needs. For a process
// that has to give up what its own start still needed, execve above all.
Result<> confine_self(const SeccompProgram& program);

}  // namespace supervisor::proc
