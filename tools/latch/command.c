#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "options.h"

typedef struct command {
    const char *group, *verb; /* "table", "create"; NULL: the group is a command of its own */
    int (*run)(int argc, char **argv);
    const char *help;
} command;

static const command commands[] = {
    {"doctor", NULL, latch_command_doctor, latch_help_doctor},
    {"table", "create", latch_command_table_create, latch_help_table_create},
    {"table", "describe", latch_command_table_describe, latch_help_table_describe},
    {"table", "delete", latch_command_table_delete, latch_help_table_delete},
    {"table", "schema", latch_command_table_schema, latch_help_table_schema},
    {"lock", "list", latch_command_lock_list, latch_help_lock_list},
    {"lock", "show", latch_command_lock_show, latch_help_lock_show},
    {"lock", "break", latch_command_lock_break, latch_help_lock_break},
    {"once", "show", latch_command_once_show, latch_help_once_show},
    {"once", "clear", latch_command_once_clear, latch_help_once_clear},
    {"attempt", "show", latch_command_attempt_show, latch_help_attempt_show},
    {"attempt", "clear", latch_command_attempt_clear, latch_help_attempt_clear},
    {"limit", "show", latch_command_limit_show, latch_help_limit_show},
    {"limit", "reset", latch_command_limit_reset, latch_help_limit_reset},
    {"item", "get", latch_command_item_get, latch_help_item_get},
};
#define COMMAND_COUNT (sizeof commands / sizeof *commands)

static bool is_group(const char *word) {
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(word, commands[i].group) == 0) return true;
    return false;
}

static const command *find(const char *group, const char *verb) {
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(group, commands[i].group) == 0 && (commands[i].verb == NULL || strcmp(verb, commands[i].verb) == 0)) return &commands[i];
    return NULL;
}

int latch_command_complain(const char *name, const char *message) {
    const char *space = *name != '\0' ? " " : "";
    fprintf(stderr, "latch%s%s: %s\nSee: latch%s%s --help\n", space, name, message, space, name);
    return LATCH_EXIT_USAGE;
}

int latch_command_fail(const char *name, const latch_err *err) {
    fprintf(stderr, "latch %s: %s\n", name, err->message);
    return LATCH_EXIT_FAILED;
}

/* `word` is no group, or no verb of the group. */
static int complain_about(const char *group, const char *word) {
    const char *names[COMMAND_COUNT + 2] = {"--help", "--version"};
    size_t n = *group == '\0' ? 2 : 0;
    char message[200];
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (*group == '\0') names[n++] = commands[i].group;
        if (strcmp(group, commands[i].group) == 0) names[n++] = commands[i].verb;
    }
    const char *near = latch_options_nearest(word, names, n);
    snprintf(message, sizeof message, "unknown %s %.60s%s%s%s", word[0] == '-' ? "option" : "command", word,
             near != NULL ? ": did you mean " : "", near != NULL ? near : "", near != NULL ? "?" : "");
    return latch_command_complain(group, message);
}

static bool asks_for_help(const char *word) { return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0; }

static int print(const char *text) {
    fputs(text, stdout);
    return LATCH_EXIT_OK;
}

int latch_command_run(int argc, char **argv, const char *version) {
    const char *group = argc > 1 ? argv[1] : "", *verb = argc > 2 ? argv[2] : "";
    if (*group == '\0') {
        fputs(latch_help, stderr);
        return LATCH_EXIT_USAGE;
    }
    if (strcmp(group, "--version") == 0) {
        printf("latch %s\n", version);
        return LATCH_EXIT_OK;
    }
    const command *asked = strcmp(group, "help") == 0 && argc > 2 ? find(verb, argc > 3 ? argv[3] : "") : NULL;
    if (asked != NULL) return print(asked->help);
    if (asks_for_help(group)) return print(latch_help);
    if (!is_group(group)) return complain_about("", group);
    const command *alone = find(group, "");
    if (alone != NULL) return alone->run(argc - 2, argv + 2);
    if (asks_for_help(verb)) return print(latch_help);
    if (*verb == '\0') return latch_command_complain(group, "which command?");
    const command *c = find(group, verb);
    return c != NULL ? c->run(argc - 3, argv + 3) : complain_about(group, verb);
}
