// Work that nobody waits for.
#pragma once

namespace supervisor::sys {

// The calling process gets the processor and the disk only when nobody else wants them. Cannot fail in a way
// that matters: then the work is merely less polite.
void yield_to_others();

}  // namespace supervisor::sys
