// Non-blocking reads and writes on connected stream sockets, as a relay needs them: the outcome of one call
// is a value, and neither a vanished peer nor a full buffer is an error that carries text.
#pragma once

#include <cstddef>
#include <string_view>

namespace supervisor::sys {

enum class Transfer {
    Moved,       // `bytes` were transferred
    WouldBlock,  // nothing now; wait for the descriptor
    Ended,       // read: the peer will send nothing more
    Broken,      // the connection is of no more use in this direction
};

struct TransferResult {
    Transfer outcome;
    std::size_t bytes = 0;
};

TransferResult read_some(int socket, char* buffer, std::size_t size);
// Never raises SIGPIPE.
TransferResult send_some(int socket, std::string_view bytes);
// Same for two pieces in one call (head and body).
TransferResult send_some(int socket, std::string_view first, std::string_view second);
// Tells the peer that nothing more will be written.
void shutdown_write(int socket);
// A larger send buffer lets a stream of gigabytes move with fewer wake-ups; failure is harmless.
void widen_send_buffer(int socket, int bytes);

}  // namespace supervisor::sys
