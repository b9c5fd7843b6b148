#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "options.h"

typedef struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} command;

static const command commands[] = {
    {"invoke", latch_command_invoke, latch_help_invoke},
    {"serve", latch_command_serve, latch_help_serve},
    {"dynamodb", latch_command_dynamodb, latch_help_dynamodb},
    {"faults", latch_command_faults, latch_help_faults},
};
#define COMMAND_COUNT (sizeof commands / sizeof *commands)

static const command *find(const char *name) {
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(name, commands[i].name) == 0) return &commands[i];
    return NULL;
}

int latch_command_complain(const char *name, const char *message) {
    const char *space = *name != '\0' ? " " : "";
    fprintf(stderr, "latch-local%s%s: %s\nSee: latch-local%s%s --help\n", space, name, message, space, name);
    return LATCH_EXIT_USAGE;
}

static int complain_about(const char *word) {
    const char *names[COMMAND_COUNT + 2] = {"--help", "--version"};
    char message[160];
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        names[i + 2] = commands[i].name;
    const char *near = latch_options_nearest(word, names, COMMAND_COUNT + 2);
    snprintf(message, sizeof message, "unknown %s %.60s%s%s%s", word[0] == '-' ? "option" : "command", word,
             near != NULL ? ": did you mean " : "", near != NULL ? near : "", near != NULL ? "?" : "");
    return latch_command_complain("", message);
}

int main(int argc, char **argv) {
    const char *word = argc > 1 ? argv[1] : "";
    if (*word == '\0') {
        fputs(latch_help, stderr);
        return LATCH_EXIT_USAGE;
    }
    const command *asked = strcmp(word, "help") == 0 && argc > 2 ? find(argv[2]) : NULL;
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
        fputs(asked != NULL ? asked->help : latch_help, stdout);
        return LATCH_EXIT_OK;
    }
    if (strcmp(word, "--version") == 0) {
        puts("latch-local " LATCH_VERSION);
        return LATCH_EXIT_OK;
    }
    const command *c = find(word);
    return c != NULL ? c->run(argc - 2, argv + 2) : complain_about(word);
}
