// From argv to the exit status.
#pragma once

#include <string>
#include <vector>

namespace supervisor::cli {

int main_program(const std::vector<std::string>& arguments, char** environment);

}  // namespace supervisor::cli
