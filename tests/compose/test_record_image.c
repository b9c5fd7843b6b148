#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "latch_test.h"
#include "tests/check.h"

typedef struct product {
    latch_str sku;
    int64_t cents;
    double weight;
    latch_json tags;
} product;

static latch_image which;
static char said[256];

static latch_status read_product(latch_record *record, product *out) {
    return latch_record_read_image(record, which, "sku", &out->sku, "cents", latch_range_or(&out->cents, 1, 1000, 0), "weight",
                                   latch_optional(&out->weight), "tags", latch_optional(&out->tags));
}

static latch_status note(latch_ctx *cx, latch_record *record, const product *p) {
    (void)cx, (void)record;
    snprintf(said, sizeof said, "%.*s %d %.1f %.*s", (int)p->sku.len, p->sku.ptr, (int)p->cents, p->weight, (int)latch_text(p->tags).len,
             latch_text(p->tags).ptr);
    return LATCH_OK;
}
static LATCH_RECORD_OF(on_change, product, read_product, note);

static const latch_handler handlers[] = {{.name = "h", .record = on_change}};

#define KEYS "\"Keys\":{\"sku\":{\"S\":\"tea\"}}"
#define CHANGE(rest)                                                                                                                       \
    "{\"Records\":[{\"eventSource\":\"aws:dynamodb\",\"eventID\":\"e\",\"dynamodb\":{\"SequenceNumber\":\"1\"," KEYS rest "}}]}"
#define NEW ",\"NewImage\":{\"sku\":{\"S\":\"tea\"},\"cents\":{\"N\":\"450\"},\"weight\":{\"N\":\"1.5\"},\"tags\":{\"SS\":[\"a\",\"b\"]}}"

static void reads_an_image_into_a_struct(void **state) {
    static const struct {
        latch_image which;
        const char *event, *said, *logged; /* `said`: NULL where the record fails */
    } rows[] = {
        {LATCH_NEW_IMAGE, CHANGE(NEW), "tea 450 1.5 {\"$strings\":[\"a\",\"b\"]}", NULL},
        {LATCH_KEYS_IMAGE, CHANGE(""), "tea 0 0.0 null", NULL},
        {LATCH_OLD_IMAGE, CHANGE(",\"OldImage\":{\"sku\":{\"S\":\"cup\"}}"), "cup 0 0.0 null", NULL},
        {LATCH_OLD_IMAGE, CHANGE(NEW), NULL, "event.Records[0].dynamodb.OldImage: is missing: the record has none"},
        {LATCH_NEW_IMAGE, CHANGE(",\"NewImage\":{\"sku\":{\"S\":\"tea\"},\"cents\":{\"N\":\"0\"}}"), NULL,
         "event.Records[0].dynamodb.NewImage.cents: is 0, want a whole number from 1 to 1000"},
        {LATCH_NEW_IMAGE, CHANGE(",\"NewImage\":{}"), NULL, "event.Records[0].dynamodb.NewImage.sku: is missing, want text"},
        {LATCH_NEW_IMAGE, CHANGE(",\"NewImage\":{\"sku\":\"tea\"}"), NULL, "record failed"},
        {LATCH_NEW_IMAGE, "{\"Records\":[{\"eventSource\":\"aws:sqs\",\"messageId\":\"1\",\"body\":\"{}\"}]}", NULL,
         "event.Records[0].dynamodb.NewImage: is missing"},
    };
    latch_test *t = latch_test_open(&(latch_test_options){.handlers = handlers, .handler_count = 1});
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        which = rows[i].which;
        said[0] = '\0';
        const latch_test_outcome *o = latch_test_event(t, "h", rows[i].event);
        assert_int_equal(o->status, LATCH_OK);
        assert_int_equal(o->failed_count, rows[i].said == NULL);
        assert_string_equal(said, rows[i].said != NULL ? rows[i].said : "");
        if (rows[i].logged != NULL && strstr(o->log, rows[i].logged) == NULL) fail_msg("row %zu: %s", i, o->log);
    }
    latch_test_close(t);
}

#define ROW(test) cmocka_unit_test(test)

static const struct CMUnitTest tests[] = {
    ROW(reads_an_image_into_a_struct),
};

CHECK_MAIN(tests)
