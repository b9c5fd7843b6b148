#include "options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"

#define WORD_BYTES 32 /* longer ones aren't compared */

/* ── what was perhaps meant ── */

static size_t min3(size_t a, size_t b, size_t c) { return a < b ? (a < c ? a : c) : (b < c ? b : c); }

/* Levenshtein: how many letters to add, drop or change. */
static size_t distance(const char *a, const char *b) {
    size_t row[WORD_BYTES + 1], len_a = strlen(a), len_b = strlen(b);
    if (len_a > WORD_BYTES || len_b > WORD_BYTES) return WORD_BYTES;
    for (size_t i = 0; i <= len_b; i++)
        row[i] = i;
    for (size_t i = 1; i <= len_a; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t k = 1; k <= len_b; k++) {
            size_t above = row[k];
            row[k] = min3(above + 1, row[k - 1] + 1, diagonal + (a[i - 1] != b[k - 1]));
            diagonal = above;
        }
    }
    return row[len_b];
}

const char *latch_options_nearest(const char *word, const char *const *names, size_t count) {
    const char *best = NULL;
    size_t least = strlen(word) / 3 + 1;
    for (size_t i = 0; i < count; i++) {
        size_t d = distance(word, names[i]);
        bool continues = strlen(word) >= 4 && strncmp(names[i], word, strlen(word)) == 0;
        if (continues && d > 1) d = 1;
        if (d > least || (d == least && best != NULL)) continue;
        least = d;
        best = names[i];
    }
    return best;
}

static latch_status say_unknown(const latch_option *options, size_t count, const char *word, latch_err *err) {
    const char *names[64];
    size_t n = 0;
    for (; n < count && n < 63; n++)
        names[n] = options[n].name;
    names[n++] = "--help";
    const char *near = latch_options_nearest(word, names, n);
    if (near != NULL) return latch_err_set(err, LATCH_E_MISUSE, "unknown option %s: did you mean %s?", word, near);
    return latch_err_set(err, LATCH_E_MISUSE, "unknown option %s", word);
}

/* ── values ── */

static latch_status set_number(const latch_option *o, const char *value, latch_err *err) {
    char *end = NULL;
    errno = 0;
    long long n = strtoll(value, &end, 10);
    if (errno != 0 || end == value || *end != '\0' || n < o->min || n > o->max)
        return latch_err_set(err, LATCH_E_MISUSE, "%s %s: want a whole number from %lld to %lld", o->name, value, (long long)o->min,
                             (long long)o->max);
    *(int64_t *)o->at = n;
    return LATCH_OK;
}

static latch_status set_seconds(const latch_option *o, const char *value, latch_err *err) {
    char *end = NULL;
    double s = strtod(value, &end);
    bool is_plain = strspn(value, "0123456789.") == strlen(value) && end != value && *end == '\0';
    if (!is_plain || s * 1000 < (double)o->min || s * 1000 > (double)o->max)
        return latch_err_set(err, LATCH_E_MISUSE, "%s %s: want seconds from %g to %g", o->name, value, (double)o->min / 1000,
                             (double)o->max / 1000);
    *(int64_t *)o->at = (int64_t)(s * 1000 + 0.5);
    return LATCH_OK;
}

static latch_status add_value(const latch_option *o, const char *value, latch_err *err) {
    const latch_option_each *each = o->at;
    if (each->add(each->to, latch_str_of(value))) return LATCH_OK;
    return latch_err_set(err, LATCH_E_MISUSE, "%s %s: want %s", o->name, value, each->want);
}

static latch_status set_value(const latch_option *o, const char *value, latch_err *err) {
    switch (o->kind) {
    case LATCH_OPTION_FLAG:
        *(bool *)o->at = true;
        return LATCH_OK;
    case LATCH_OPTION_TEXT:
        if (*value == '\0') return latch_err_set(err, LATCH_E_MISUSE, "%s has an empty value", o->name);
        *(const char **)o->at = value;
        return LATCH_OK;
    case LATCH_OPTION_NUMBER:
        return set_number(o, value, err);
    case LATCH_OPTION_SECONDS:
        return set_seconds(o, value, err);
    case LATCH_OPTION_EACH:
        return add_value(o, value, err);
    }
    return LATCH_E_MISUSE;
}

/* ── the arguments ── */

static const latch_option *find(const latch_option *options, size_t count, const char *word, size_t len) {
    for (size_t i = 0; i < count; i++)
        if (strlen(options[i].name) == len && memcmp(options[i].name, word, len) == 0) return &options[i];
    return NULL;
}

/* The option at argv[*at], and its value, "--name value" or "--name=value". Moves *at to the last word it took. */
static latch_status take(const latch_option *options, size_t count, int argc, char **argv, int *at, latch_err *err) {
    const char *word = argv[*at], *equals = strchr(word, '=');
    const latch_option *o = find(options, count, word, equals != NULL ? (size_t)(equals - word) : strlen(word));
    if (o == NULL) {
        char *name = strndup(word, equals != NULL ? (size_t)(equals - word) : strlen(word));
        if (name == NULL) abort();
        latch_status status = say_unknown(options, count, name, err);
        free(name);
        return status;
    }
    if (o->kind == LATCH_OPTION_FLAG && equals != NULL) return latch_err_set(err, LATCH_E_MISUSE, "%s takes no value", o->name);
    if (o->kind == LATCH_OPTION_FLAG || equals != NULL) return set_value(o, equals != NULL ? equals + 1 : "", err);
    if (*at + 1 >= argc || strcmp(argv[*at + 1], "--") == 0) return latch_err_set(err, LATCH_E_MISUSE, "%s needs a value", o->name);
    return set_value(o, argv[++*at], err);
}

static bool asks_for_help(int argc, char **argv) {
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) return true;
    return false;
}

latch_status latch_options_parse(const latch_option *options, size_t count, int argc, char **argv, latch_arguments *out, latch_err *err) {
    *out = (latch_arguments){.help = asks_for_help(argc, argv)};
    if (out->help) return LATCH_OK;
    out->items = calloc((size_t)argc + 1, sizeof *out->items);
    if (out->items == NULL) abort();
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0) {
            out->program = argv + i + 1;
            return LATCH_OK;
        }
        if (argv[i][0] == '-' && argv[i][1] != '\0')
            LATCH_TRY(take(options, count, argc, argv, &i, err));
        else
            out->items[out->count++] = argv[i];
    }
    return LATCH_OK;
}

void latch_arguments_clean_up(latch_arguments *args) {
    free(args->items);
    *args = (latch_arguments){0};
}
