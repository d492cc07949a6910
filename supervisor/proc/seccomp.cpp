#include "proc/seccomp.hpp"

#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <memory>

#include "base/unique_fd.hpp"

namespace supervisor::proc {
namespace {

struct Release {
    void operator()(void* context) const { ::seccomp_release(context); }
};
using Filter = std::unique_ptr<void, Release>;

Result<> add_rule(const Filter& filter, std::uint32_t action, const std::string& name) {
    const int number = ::seccomp_syscall_resolve_name(name.c_str());
    if (number == __NR_SCMP_ERROR) return {};
    const int result = ::seccomp_rule_add(filter.get(), action, number, 0);
    if (result != 0 && result != -EDOM && result != -EINVAL)
        return fail(system_error(-result, "seccomp rule for", name));
    return {};
}

// Failure means that this libseccomp does not know the ABI; its calls are then refused as a whole.
void add_foreign_abi(const Filter& filter) {
    const std::uint32_t native = ::seccomp_arch_native();
    if (native == SCMP_ARCH_X86_64) {
        (void)::seccomp_arch_add(filter.get(), SCMP_ARCH_X86);
        (void)::seccomp_arch_add(filter.get(), SCMP_ARCH_X32);
    }
    if (native == SCMP_ARCH_AARCH64) (void)::seccomp_arch_add(filter.get(), SCMP_ARCH_ARM);
}

Result<> deny_user_namespaces(const Filter& filter) {
    const auto with_flag = SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_NEWUSER, CLONE_NEWUSER);
    for (const int number : {SCMP_SYS(clone), SCMP_SYS(unshare)}) {
        const int result = ::seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), number, 1, with_flag);
        if (result != 0) return fail(system_error(-result, "seccomp rule for user namespaces"));
    }
    return add_rule(filter, SCMP_ACT_ERRNO(ENOSYS), "clone3");
}

// libseccomp 2.5 can only write the program to a descriptor.
Result<SeccompProgram> export_program(const Filter& filter) {
    UniqueFd memory(::memfd_create("seccomp", MFD_CLOEXEC));
    if (!memory) return fail(system_error("create memfd"));
    if (const int result = ::seccomp_export_bpf(filter.get(), memory.get()); result != 0) {
        return fail(system_error(-result, "export seccomp filter"));
    }
    const auto size = ::lseek(memory.get(), 0, SEEK_END);
    SeccompProgram program(static_cast<std::size_t>(size) / sizeof(sock_filter));
    if (::pread(memory.get(), program.data(), static_cast<std::size_t>(size), 0) != size) {
        return fail(system_error("read seccomp filter"));
    }
    return program;
}

}  // namespace

Result<SeccompProgram> compile(const SeccompRules& rules) {
    const Filter filter(::seccomp_init(SCMP_ACT_ALLOW));
    if (!filter) return fail("create seccomp filter: out of memory");
    ::seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH,
                       rules.deny_foreign_abi ? SCMP_ACT_ERRNO(ENOSYS) : SCMP_ACT_ALLOW);
    if (rules.cover_foreign_abi) add_foreign_abi(filter);
    for (const auto& name : rules.denied) SUPERVISOR_TRY(add_rule(filter, SCMP_ACT_ERRNO(EPERM), name));
    for (const auto& name : rules.hidden) SUPERVISOR_TRY(add_rule(filter, SCMP_ACT_ERRNO(ENOSYS), name));
    if (rules.deny_user_namespaces) SUPERVISOR_TRY(deny_user_namespaces(filter));
    return export_program(filter);
}

Result<> confine_self(const SeccompProgram& program) {
    const sock_fprog filter{static_cast<unsigned short>(program.size()),
                            const_cast<sock_filter*>(program.data())};
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) != 0) {
        return fail(system_error("load seccomp filter"));
    }
    return {};
}

}  // namespace supervisor::proc
