// The two implementations behind CgroupManager::create(). Private to host/.
#pragma once

#include <memory>

#include "host/cgroup.hpp"

namespace supervisor::host {

Result<std::unique_ptr<CgroupManager>> create_cgroup_v1(const CgroupLayout& layout);
Result<std::unique_ptr<CgroupManager>> create_cgroup_v2(const CgroupLayout& layout);

}  // namespace supervisor::host
