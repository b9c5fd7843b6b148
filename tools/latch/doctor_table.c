#include <stdio.h>
#include <string.h>

#include "doctor.h"

static bool is(latch_str s, const char *word) { return latch_str_eq(s, latch_str_of(word)); }

bool latch_doctor_refuses_keys(const latch_err *err) {
    static const char *const names[] = {"UnrecognizedClientException",        "ExpiredTokenException",        "InvalidSignatureException",
                                        "MissingAuthenticationToken",         "IncompleteSignatureException", "InvalidClientTokenId",
                                        "MissingAuthenticationTokenException"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(err->type, names[i]) == 0) return true;
    return false;
}

/* Of what depends on the table being known. False: it isn't, and the report says so. */
static bool is_known(const latch_doctor *d, latch_report *r) {
    if (d->info.status.len > 0) return true;
    if (d->findings[LATCH_CHECK_TABLE] == LATCH_FOUND_WRONG)
        latch_report_unseen(r, "needs table first");
    else
        latch_report_unseen(r, "needs dynamodb:DescribeTable, which these credentials may not ask for");
    return false;
}

/* ── table ──────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void tell_table(const latch_doctor *d, latch_report *r) {
    const latch_dynamodb_table_info *info = &d->info;
    const char *name = latch_doctor_table_name(d), *capacity = info->on_demand ? "on demand" : "provisioned";
    if (is(info->status, "ACTIVE") || is(info->status, "UPDATING")) {
        latch_report_ok(r, "%s is %.*s, %s", name, LATCH_ARG(info->status), capacity);
        return;
    }
    latch_report_wrong(r, "%s is %.*s: it takes no items", name, LATCH_ARG(info->status));
    latch_report_advise(r, "%s",
                        is(info->status, "CREATING") ? "wait a moment, and once more" : "create it again when it is gone, or name another");
}

static void tell_no_table(latch_doctor *d, latch_status status, latch_report *r) {
    const latch_err *err = &d->session.cx.err;
    const char *name = latch_doctor_table_name(d);
    char flags[512];
    d->absent = status == LATCH_MISSING;
    d->keys_refused = latch_doctor_refuses_keys(err);
    if (strcmp(err->type, "AccessDeniedException") == 0) {
        latch_report_unseen(r, "dynamodb:DescribeTable is denied, which functions don't need: %s", err->message);
        return;
    }
    latch_report_wrong(r, "%s", d->absent ? "" : err->message);
    if (d->absent) {
        latch_report_wrong(r, "there is no table %s %s %s", name, d->session.settings.aws ? "in" : "at",
                           d->session.settings.aws ? d->session.settings.region : d->session.settings.url);
        latch_report_advise(
            r, "latch table create %s%s; or it is in another region or account, or of another name: latch doctor NAME --region R", name,
            latch_doctor_flags(d, flags));
    } else if (d->keys_refused) {
        latch_report_advise(
            r, "the keys are expired, deleted or another partition's: fetch new ones (aws sso login), or unset them for another "
               "source; the line credentials says where these are from");
    } else {
        latch_report_advise(r,
                            "once more; where it stays so, DYNAMODB_ENABLE_LOGGING=true logs each call of a function with its request id");
    }
}

void latch_doctor_table(latch_doctor *d, latch_report *r) {
    latch_status status = latch_dynamodb_table_describe(&d->session.cx, NULL, &d->info);
    d->ttl_denied = status != LATCH_OK;
    if (d->info.status.len > 0)
        tell_table(d, r);
    else
        tell_no_table(d, status, r);
}

/* ── keys ───────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Its keys are those of the schema; with `index` that one is there, too. */
static bool fits(latch_doctor *d, const latch_dynamodb_schema *schema, const latch_dynamodb_index *index) {
    latch_dynamodb_schema part = *schema;
    part.indexes = index;
    part.index_count = index != NULL ? 1 : 0;
    return latch_dynamodb_table_fits(&d->session.cx, &d->info, &part) == LATCH_OK;
}

static const latch_layout *layout_of(latch_doctor *d) {
    for (size_t i = 0; i < LATCH_LAYOUT_COUNT; i++)
        if (fits(d, latch_layouts[i].schema, NULL)) return &latch_layouts[i];
    return NULL;
}

static void put_keys(const latch_dynamodb_table_info *info, char *out, size_t room) {
    bool two = info->sk.name.len > 0;
    size_t len = (size_t)snprintf(out, room, "%.*s (%c)", LATCH_ARG(info->pk.name), info->pk.type);
    if (two && len < room) snprintf(out + len, room - len, ", %.*s (%c)", LATCH_ARG(info->sk.name), info->sk.type);
}

void latch_doctor_keys(latch_doctor *d, latch_report *r) {
    char keys[560];
    if (!is_known(d, r)) return;
    if (fits(d, &d->schema, NULL)) {
        put_keys(&d->info, keys, sizeof keys);
        latch_report_ok(r, "%s: the layout %s", keys, d->layout->name);
        return;
    }
    latch_report_wrong(r, "%s", d->session.cx.err.message);
    const latch_layout *other = layout_of(d);
    if (other != NULL)
        latch_report_advise(r, "these are keys of the layout %s: latch doctor %s --layout %s; a store opens it by its policy", other->name,
                            latch_doctor_table_name(d), other->name);
    else
        latch_report_advise(r, "latch table create ANOTHER --layout %s, and let LATCH_TABLE or the policy name that", d->layout->name);
}

/* ── indexes ────────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static const latch_dynamodb_index_info *find(const latch_dynamodb_table_info *info, const char *name) {
    for (size_t i = 0; i < info->index_count; i++)
        if (is(info->indexes[i].name, name)) return &info->indexes[i];
    return NULL;
}

static void add_name(char *list, size_t room, const char *name) {
    size_t len = strlen(list);
    snprintf(list + len, room - len, "%s%s", len > 0 ? ", " : "", name);
}

/* Into which list its name goes. */
static void look_at(latch_doctor *d, const latch_dynamodb_index *index, char lists[4][128]) {
    enum { FINE, MISSING, BUILDING, OTHER } how = FINE;
    const latch_dynamodb_index_info *have = find(&d->info, index->name);
    if (have == NULL)
        how = MISSING;
    else if (!fits(d, &d->schema, index))
        how = OTHER;
    else if (have->status.len > 0 && !is(have->status, "ACTIVE") && !is(have->status, "UPDATING"))
        how = BUILDING;
    add_name(lists[how], sizeof lists[how], index->name);
}

void latch_doctor_indexes(latch_doctor *d, latch_report *r) {
    char lists[4][128] = {{0}}, flags[512];
    const char *name = latch_doctor_table_name(d), *fine = lists[0], *missing = lists[1], *building = lists[2], *other = lists[3];
    if (!is_known(d, r)) return;
    if (d->findings[LATCH_CHECK_KEYS] != LATCH_FOUND_OK) {
        latch_report_unseen(r, "needs keys first");
        return;
    }
    for (size_t i = 0; i < d->schema.index_count; i++)
        look_at(d, &d->schema.indexes[i], lists);
    if (*other != '\0') {
        latch_report_wrong(r, "%s", d->session.cx.err.message);
        latch_report_advise(r, "delete the index (aws dynamodb update-table), then: latch table create %s%s --add-indexes", name,
                            latch_doctor_flags(d, flags));
    } else if (*missing != '\0') {
        latch_report_wrong(r, "%s lacks %s: sagas can't be looked for", name, missing);
        latch_report_advise(r, "latch table create %s%s --add-indexes; who needs none: latch doctor --no-indexes", name,
                            latch_doctor_flags(d, flags));
    } else if (*building != '\0') {
        latch_report_wrong(r, "%s is still being built", building);
        latch_report_advise(r, "wait; of a large table it takes hours: latch table describe %s", name);
    } else {
        latch_report_ok(r, "%s", d->schema.index_count > 0 ? fine : "none are needed");
    }
}

/* ── time to live ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

void latch_doctor_ttl(latch_doctor *d, latch_report *r) {
    const char *name = latch_doctor_table_name(d), *want = d->schema.ttl;
    char flags[512];
    if (!is_known(d, r)) return;
    if (want == NULL) {
        latch_report_ok(r, "the layout %s has none", d->layout->name);
    } else if (d->ttl_denied) {
        latch_report_unseen(r, "%s: functions don't need that right", d->session.cx.err.message);
    } else if (d->info.ttl.len == 0) {
        latch_report_wrong(r, "off: what has expired stays, and is paid for");
        latch_report_advise(r, "latch table create %s%s turns it on", name, latch_doctor_flags(d, flags));
    } else if (!is(d->info.ttl, want)) {
        latch_report_wrong(r, "on by the attribute %.*s, and the stores write %s", LATCH_ARG(d->info.ttl), want);
        latch_report_advise(
            r,
            "aws dynamodb update-time-to-live --table-name %s --time-to-live-specification Enabled=false,AttributeName=%.*s; an "
            "hour later: latch table create %s%s",
            name, LATCH_ARG(d->info.ttl), name, latch_doctor_flags(d, flags));
    } else {
        latch_report_ok(r, "on, by %s", want);
    }
}
