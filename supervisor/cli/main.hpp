// From argv to the exit status.
#pragma once

namespace supervisor::cli {

// `arguments` without the program's name; both lists end with a null pointer, as main() gets them.
int main_program(char** arguments, char** environment) noexcept;

}  // namespace supervisor::cli
