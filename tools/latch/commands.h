/* commands.h - latch's commands: argv begins after the command's words; what they return is the exit status. */
#ifndef LATCH_TOOL_COMMANDS_H
#define LATCH_TOOL_COMMANDS_H

#include "core/status.h"

#define LATCH_EXIT_OK 0
#define LATCH_EXIT_FAILED 1 /* DynamoDB refused, or could not be asked */
#define LATCH_EXIT_USAGE 2  /* nothing was asked: wrong arguments */

int latch_command_table_create(int argc, char **argv);
int latch_command_table_describe(int argc, char **argv);
int latch_command_table_delete(int argc, char **argv);
int latch_command_table_schema(int argc, char **argv);
int latch_command_doctor(int argc, char **argv);
int latch_command_lock_list(int argc, char **argv);
int latch_command_lock_show(int argc, char **argv);
int latch_command_lock_break(int argc, char **argv);
int latch_command_once_show(int argc, char **argv);
int latch_command_once_clear(int argc, char **argv);
int latch_command_attempt_show(int argc, char **argv);
int latch_command_attempt_clear(int argc, char **argv);
int latch_command_limit_show(int argc, char **argv);
int latch_command_limit_reset(int argc, char **argv);
int latch_command_item_get(int argc, char **argv);

extern const char latch_help[], latch_help_table_create[], latch_help_table_describe[], latch_help_table_delete[],
    latch_help_table_schema[];
extern const char latch_help_doctor[];
extern const char latch_help_lock_list[], latch_help_lock_show[], latch_help_lock_break[], latch_help_once_show[], latch_help_once_clear[],
    latch_help_attempt_show[], latch_help_attempt_clear[], latch_help_limit_show[], latch_help_limit_reset[], latch_help_item_get[];

/* Finds the command that argv names and runs it; --help and --version too. The exit status. */
int latch_command_run(int argc, char **argv, const char *version);

/* On standard error, "latch table create: what is wrong". The first also says where to look: LATCH_EXIT_USAGE, LATCH_EXIT_FAILED. */
int latch_command_complain(const char *name, const char *message);
int latch_command_fail(const char *name, const latch_err *err);

#endif
