#include "agent/fetch/content_sum.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <vector>

#include "sys/files.hpp"

namespace supervisor::agent::fetch {
namespace {

// Independent lanes keep the processor's multipliers busy.
constexpr std::size_t kLanes = 4;
constexpr std::size_t kBlock = kLanes * sizeof(std::uint64_t);
constexpr std::uint64_t kFactor = 0x9E3779B97F4A7C15ULL;  // odd, so that no step loses information

using Lanes = std::array<std::uint64_t, kLanes>;

// `size` is a multiple of kBlock.
void mix(Lanes& lanes, const char* data, std::size_t size) {
    for (std::size_t at = 0; at < size; at += kBlock) {
        Lanes words;
        std::memcpy(words.data(), data + at, kBlock);
        for (std::size_t i = 0; i < kLanes; ++i) lanes[i] = std::rotl(lanes[i] ^ words[i], 29) * kFactor;
    }
}

// Fills `buffer` as far as the file goes.
Result<std::size_t> read_full(int fd, std::vector<char>& buffer, const std::string& path) {
    std::size_t size = 0;
    while (size < buffer.size()) {
        const auto got = ::read(fd, buffer.data() + size, buffer.size() - size);
        if (got < 0) return fail(system_error("read", path));
        if (got == 0) break;
        size += static_cast<std::size_t>(got);
    }
    return size;
}

}  // namespace

Result<std::string> content_sum(const std::string& path) {
    SUPERVISOR_TRY_ASSIGN(file, sys::open_file(path, O_RDONLY));
    std::vector<char> buffer(kBlock * 8192);
    Lanes lanes = {1, 2, 3, 4};
    std::uint64_t total = 0;
    for (;;) {
        SUPERVISOR_TRY_ASSIGN(size, read_full(file.get(), buffer, path));
        total += size;
        const auto padded = (size + kBlock - 1) / kBlock * kBlock;
        std::memset(buffer.data() + size, 0, padded - size);
        mix(lanes, buffer.data(), padded);
        if (size < buffer.size()) break;
    }
    std::uint64_t sum = total;
    for (const auto lane : lanes) sum = std::rotl(sum ^ lane, 29) * kFactor;
    return fmt::format("{:016x}", sum);
}

}  // namespace supervisor::agent::fetch
