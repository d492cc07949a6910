// A little memory kept back for the day when there is none: the first allocation that fails gets it, and what
// follows, be it only the messages of an ordered stop, has something to work with.
#pragma once

namespace supervisor {

// Sets the reserve aside, also again after it was spent; false where there is no memory for it. From then on
// operator new falls back to it, once, before it throws.
bool keep_memory_reserve();

// An allocation failed and got the reserve.
bool memory_reserve_spent() noexcept;

}  // namespace supervisor
