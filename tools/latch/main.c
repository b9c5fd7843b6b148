#include "commands.h"

int main(int argc, char **argv) { return latch_command_run(argc, argv, LATCH_VERSION); }
