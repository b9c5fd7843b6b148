#include <stdio.h>
#include <string.h>

#include "core/text.h"
#include "doctor.h"

#define TRIAL_MS (10 * LATCH_SECOND_MS) /* of one, with its repeats */
#define GETS 5

/* ── requests ───────────────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct trial {     /* a right, and the request that shows it */
    const char *action;    /* as IAM calls it */
    const char *operation; /* that asks for it */
    const char
        *document; /* @t: the table's name, @k: a key, @n and @v: its first attribute's name and value, @i: an index's name; as JSON */
    bool writes;   /* its condition must fail */
} trial;

/* No item fulfils it, neither one that is there nor one that isn't: whatever becomes of the request, it writes nothing. */
#define NEVER "\"ConditionExpression\":\"attribute_exists(#k) AND attribute_not_exists(#k)\",\"ExpressionAttributeNames\":{\"#k\":@n}"
#define OF_KEY                                                                                                                             \
    "\"KeyConditionExpression\":\"#k = :v\",\"ExpressionAttributeNames\":{\"#k\":@n},\"ExpressionAttributeValues\":{\":v\":@v}," ONE
#define ONE "\"Limit\":1,\"Select\":\"COUNT\""

static const trial trials[] = {
    {"GetItem", "GetItem", "{\"TableName\":@t,\"Key\":@k}", false},
    {"BatchGetItem", "BatchGetItem", "{\"RequestItems\":{@t:{\"Keys\":[@k]}}}", false},
    {"PutItem", "PutItem", "{\"TableName\":@t,\"Item\":@k," NEVER "}", true},
    {"UpdateItem", "UpdateItem", "{\"TableName\":@t,\"Key\":@k," NEVER "}", true},
    {"DeleteItem", "DeleteItem", "{\"TableName\":@t,\"Key\":@k," NEVER "}", true},
    {"ConditionCheckItem", "TransactWriteItems", "{\"TransactItems\":[{\"ConditionCheck\":{\"TableName\":@t,\"Key\":@k," NEVER "}}]}",
     true},
    {"Query", "Query", "{\"TableName\":@t," OF_KEY "}", false},
    {"Scan", "Scan", "{\"TableName\":@t," ONE "}", false},
};
static const trial of_an_index = {"Query", "Query", "{\"TableName\":@t,\"IndexName\":@i," OF_KEY "}", false};

typedef struct key_part {
    latch_str name;
    char type;
} key_part;

/* The table's own keys where they are known, else the layout's. */
static void choose_keys(const latch_doctor *d, key_part out[2]) {
    const latch_dynamodb_key *const wanted[2] = {&d->schema.pk, &d->schema.sk};
    const latch_dynamodb_key_info *const known[2] = {&d->info.pk, &d->info.sk};
    for (size_t i = 0; i < 2; i++) {
        out[i] = (key_part){latch_str_of(wanted[i]->name), wanted[i]->type != NULL ? *wanted[i]->type : 'S'};
        if (d->info.status.len > 0) out[i] = (key_part){known[i]->name, known[i]->type};
    }
}

static void put_value(latch_text_writer *t, char type) {
    if (type == 'N')
        latch_text_put(t, LATCH_STR("{\"N\":\"-7012300000.0000321\"}"));
    else if (type == 'B')
        latch_text_put(t, LATCH_STR("{\"B\":\"bGF0Y2ggZG9jdG9y\"}"));
    else
        latch_text_put(t, LATCH_STR("{\"S\":\"latch doctor: nothing has this key\"}"));
}

static void put_key(latch_text_writer *t, const key_part keys[2]) {
    latch_text_char(t, '{');
    for (size_t i = 0; i < 2 && keys[i].name.len > 0; i++) {
        if (i > 0) latch_text_char(t, ',');
        latch_text_json_string(t, keys[i].name);
        latch_text_char(t, ':');
        put_value(t, keys[i].type);
    }
    latch_text_char(t, '}');
}

/* ptr is NULL where the arena is full. */
static latch_str document_of(latch_doctor *d, const trial *what, const key_part keys[2], const char *index) {
    latch_text_writer t = latch_text_begin(d->session.cx.arena);
    for (const char *at = what->document; *at != '\0'; at++) {
        if (*at != '@') {
            latch_text_char(&t, *at);
            continue;
        }
        switch (*++at) {
        case 't':
            latch_text_json_string(&t, latch_str_of(latch_doctor_table_name(d)));
            break;
        case 'k':
            put_key(&t, keys);
            break;
        case 'n':
            latch_text_json_string(&t, keys[0].name);
            break;
        case 'v':
            put_value(&t, keys[0].type);
            break;
        default:
            latch_text_json_string(&t, latch_str_of(index));
        }
    }
    return latch_text_end(&t);
}

/* It applies nothing, so that it may be repeated as a read is. */
static latch_status ask(latch_doctor *d, const trial *what, const key_part keys[2], const char *index, latch_answer *answer) {
    latch_ctx *cx = &d->session.cx;
    const latch_call call = {.operation = what->operation,
                             .request = document_of(d, what, keys, index),
                             .deadline_at_ms = latch_clock_wall_ms(&cx->clock) + TRIAL_MS,
                             .reads = true};
    *answer = (latch_answer){.body = {cx, NULL}};
    if (call.request.ptr == NULL) return latch_err_set(&cx->err, LATCH_E_NOMEM, "%s: the arena is full", what->operation);
    return latch_client_call(cx, &call, answer);
}

/* ── what they showed ───────────────────────────────────────────────────────────────────────────────────────────────────── */

typedef struct rights {
    latch_doctor *d;
    key_part keys[2];
    char allowed[256], denied[256], actions[256], indexes[400]; /* the last two as a policy has them */
    bool table_denied;                                          /* one of them for the table itself */
    bool misfits;                                               /* that was for want of such a table, or of such keys */
    char failed[256];                                           /* why one could not be tried; empty: all could */
} rights;

static void append(char *list, size_t room, const char *before, const char *text, const char *behind) {
    size_t len = strlen(list);
    snprintf(list + len, room - len, "%s%s%s%s", len > 0 ? ", " : "", before, text, behind);
}

/* "Query of gsi1" */
static void put_name(const trial *what, const char *index, char out[160]) {
    snprintf(out, 160, "%s%s%.128s", what->action, index != NULL ? " of " : "", index != NULL ? index : "");
}

/* The ARN that no call has told is written with what is known of it. */
static void put_arn(const latch_doctor *d, char out[300]) {
    const char *name = latch_doctor_table_name(d);
    if (d->info.arn.len > 0)
        snprintf(out, 300, "%.*s", LATCH_ARG(d->info.arn));
    else
        snprintf(out, 300, "arn:aws:dynamodb:%.63s:ACCOUNT:table/%.200s", d->session.settings.region, name);
}

static void note_denial(rights *w, const trial *what, const char *index, const char *name) {
    char arn[300], resource[400], action[48];
    put_arn(w->d, arn);
    snprintf(action, sizeof action, "\"dynamodb:%s\"", what->action);
    snprintf(resource, sizeof resource, "%s/index/%.90s", arn, index != NULL ? index : "");
    append(w->denied, sizeof w->denied, "dynamodb:", name, "");
    if (strstr(w->actions, action) == NULL) append(w->actions, sizeof w->actions, "", action, "");
    if (index != NULL) append(w->indexes, sizeof w->indexes, "\"", resource, "\"");
    w->table_denied = w->table_denied || index == NULL;
}

/* False: the others would fare no better. */
static bool try_one(rights *w, const trial *what, const char *index, const latch_dynamodb_index *of) {
    latch_ctx *cx = &w->d->session.cx;
    latch_answer answer;
    char name[160];
    size_t mark = latch_arena_mark(cx->arena);
    const key_part keys[2] = {of == NULL ? w->keys[0] : (key_part){latch_str_of(of->pk.name), of->pk.type != NULL ? *of->pk.type : 'S'},
                              w->keys[1]};
    latch_status status = ask(w->d, what, keys, index, &answer);
    put_name(what, index, name);
    latch_arena_rewind(cx->arena, mark);
    bool allowed = status == (what->writes ? LATCH_CONFLICT : LATCH_OK), denied = strcmp(cx->err.type, "AccessDeniedException") == 0;
    if (allowed) {
        append(w->allowed, sizeof w->allowed, "", name, "");
        w->d->can_get = w->d->can_get || strcmp(what->action, "GetItem") == 0;
        return true;
    }
    if (status != LATCH_OK && denied) {
        note_denial(w, what, index, name);
        return true;
    }
    if (status == LATCH_OK)
        snprintf(w->failed, sizeof w->failed,
                 "%s was answered as if a condition that no item fulfils had held: what answers is no DynamoDB", name);
    else
        snprintf(w->failed, sizeof w->failed, "%s", cx->err.message);
    w->misfits = strcmp(cx->err.type, "ValidationException") == 0 || strcmp(cx->err.type, "ResourceNotFoundException") == 0;
    return false;
}

static void try_all(rights *w) {
    const latch_doctor *d = w->d;
    for (size_t i = 0; i < sizeof trials / sizeof *trials; i++)
        if (!try_one(w, &trials[i], NULL, NULL)) return;
    bool there = d->findings[LATCH_CHECK_INDEXES] == LATCH_FOUND_OK;
    for (size_t i = 0; there && i < d->schema.index_count; i++)
        if (!try_one(w, &of_an_index, d->schema.indexes[i].name, &d->schema.indexes[i])) return;
}

static void tell_denied(const rights *w, latch_report *r) {
    char arn[300];
    bool both = w->table_denied && w->indexes[0] != '\0';
    put_arn(w->d, arn);
    latch_report_wrong(r, "denied: %s%s%s", w->denied, w->allowed[0] != '\0' ? "; allowed: " : "", w->allowed);
    latch_report_advise(r,
                        "for the role's policy, where a store that the functions use needs it (docs/permissions.md): "
                        "{\"Effect\": \"Allow\", \"Action\": [%s], \"Resource\": [%s%s%s%s%s]}",
                        w->actions, w->table_denied ? "\"" : "", w->table_denied ? arn : "", w->table_denied ? "\"" : "", both ? ", " : "",
                        w->indexes);
}

void latch_doctor_rights(latch_doctor *d, latch_report *r) {
    rights w = {.d = d};
    if (d->absent || d->keys_refused || (d->findings[LATCH_CHECK_TABLE] == LATCH_FOUND_WRONG && d->info.status.len == 0)) {
        latch_report_unseen(r, "needs table first");
        return;
    }
    choose_keys(d, w.keys);
    try_all(&w);
    if (w.failed[0] != '\0') {
        latch_report_wrong(r, "%s", w.failed);
        latch_report_advise(r, "%s",
                            w.misfits ? "the table is missing, or has other keys than this layout: latch table describe, or --layout NAME"
                                      : "once more; where it stays so, what the message names");
    } else if (w.denied[0] != '\0') {
        tell_denied(&w, r);
    } else {
        latch_report_ok(r, "%s are allowed; BatchWriteItem wasn't tried, for it takes no condition", w.allowed);
    }
}

/* ── how fast ───────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void sort(int64_t *values, size_t count) {
    for (size_t i = 1; i < count; i++)
        for (size_t k = i; k > 0 && values[k] < values[k - 1]; k--) {
            int64_t swapped = values[k];
            values[k] = values[k - 1];
            values[k - 1] = swapped;
        }
}

void latch_doctor_latency(latch_doctor *d, latch_report *r) {
    latch_ctx *cx = &d->session.cx;
    int64_t took_us[GETS];
    latch_answer answer;
    key_part keys[2];
    if (!d->can_get) {
        latch_report_unseen(r, "needs dynamodb:GetItem");
        return;
    }
    choose_keys(d, keys);
    for (size_t i = 0; i < GETS; i++) {
        latch_instant from = latch_clock_instant(&cx->clock);
        if (ask(d, &trials[0], keys, NULL, &answer) != LATCH_OK) {
            latch_report_wrong(r, "%s", cx->err.message);
            latch_report_advise(r, "once more; where it comes and goes, the way to DynamoDB is unreliable, or the table is throttled");
            return;
        }
        took_us[i] = latch_clock_since_us(&cx->clock, from);
    }
    sort(took_us, GETS);
    latch_report_ok(r, "GetItem in %.1f ms, %.1f ms in the median of %d", (double)took_us[0] / 1000, (double)took_us[GETS / 2] / 1000,
                    GETS);
}
