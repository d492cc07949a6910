#include "host/device_filter.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>

#include "sys/files.hpp"

namespace supervisor::host {
namespace {

// Registers of the program: 1 is the context, 2 access, 3 major, 4 minor, 5 type.
enum Register : std::uint8_t { kResult = 0, kContext = 1, kAccess = 2, kMajor = 3, kMinor = 4, kType = 5 };

constexpr unsigned kAnyMinor = ~0U;

bpf_insn instruction(int code, std::uint8_t destination, std::uint8_t source, int offset, int immediate) {
    bpf_insn result{};
    result.code = static_cast<__u8>(code);
    result.dst_reg = destination & 0xfU;
    result.src_reg = source & 0xfU;
    result.off = static_cast<__s16>(offset);
    result.imm = immediate;
    return result;
}

bpf_insn load(Register to, std::size_t offset) {
    return instruction(BPF_LDX | BPF_MEM | BPF_W, to, kContext, static_cast<int>(offset), 0);
}
bpf_insn skip_unless_equal(Register what, unsigned value, int count) {
    return instruction(BPF_JMP | BPF_JNE | BPF_K, what, 0, count, static_cast<int>(value));
}
void answer(std::vector<bpf_insn>& program, int value) {
    program.push_back(instruction(BPF_ALU64 | BPF_MOV | BPF_K, kResult, 0, 0, value));
    program.push_back(instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0));
}

void allow(std::vector<bpf_insn>& program, bool block, unsigned major, unsigned minor) {
    const int rest = minor == kAnyMinor ? 0 : 1;
    program.push_back(skip_unless_equal(kType, block ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR, 3 + rest));
    program.push_back(skip_unless_equal(kMajor, major, 2 + rest));
    if (rest != 0) program.push_back(skip_unless_equal(kMinor, minor, 2));
    answer(program, 1);
}

}  // namespace

std::vector<bpf_insn> device_program(const std::vector<DeviceNode>& devices) {
    std::vector<bpf_insn> program{load(kAccess, offsetof(bpf_cgroup_dev_ctx, access_type)),
                                  load(kMajor, offsetof(bpf_cgroup_dev_ctx, major)),
                                  load(kMinor, offsetof(bpf_cgroup_dev_ctx, minor)),
                                  instruction(BPF_ALU64 | BPF_MOV | BPF_X, kType, kAccess, 0, 0),
                                  instruction(BPF_ALU64 | BPF_AND | BPF_K, kType, 0, 0, 0xffff),
                                  instruction(BPF_ALU64 | BPF_RSH | BPF_K, kAccess, 0, 0, 16)};
    program.push_back(skip_unless_equal(kAccess, BPF_DEVCG_ACC_MKNOD, 2));
    answer(program, 1);
    allow(program, false, 5, kAnyMinor);    // tty, console, ptmx
    allow(program, false, 136, kAnyMinor);  // pts
    for (const auto& device : devices) allow(program, device.block, device.major, device.minor);
    answer(program, 0);
    return program;
}

Result<> attach_device_filter(const std::string& cgroup_directory, const std::vector<DeviceNode>& devices) {
    SUPERVISOR_TRY_ASSIGN(cgroup, sys::open_directory(cgroup_directory));
    const auto program = device_program(devices);
    bpf_attr load_request{};
    load_request.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
    load_request.insns = reinterpret_cast<std::uintptr_t>(program.data());
    load_request.insn_cnt = static_cast<__u32>(program.size());
    load_request.license = reinterpret_cast<std::uintptr_t>("Apache-2.0");
    const UniqueFd loaded(
        static_cast<int>(::syscall(SYS_bpf, BPF_PROG_LOAD, &load_request, sizeof load_request)));
    if (!loaded) return fail(system_error("load device filter"));
    bpf_attr attach_request{};
    attach_request.target_fd = static_cast<__u32>(cgroup.get());
    attach_request.attach_bpf_fd = static_cast<__u32>(loaded.get());
    attach_request.attach_type = BPF_CGROUP_DEVICE;
    attach_request.attach_flags = BPF_F_ALLOW_MULTI;
    if (::syscall(SYS_bpf, BPF_PROG_ATTACH, &attach_request, sizeof attach_request) != 0)
        return fail(system_error("attach device filter to", cgroup_directory));
    return {};
}

}  // namespace supervisor::host
