// The root directory that a box lives in: the machine's programs and libraries, everything else made for the
// test and gone with its mount namespace.
#pragma once

#include <cstddef>
#include <string>

namespace ns_test {

struct RootOptions {
    std::size_t run_bytes = 0;  // size of the tmpfs on /run; 0: as large as it likes
};

// Where things are inside.
inline constexpr const char* kSupervisor = "/opt/gocd-supervisor";
inline constexpr const char* kProbe = "/opt/ns_probe";
inline constexpr const char* kFailingMalloc = "/opt/libfailing_malloc.so";
// Stands in for the image's bin/go-agent; a test writes its own text.
inline constexpr const char* kAgent = "/go-agent/bin/go-agent";

// Makes it and goes there; to be called in a mount namespace of its own. `agent_script`: text of kAgent.
// An error ends the process, with a line on stderr.
void enter_root(const RootOptions& options, const std::string& agent_script);

// Prints what failed and leaves: there is nobody to return an error to.
[[noreturn]] void setup_failed(const std::string& what);

}  // namespace ns_test
