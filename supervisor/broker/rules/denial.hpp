#pragma once

#include <string>

namespace supervisor::broker {

// A refusal or failure as the client will see it.
struct Denial {
    int status = 403;
    std::string rule;     // for the audit log: the row that said no
    std::string message;  // names the field and what would be accepted
};

}  // namespace supervisor::broker
