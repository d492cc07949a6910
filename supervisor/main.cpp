#include <unistd.h>

#include "cli/main.hpp"

int main(int argc, char** argv) {
    return supervisor::cli::main_program(argv + (argc > 0 ? 1 : 0), environ);
}
