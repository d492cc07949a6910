// Messages between PID 1 and the broker, over one SOCK_SEQPACKET pair: one message a packet, both structs of
// fixed size in the machine's own layout (one binary speaks on both ends). PID 1 never parses anything else
// here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

#include "broker/peer.hpp"

namespace supervisor::broker::protocol {

enum class Kind : std::uint32_t {
    // Broker to PID 1: which job does process `pid` belong to? (GO_* of its environment, or of its
    // ancestors')
    AskJob = 1,
    // PID 1 to broker: the answer, with the same `serial`. Empty fields: no job.
    Job = 2,
    // PID 1 to broker: this job has ended; remove what it made. `deadline_ms` is the budget, 0 for none.
    JobEnded = 3,
    // PID 1 to broker: the agent ends. Refuse new work and remove everything within `deadline_ms`.
    AgentEnding = 4,
    // Broker to PID 1: the clean-up of `serial` is over. `counts` says what was removed and what was left.
    Cleaned = 5,
    // PID 1 to broker: how are you? Broker to PID 1: Counts with the same `serial`.
    AskCounts = 6,
    Counts = 7,
    // Broker to PID 1: requests are served from now on.
    Ready = 8,
    // Broker to PID 1: where does `path` lead, for the agent's user? The broker is another one and cannot
    // look
    // into directories that are only the job's.
    AskPath = 9,
    // PID 1 to broker: `path` without links, or an empty one; `pid` is 1 if it exists.
    Path = 10,
};

constexpr std::size_t kPathBytes = 1024;
constexpr std::size_t kFieldBytes = 256;  // GoCD's names have at most 255 characters

struct Identity {
    char pipeline[kFieldBytes];
    char pipeline_counter[16];
    char stage[kFieldBytes];
    char stage_counter[16];
    char job[kFieldBytes];
};

struct Counters {
    std::uint64_t requests;
    std::uint64_t denied;
    std::uint64_t sessions;  // open now
    std::uint64_t tunnels;   // open now
    std::uint64_t containers;
    std::uint64_t networks;
    std::uint64_t volumes;
    std::uint64_t images;
    std::uint64_t removed;   // by clean-ups, in all
    std::uint64_t leftover;  // of the last clean-up
    std::uint64_t engine_errors;
};

struct Message {
    Kind kind;
    std::uint32_t serial;
    std::int32_t pid;
    std::uint32_t deadline_ms;
    Identity identity;
    Counters counts;
    char path[kPathBytes];
};
static_assert(std::is_trivially_copyable_v<Message> && sizeof(Message) < 2048);

inline Message make(Kind kind, std::uint32_t serial) {
    Message message;
    std::memset(&message, 0, sizeof message);
    message.kind = kind;
    message.serial = serial;
    return message;
}

template <std::size_t Size>
void put(char (&field)[Size], std::string_view text) {
    const auto length = text.size() < Size ? text.size() : Size - 1;
    std::memcpy(field, text.data(), length);
    std::memset(field + length, 0, Size - length);
}

template <std::size_t Size>
std::string get(const char (&field)[Size]) {
    return std::string(field, ::strnlen(field, Size));
}

inline void put_identity(Message& message, const JobIdentity& job) {
    put(message.identity.pipeline, job.pipeline);
    put(message.identity.pipeline_counter, job.pipeline_counter);
    put(message.identity.stage, job.stage);
    put(message.identity.stage_counter, job.stage_counter);
    put(message.identity.job, job.job);
}

inline JobIdentity get_identity(const Message& message) {
    return {get(message.identity.pipeline), get(message.identity.pipeline_counter),
            get(message.identity.stage), get(message.identity.stage_counter), get(message.identity.job)};
}

}  // namespace supervisor::broker::protocol
