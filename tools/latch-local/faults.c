#include <stdio.h>

#include "commands.h"
#include "core/err.h"
#include "fault.h"
#include "options.h"

int latch_command_faults(int argc, char **argv) {
    latch_arguments args;
    latch_err err;
    latch_status status = latch_options_parse(NULL, 0, argc, argv, &args, &err);
    if (status == LATCH_OK && (args.count > 0 || args.program != NULL))
        status = latch_err_set(&err, LATCH_E_MISUSE, "it takes no arguments: it lists the kinds, for invoke's and serve's --fault");
    latch_arguments_clean_up(&args);
    if (status != LATCH_OK) return latch_command_complain("faults", err.message);
    fputs(latch_help_faults, stdout);
    for (latch_fault i = LATCH_FAULT_NONE + 1; i < LATCH_FAULTS; i++)
        printf("  %-20s  %s\n", latch_fault_name(i), latch_fault_text(i));
    return LATCH_EXIT_OK;
}
