#include <string.h>

#include "core/trace_context.h"
#include "tests/check.h"
#include "tests/core/room.h"

#define ROOT "1-5759e988-bd862e3fe1be46a994272793"
#define W3C_ROOT "5759e988bd862e3fe1be46a994272793"

static void reads_headers(void **state) {
    static const struct {
        const char *header;
        bool ok;
        uint64_t parent;
        bool sampled;
    } rows[] = {
        {"Root=" ROOT ";Parent=53995c3f42cd8ad8;Sampled=1", true, UINT64_C(0x53995c3f42cd8ad8), true},
        {"Root=" ROOT ";Parent=53995c3f42cd8ad8;Sampled=0", true, UINT64_C(0x53995c3f42cd8ad8), false},
        {"Sampled=1; Parent=53995C3F42CD8AD8 ;Root=" ROOT, true, UINT64_C(0x53995c3f42cd8ad8), true},
        {"root=" ROOT ";PARENT=0000000000000001;sampled=?", true, 1, false},
        {"Root=" ROOT ";Parent=53995c3f42cd8ad8;Sampled=1;Lineage=a87bd80c:1|68fd508a:5", true, UINT64_C(0x53995c3f42cd8ad8), true},
        {"Self=1-67891233-abcdef012345678912345678;Root=" ROOT, true, 0, false},
        {"Root=" ROOT ";;;", true, 0, false},
        {"Root=" ROOT ";=;==;x", true, 0, false},
        {"", false, 0, false},
        {";", false, 0, false},
        {"Root", false, 0, false},
        {"Root=", false, 0, false},
        {"Parent=53995c3f42cd8ad8;Sampled=1", false, 0, false},
        {"Root=2-5759e988-bd862e3fe1be46a994272793", false, 0, false},
        {"Root=1-5759e988-bd862e3fe1be46a99427279", false, 0, false},
        {"Root=1-5759e988-bd862e3fe1be46a9942727933", false, 0, false},
        {"Root=1-5759e98-bd862e3fe1be46a994272793", false, 0, false},
        {"Root=1-5759e988-bd862e3fe1be46a99427279g", false, 0, false},
        {"Root=1-5759e988bd862e3fe1be46a994272793", false, 0, false},
        {"Root=1-00000000-000000000000000000000000", false, 0, false},
        {"Root=" ROOT ";Parent=53995c3f42cd8ad", false, 0, false},
        {"Root=" ROOT ";Parent=0000000000000000", false, 0, false},
        {"Root=" ROOT ";Parent=", false, 0, false},
        {"Root=" ROOT "x", false, 0, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        latch_trace_context c;
        bool ok = latch_trace_context_read(at_the_edge(latch_str_of(rows[i].header)), &c);
        if (ok != rows[i].ok || c.parent != rows[i].parent || c.sampled != rows[i].sampled) fail_msg("%s", rows[i].header);
        assert_string_equal(c.root, ok ? W3C_ROOT : "");
    }
}

static void writes_headers(void **state) {
    latch_trace_context c;
    char out[LATCH_TRACE_HEADER_BYTES];
    (void)state;
    assert_true(latch_trace_context_read(LATCH_STR("Root=" ROOT ";Parent=53995C3F42CD8AD8;Sampled=1"), &c));
    latch_trace_context_xray(&c, out);
    assert_string_equal(out, "Root=" ROOT ";Parent=53995c3f42cd8ad8;Sampled=1");
    latch_trace_context_w3c(&c, out);
    assert_string_equal(out, "00-" W3C_ROOT "-53995c3f42cd8ad8-01");
    c.sampled = false;
    c.parent = 1;
    latch_trace_context_xray(&c, out);
    assert_string_equal(out, "Root=" ROOT ";Parent=0000000000000001;Sampled=0");
    latch_trace_context_w3c(&c, out);
    assert_string_equal(out, "00-" W3C_ROOT "-0000000000000001-00");
    c.parent = 0; /* W3C has none without a parent */
    latch_trace_context_xray(&c, out);
    assert_string_equal(out, "");
    latch_trace_context_w3c(&c, out);
    assert_string_equal(out, "");
}

static void makes_ids(void **state) {
    latch_trace_random a, b;
    (void)state;
    latch_trace_random_seed(&a);
    latch_trace_random_seed(&b);
    assert_true(a.state != b.state);
    uint64_t last = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t next = latch_trace_random_next(&a);
        assert_true(next != 0 && next != last);
        last = next;
    }
    for (uint64_t n = 0; n < 500; n++) {
        for (uint64_t m = 0; m < n; m++)
            assert_true(latch_trace_span_id(last, n) != latch_trace_span_id(last, m));
    }
}

#define ROW(test) cmocka_unit_test(test)
// clang-format off
static const struct CMUnitTest tests[] = {
    ROW(reads_headers),
    ROW(writes_headers),
    ROW(makes_ids),
};
// clang-format on

CHECK_MAIN(tests)
