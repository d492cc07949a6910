// What still runs when everything that was started in order has been stopped in order.
#pragma once

namespace supervisor::proc {

// SIGKILL to every other process of the pid namespace when this is its PID 1, else to this process's
// children; with a subreaper the children of those arrive here and are hit in the next round. Returns how
// many children were hit. Call it again, with the reaper in between, until it returns 0.
int kill_leftovers();

}  // namespace supervisor::proc
