#include <unistd.h>

#include "cli/main.hpp"

int main(int argc, char** argv) {
    return supervisor::cli::main_program({argv + 1, argv + argc}, environ);
}
