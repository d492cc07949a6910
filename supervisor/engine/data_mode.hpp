// Which part of the data directory an engine may open.
//
// In a user namespace overlay keeps its marks (whiteouts' kin: opaque directories, redirects) in
// user.overlay.* attributes, outside in trusted.overlay.*. A layer written in one mode and read in the other
// would show files that the image deleted. So each way of writing has a place of its own: the directory
// itself for an engine on the host's ids, as every plain dockerd uses it, and `userns` inside it for a
// contained one.
#pragma once

#include <string>

#include "engine/containment.hpp"

namespace supervisor::engine {

struct DataPlace {
    std::string directory;
    std::string note;  // one sentence for the log when the other place holds data, "" otherwise
};

// Pure. *_used: an engine has written there.
DataPlace choose_data_place(const std::string& root, ContainmentMode mode, bool plain_used, bool userns_used);

// Looks at `root` and chooses; changes nothing.
DataPlace find_data_place(const std::string& root, ContainmentMode mode);

}  // namespace supervisor::engine
