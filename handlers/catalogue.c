#include "handlers/catalogue.h"

/* The shop's own list. A team's would be a table of its own, or a service that load_product asks by latch_fetch. */
static const struct {
    const char *sku, *name;
    int64_t price_cents;
} list[] = {
    {"tea", "Green tea", 450},
    {"cup", "Stoneware cup", 1890},
    {"pot", "Cast iron pot", 5400},
};
#define LIST_COUNT (sizeof list / sizeof list[0])

static latch_status load_product(latch_ctx *cx, latch_work *work) {
    for (size_t i = 0; i < LIST_COUNT; i++) {
        if (!latch_str_eq(work->key, latch_str_of(list[i].sku))) continue;
        latch_info(cx, "product loaded", "sku", work->key);
        work->result = latch_object(cx, "sku", list[i].sku, "name", list[i].name, "price_cents", list[i].price_cents);
        return LATCH_OK;
    }
    return latch_refuse(cx, LATCH_MISSING, "no such product", "sku", work->key);
}

static const latch_cache products = {
    .name = "product", .load = load_product, .ttl_ms = 5 * LATCH_MINUTE_MS, .missing_ttl_ms = 30 * LATCH_SECOND_MS};

latch_status catalogue_get(latch_ctx *cx, latch_str sku, latch_json *product) { return latch_cache_get(cx, &products, sku, product); }

latch_status catalogue_refresh(latch_ctx *cx, int64_t *count) {
    *count = (int64_t)LIST_COUNT;
    for (size_t i = 0; i < LIST_COUNT; i++)
        LATCH_TRY(latch_cache_delete(cx, &products, latch_str_of(list[i].sku)));
    return LATCH_OK;
}
