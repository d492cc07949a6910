// containerd's configuration. One text for all versions that matter: configuration version 2 is read by
// containerd 1.4 to 1.7 and, migrated in memory, by 2.x; version 3 only by 2.x.
#pragma once

#include <string>

#include "engine/daemon_config.hpp"

namespace supervisor::engine {

enum class ContainerdConfigVersion { Two = 2, Three = 3 };

std::string containerd_config(const EnginePaths& paths,
                              ContainerdConfigVersion version = ContainerdConfigVersion::Two);

}  // namespace supervisor::engine
