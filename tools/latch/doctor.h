/*
 * doctor.h - `latch doctor`: what must be right before a store's call succeeds, looked at one by one, in this order.
 *
 * Each check reads what the functions read, by the functions' own code (settings, credentials, trust, transport, client), and asks DynamoDB
 * nothing that writes: its writes carry a condition that no item fulfils, neither one that is there nor one that isn't.
 */
#ifndef LATCH_TOOL_DOCTOR_H
#define LATCH_TOOL_DOCTOR_H

#include "session.h"
#include "store/layouts.h"
#include "store/tables.h"

typedef enum latch_check {
    LATCH_CHECK_STORE,
    LATCH_CHECK_SETTINGS,
    LATCH_CHECK_REGION,
    LATCH_CHECK_ENDPOINT,
    LATCH_CHECK_CREDENTIALS,
    LATCH_CHECK_CA,
    LATCH_CHECK_CONNECTION,
    LATCH_CHECK_CLOCK,
    LATCH_CHECK_TABLE,
    LATCH_CHECK_KEYS,
    LATCH_CHECK_INDEXES,
    LATCH_CHECK_TTL,
    LATCH_CHECK_RIGHTS,
    LATCH_CHECK_LATENCY,
    LATCH_CHECK_COUNT
} latch_check;

typedef enum latch_finding { LATCH_FOUND_UNSEEN, LATCH_FOUND_OK, LATCH_FOUND_WRONG } latch_finding;

typedef struct latch_report { /* of one check; texts are cut where they are too long */
    latch_finding finding;
    char found[640];
    char advice[1024]; /* of what is wrong: what to do; may be there of what is right, too; empty: none */
} latch_report;

typedef struct latch_doctor {
    latch_connection connection; /* options */
    const char *table;           /* as it was given; NULL: it wasn't */
    const char *layout_name;
    bool json, no_indexes;
    const latch_layout *layout;
    latch_dynamodb_schema schema;

    latch_session session;
    latch_finding findings[LATCH_CHECK_COUNT];
    bool idle;                           /* functions use the embedded store, and nobody asked for more */
    char blamed[LATCH_CHECK_COUNT][256]; /* why the settings can't be read, by the check that tells it; empty: they can */
    latch_dynamodb_table_info info;      /* status empty: it isn't known */
    bool ttl_denied, keys_refused, absent;
    bool can_get; /* GetItem is allowed, and answers */
} latch_doctor;

typedef void latch_check_fn(latch_doctor *d, latch_report *r);

/* ── doctor_place.c: where DynamoDB is and who asks; sends no request but for `/` ── */
latch_check_fn latch_doctor_store, latch_doctor_settings, latch_doctor_region, latch_doctor_endpoint, latch_doctor_credentials,
    latch_doctor_ca, latch_doctor_connection, latch_doctor_clock;

/* ── doctor_table.c: the table ── */
latch_check_fn latch_doctor_table, latch_doctor_keys, latch_doctor_indexes, latch_doctor_ttl;

/* ── doctor_rights.c: what may be asked of it, and how fast ── */
latch_check_fn latch_doctor_rights, latch_doctor_latency;

/* What a check ends with. */
void latch_report_ok(latch_report *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void latch_report_wrong(latch_report *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void latch_report_unseen(latch_report *r, const char *fmt, ...) __attribute__((format(printf, 2, 3))); /* "needs …": why not */
void latch_report_advise(latch_report *r, const char *fmt, ...) __attribute__((format(printf, 2, 3))); /* beside one of them */

const char *latch_doctor_table_name(const latch_doctor *d);

/* " --layout toolkit --region eu-west-1 …": what `latch table` must be told, too, to mean the same table. */
const char *latch_doctor_flags(const latch_doctor *d, char out[512]);

/* Answers by which DynamoDB, or whoever stands in front of it, refuses the keys themselves and not what is asked with them. */
bool latch_doctor_refuses_keys(const latch_err *err);

#endif
