#include "host/device_filter.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>

namespace supervisor::host {
namespace {

// What the kernel would answer: runs the few instructions that device_program() uses.
std::uint64_t run(const std::vector<bpf_insn>& program, std::uint32_t access, std::uint32_t major_number,
                  std::uint32_t minor_number) {
    const std::array<std::uint32_t, 3> context{access, major_number, minor_number};
    std::array<std::uint64_t, 11> registers{};
    for (std::size_t at = 0; at < program.size(); ++at) {
        const auto& step = program[at];
        auto& to = registers.at(step.dst_reg);
        const auto value = static_cast<std::uint32_t>(step.imm);
        switch (step.code) {
            case BPF_LDX | BPF_MEM | BPF_W:
                to = context.at(static_cast<std::size_t>(step.off) / 4);
                break;
            case BPF_ALU64 | BPF_MOV | BPF_X:
                to = registers.at(step.src_reg);
                break;
            case BPF_ALU64 | BPF_MOV | BPF_K:
                to = value;
                break;
            case BPF_ALU64 | BPF_AND | BPF_K:
                to &= value;
                break;
            case BPF_ALU64 | BPF_RSH | BPF_K:
                to >>= value;
                break;
            case BPF_JMP | BPF_JNE | BPF_K:
                if (to != value) at += static_cast<std::size_t>(step.off);
                break;
            case BPF_JMP | BPF_EXIT:
                return registers[0];
            default:
                ADD_FAILURE() << "instruction " << int{step.code};
                return 2;
        }
    }
    ADD_FAILURE() << "the program runs off its end";
    return 2;
}

constexpr std::uint32_t request(std::uint32_t access, std::uint32_t type) {
    return access << 16U | type;
}
constexpr auto kReadChar = request(BPF_DEVCG_ACC_READ, BPF_DEVCG_DEV_CHAR);
constexpr auto kWriteBlock = request(BPF_DEVCG_ACC_WRITE, BPF_DEVCG_DEV_BLOCK);

TEST(DeviceProgram, AllowsWhatItWasGiven) {
    const auto program = device_program(standard_devices());
    EXPECT_EQ(run(program, kReadChar, 1, 3), 1U) << "null";
    EXPECT_EQ(run(program, kReadChar, 1, 9), 1U) << "urandom";
    EXPECT_EQ(run(program, kReadChar, 5, 2), 1U) << "ptmx";
    EXPECT_EQ(run(program, kReadChar, 136, 77), 1U) << "a terminal";
}

TEST(DeviceProgram, RefusesEverythingElse) {
    const auto program = device_program(standard_devices());
    EXPECT_EQ(run(program, kReadChar, 1, 1), 0U) << "mem";
    EXPECT_EQ(run(program, kReadChar, 10, 229), 0U) << "fuse";
    EXPECT_EQ(run(program, kWriteBlock, 254, 0), 0U) << "a disk";
    EXPECT_EQ(run(program, kWriteBlock, 1, 3), 0U) << "a block device with the numbers of null";
}

TEST(DeviceProgram, LetsNodesBeMadeButNotOpened) {
    const auto program = device_program(standard_devices());
    EXPECT_EQ(run(program, request(BPF_DEVCG_ACC_MKNOD, BPF_DEVCG_DEV_BLOCK), 254, 0), 1U);
    EXPECT_EQ(run(program, request(BPF_DEVCG_ACC_MKNOD | BPF_DEVCG_ACC_READ, BPF_DEVCG_DEV_BLOCK), 254, 0),
              0U);
}

TEST(DeviceProgram, GrowsWithTheDevicesAskedFor) {
    auto devices = standard_devices();
    const auto loops = find_devices("loop").value();
    devices.insert(devices.end(), loops.begin(), loops.end());
    const auto program = device_program(devices);
    EXPECT_EQ(run(program, kWriteBlock, 7, 7), 1U);
    EXPECT_EQ(run(program, kWriteBlock, 7, 8), 0U);
}

TEST(FindDevices, NamesWhatCanBeAskedFor) {
    EXPECT_TRUE(find_devices("fuse"));
    EXPECT_TRUE(find_devices("null")) << "a path below /dev";
    for (const char* name : {"", "no-such-device", "../etc/passwd", "/dev/null", "pts"}) {
        const auto found = find_devices(name);
        ASSERT_FALSE(found) << name;
        EXPECT_NE(found.error().message().find("fuse, tun, kvm, loop"), std::string::npos);
    }
}

}  // namespace
}  // namespace supervisor::host
