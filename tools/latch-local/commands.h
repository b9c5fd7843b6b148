/* commands.h - latch-local's commands: argv begins after the command's name; what they return is the exit status. */
#ifndef LATCH_LOCAL_COMMANDS_H
#define LATCH_LOCAL_COMMANDS_H

#define LATCH_EXIT_OK 0
#define LATCH_EXIT_FAILED 1 /* an event was not ok, or the run was interrupted */
#define LATCH_EXIT_USAGE 2  /* nothing was run: wrong arguments, or a file that can't be used */

int latch_command_invoke(int argc, char **argv);
int latch_command_serve(int argc, char **argv);
int latch_command_dynamodb(int argc, char **argv);
int latch_command_faults(int argc, char **argv); /* prints the kinds */

extern const char latch_help[], latch_help_invoke[], latch_help_serve[], latch_help_dynamodb[], latch_help_faults[];

/* "latch-local invoke: what is wrong" and where to look, on standard error. LATCH_EXIT_USAGE. */
int latch_command_complain(const char *name, const char *message);

#endif
