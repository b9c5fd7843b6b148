#include "handlers/categories.h"
#include "handlers/handlers.h"

/* GET /categories/{id}: a category and all below it, level by level, read from items that list their children. The shop's own are planted when
 * they are first asked for. */

#define PREFIX LATCH_STR("CATEGORY")
#define SORT "NODE"

static const struct {
    const char *id, *name, *children[3];
} list[] = {
    {"all", "Everything", {"drinks", "ware"}}, {"drinks", "To drink", {"tea"}}, {"tea", "Tea", {NULL}}, {"ware", "For the table", {NULL}}};
#define LIST_COUNT (sizeof list / sizeof list[0])

/* latch_dynamodb_batch_write asks for one after another. */
static latch_status next_category(latch_ctx *cx, void *arg, latch_dynamodb_write *out) {
    size_t *at = arg;
    out->end = *at == LIST_COUNT;
    if (out->end) return LATCH_OK;
    latch_json children = latch_array(cx);
    for (const char *const *child = list[*at].children; *child != NULL; child++)
        children = latch_append(children, latch_key(cx, PREFIX, latch_str_of(*child)));
    out->put = latch_object(cx, "pk", latch_key(cx, PREFIX, latch_str_of(list[*at].id)), "sk", SORT, "id", list[*at].id, "name",
                            list[*at].name, "children", children);
    (*at)++;
    return LATCH_OK;
}

static latch_status plant_categories(latch_ctx *cx, latch_work *work) {
    size_t at = 0;
    latch_dynamodb_written written;
    LATCH_TRY(latch_dynamodb_batch_write(cx, &(latch_dynamodb_batch_write_request){.next = next_category, .arg = &at}, &written));
    work->result = latch_object(cx, "planted", written.written);
    return LATCH_OK;
}

static const latch_once planting = {.name = "categories", .work = plant_categories, .keep_ms = 365 * LATCH_DAY_MS};

latch_status categories_read(latch_ctx *cx, latch_str id, latch_dynamodb_node_fn *node, void *arg) {
    latch_dynamodb_tree tree;
    latch_once_result planted;
    const latch_dynamodb_tree_request request = {
        .root = latch_key(cx, PREFIX, id), .key = "pk", .sort_key = "sk", .sort = SORT, .children = "children", .node = node, .arg = arg};
    LATCH_TRY(latch_dynamodb_read_tree(cx, &request, &tree));
    if (!tree.found) {
        LATCH_TRY(latch_once_do(cx, &planting, LATCH_STR("all"), LATCH_NULL, &planted));
        LATCH_TRY(latch_dynamodb_read_tree(cx, &request, &tree));
    }
    return tree.found ? LATCH_OK : latch_refuse(cx, LATCH_MISSING, "no such category");
}

typedef struct listing {
    latch_ctx *cx;
    latch_json nodes;
} listing;

static latch_status list_node(latch_ctx *cx, void *arg, const latch_dynamodb_node *node) {
    listing *l = arg;
    latch_str id, name;
    (void)cx; /* its memory goes with the node; the list's is the request's */
    LATCH_TRY(latch_read(node->item, "id", &id, "name", &name));
    l->nodes = latch_append(
        l->nodes, latch_object(l->cx, "id", latch_copy(l->cx, id), "name", latch_copy(l->cx, name), "depth", latch_int(node->depth)));
    return LATCH_OK;
}

latch_status get_categories(latch_ctx *cx, latch_http *http) {
    listing l = {cx, latch_array(cx)};
    LATCH_TRY(categories_read(cx, latch_http_param(http, "id"), list_node, &l));
    return latch_http_reply(http, 200, latch_object(cx, "categories", l.nodes));
}
