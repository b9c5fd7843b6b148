/* A record is read into one struct, and acted on as another.
 * gcc: incompatible-pointer-types
 * clang: incompatible-function-pointer-types */
#include "tests/traps/trap.h"

typedef struct order {
    int64_t qty;
} order;
typedef struct parcel {
    int64_t weight;
} parcel;

static latch_status read_order(latch_record *record, order *out) { return latch_record_read(record, "qty", &out->qty); }
static latch_status ship(latch_ctx *cx, latch_record *record, const parcel *p) {
    latch_info(cx, "shipped", "id", latch_record_id(record), "weight", p->weight);
    return LATCH_OK;
}
static LATCH_RECORD_OF(on_order, order, read_order, ship);

static const latch_handler handlers[] = {{.name = "orders", .record = on_order}};

int main(void) { return LATCH_RUN(handlers); }
