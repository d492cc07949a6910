#include "engine/containment.hpp"

namespace supervisor::engine {

std::string_view to_string(ContainmentMode mode) {
    switch (mode) {
        case ContainmentMode::Userns:
            return "userns";
        case ContainmentMode::Caps:
            return "caps";
        case ContainmentMode::Off:
            return "off";
    }
    return "off";
}

}  // namespace supervisor::engine
