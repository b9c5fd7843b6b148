#include "template.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "template_value.h"

#define TEMPLATE_BYTES ((size_t)4 * 1024 * 1024) /* CloudFormation takes 1 MB */
#define DEFAULT_TIMEOUT_MS INT64_C(3000)
#define DEFAULT_MEMORY_MB INT64_C(128)

typedef struct reading { /* what every step of it needs */
    latch_yaml yaml;
    const char *region;
    latch_template *out;
    latch_err *err;
} reading;

/* ── variables ── */

void latch_variables_set(latch_variables *list, latch_str name, latch_str value) {
    for (size_t i = 0; i < list->count; i++)
        if (latch_str_eq(name, latch_str_of(list->items[i].name))) {
            free(list->items[i].value);
            list->items[i].value = latch_copy(value);
            return;
        }
    list->items = latch_realloc(list->items, (list->count + 1) * sizeof *list->items);
    list->items[list->count++] = (latch_variable){latch_copy(name), latch_copy(value)};
}

void latch_variables_remove(latch_variables *list, const char *name) {
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i].name, name) != 0) continue;
        free(list->items[i].name);
        free(list->items[i].value);
        memmove(&list->items[i], &list->items[i + 1], (--list->count - i) * sizeof *list->items);
        return;
    }
}

const char *latch_variables_get(const latch_variables *list, const char *name) {
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].name, name) == 0) return list->items[i].value;
    return NULL;
}

void latch_variables_clean_up(latch_variables *list) {
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i].name);
        free(list->items[i].value);
    }
    free(list->items);
    *list = (latch_variables){0};
}

/* ── one property ── */

static latch_status complain(const reading *r, int node, const char *what) {
    latch_yaml *y = (latch_yaml *)(uintptr_t)&r->yaml;
    return latch_err_set(r->err, LATCH_E_INPUT, "%s:%zu:%zu: %s", y->path, latch_yaml_line(y, node), latch_yaml_column(y, node), what);
}

/* Its text, the caller's to free; NULL where it is absent or only a deployment knows it. */
static char *text_of(reading *r, int node) {
    latch_buffer text = {0};
    if (!latch_template_value(&r->yaml, node, r->region, &text)) {
        latch_buffer_clean_up(&text);
        return NULL;
    }
    latch_buffer_add(&text, "", 0);
    return text.ptr;
}

/* The function's own property, else Globals.Function's. */
static int property(reading *r, int properties, const char *name) {
    int own = latch_yaml_get(&r->yaml, properties, name);
    int globals = latch_yaml_get(&r->yaml, latch_yaml_get(&r->yaml, latch_yaml_root(&r->yaml), "Globals"), "Function");
    return own != 0 ? own : latch_yaml_get(&r->yaml, globals, name);
}

static latch_status number(reading *r, int node, const char *what, int64_t min, int64_t max, int64_t *out) {
    char *text = text_of(r, node), *end = NULL;
    if (text == NULL) return LATCH_OK;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    bool ok = errno == 0 && end != text && *end == '\0' && value >= min && value <= max;
    if (ok) *out = value;
    char *message =
        ok ? NULL : latch_format("%s is \"%.40s\", want a whole number from %lld to %lld", what, text, (long long)min, (long long)max);
    latch_status status = ok ? LATCH_OK : complain(r, node, message);
    free(message);
    free(text);
    return status;
}

/* ── functions ── */

static latch_status add_variables(reading *r, int environment, latch_variables *out) {
    int list = latch_yaml_get(&r->yaml, environment, "Variables"), key, value;
    if (list != 0 && !latch_yaml_is_mapping(&r->yaml, list)) return complain(r, list, "Variables is no mapping of names to values");
    for (size_t i = 0; latch_yaml_pair(&r->yaml, list, i, &key, &value); i++) {
        latch_str name = latch_yaml_text(&r->yaml, key);
        char *text = text_of(r, value);
        bool is_usable = name.len > 0 && memchr(name.ptr, '=', name.len) == NULL && strlen(name.ptr) == name.len;
        if (is_usable && text != NULL) latch_variables_set(out, name, latch_str_of(text));
        free(text);
        if (!is_usable) return complain(r, key, "this is no name of a variable");
    }
    return LATCH_OK;
}

static void add_log_settings(reading *r, int logging, latch_variables *out) {
    char *format = text_of(r, latch_yaml_get(&r->yaml, logging, "LogFormat"));
    char *level = text_of(r, latch_yaml_get(&r->yaml, logging, "ApplicationLogLevel"));
    if (format != NULL)
        latch_variables_set(out, LATCH_STR("AWS_LAMBDA_LOG_FORMAT"), latch_str_of(strcmp(format, "JSON") == 0 ? "JSON" : "TEXT"));
    if (level != NULL) latch_variables_set(out, LATCH_STR("AWS_LAMBDA_LOG_LEVEL"), latch_str_of(level));
    free(format);
    free(level);
}

static void replace(char **at, char *text) {
    if (text == NULL) return;
    free(*at);
    *at = text;
}

size_t latch_template_add_function(latch_template *t, const char *name) {
    t->functions = latch_realloc(t->functions, (t->function_count + 1) * sizeof *t->functions);
    latch_str s = latch_str_of(name);
    t->functions[t->function_count] = (latch_function){.id = latch_copy(s),
                                                       .name = latch_copy(s),
                                                       .handler = latch_copy(s),
                                                       .timeout_ms = DEFAULT_TIMEOUT_MS,
                                                       .memory_mb = DEFAULT_MEMORY_MB};
    return t->function_count++;
}

static latch_status read_url(reading *r, int config, latch_function *f) {
    int node = latch_yaml_get(&r->yaml, config, "InvokeMode");
    char *mode = text_of(r, node);
    bool is_known = mode == NULL || strcmp(mode, "BUFFERED") == 0 || strcmp(mode, "RESPONSE_STREAM") == 0;
    f->has_url = config != 0;
    f->streams = mode != NULL && strcmp(mode, "RESPONSE_STREAM") == 0;
    free(mode);
    return is_known ? LATCH_OK : complain(r, node, "InvokeMode is BUFFERED or RESPONSE_STREAM");
}

static latch_status read_settings(reading *r, int properties, latch_function *f) {
    int64_t timeout_s = DEFAULT_TIMEOUT_MS / 1000;
    replace(&f->name, text_of(r, latch_yaml_get(&r->yaml, properties, "FunctionName")));
    replace(&f->handler, text_of(r, property(r, properties, "Handler")));
    LATCH_TRY(number(r, property(r, properties, "Timeout"), "Timeout", 1, 900, &timeout_s));
    LATCH_TRY(number(r, property(r, properties, "MemorySize"), "MemorySize", 128, 10240, &f->memory_mb));
    f->timeout_ms = timeout_s * 1000;
    LATCH_TRY(read_url(r, latch_yaml_get(&r->yaml, properties, "FunctionUrlConfig"), f));
    add_log_settings(r, property(r, properties, "LoggingConfig"), &f->variables);
    int globals = latch_yaml_get(&r->yaml, latch_yaml_get(&r->yaml, latch_yaml_root(&r->yaml), "Globals"), "Function");
    LATCH_TRY(add_variables(r, latch_yaml_get(&r->yaml, globals, "Environment"), &f->variables));
    return add_variables(r, latch_yaml_get(&r->yaml, properties, "Environment"), &f->variables);
}

/* ── routes ── */

static void upper_case(char *s) {
    for (; *s != '\0'; s++)
        if (*s >= 'a' && *s <= 'z') *s = (char)(*s - 'a' + 'A');
}

/* SAM: an HttpApi event without path and method is the $default route. */
static latch_status add_route(reading *r, int event, size_t function) {
    int properties = latch_yaml_get(&r->yaml, event, "Properties"), at = latch_yaml_get(&r->yaml, properties, "Path");
    char *path = text_of(r, at), *method = text_of(r, latch_yaml_get(&r->yaml, properties, "Method"));
    bool is_default = path == NULL || strcmp(path, "$default") == 0;
    if (!is_default && path[0] != '/') {
        free(path), free(method);
        return complain(r, at, "a path begins with /");
    }
    if (is_default) free(path), path = NULL;
    if (method == NULL || strcmp(method, "*") == 0) replace(&method, latch_copy(LATCH_STR("ANY")));
    upper_case(method);
    if (strcmp(method, "X-AMAZON-APIGATEWAY-ANY-METHOD") == 0) replace(&method, latch_copy(LATCH_STR("ANY")));
    latch_template *t = r->out;
    t->routes = latch_realloc(t->routes, (t->route_count + 1) * sizeof *t->routes);
    t->routes[t->route_count++] = (latch_route){method, path, function};
    return LATCH_OK;
}

static latch_status read_routes(reading *r, int events, size_t function) {
    int key, event;
    for (size_t i = 0; latch_yaml_pair(&r->yaml, events, i, &key, &event); i++)
        if (latch_str_eq(latch_yaml_text(&r->yaml, latch_yaml_get(&r->yaml, event, "Type")), LATCH_STR("HttpApi")))
            LATCH_TRY(add_route(r, event, function));
    return LATCH_OK;
}

/* ── the whole ── */

static bool is_function(reading *r, int resource) {
    latch_str type = latch_yaml_text(&r->yaml, latch_yaml_get(&r->yaml, resource, "Type"));
    return latch_str_eq(type, LATCH_STR("AWS::Serverless::Function")) || latch_str_eq(type, LATCH_STR("AWS::Lambda::Function"));
}

static latch_status read_resources(reading *r) {
    int resources = latch_yaml_get(&r->yaml, latch_yaml_root(&r->yaml), "Resources"), key, resource;
    if (resources == 0) return complain(r, latch_yaml_root(&r->yaml), "there are no Resources: is this a SAM or CloudFormation template?");
    if (!latch_yaml_is_mapping(&r->yaml, resources)) return complain(r, resources, "Resources is no mapping of names to resources");
    for (size_t i = 0; latch_yaml_pair(&r->yaml, resources, i, &key, &resource); i++) {
        if (!is_function(r, resource)) continue;
        char *id = latch_copy(latch_yaml_text(&r->yaml, key));
        size_t function = latch_template_add_function(r->out, id);
        free(id);
        int properties = latch_yaml_get(&r->yaml, resource, "Properties");
        LATCH_TRY(read_settings(r, properties, &r->out->functions[function]));
        LATCH_TRY(read_routes(r, latch_yaml_get(&r->yaml, properties, "Events"), function));
    }
    if (r->out->function_count > 0) return LATCH_OK;
    return complain(r, resources, "there is no function among the Resources (Type: AWS::Serverless::Function)");
}

latch_status latch_template_parse(latch_template *t, const char *path, latch_str text, const char *region, latch_err *err) {
    reading r = {.region = region, .out = t, .err = err};
    *t = (latch_template){0};
    latch_status status = latch_yaml_parse(&r.yaml, path, text, err);
    if (status == LATCH_OK) status = read_resources(&r);
    latch_yaml_clean_up(&r.yaml);
    return status;
}

latch_status latch_template_load(latch_template *t, const char *path, const char *region, latch_err *err) {
    latch_buffer text = {0};
    *t = (latch_template){0};
    latch_status status = latch_buffer_read_file(&text, path, TEMPLATE_BYTES)
                              ? latch_template_parse(t, path, latch_buffer_str(&text), region, err)
                              : latch_err_set(err, LATCH_E_INPUT, "%s can't be read: %s", path, strerror(errno));
    latch_buffer_clean_up(&text);
    return status;
}

void latch_template_clean_up(latch_template *t) {
    for (size_t i = 0; i < t->function_count; i++) {
        free(t->functions[i].id), free(t->functions[i].name), free(t->functions[i].handler);
        latch_variables_clean_up(&t->functions[i].variables);
    }
    for (size_t i = 0; i < t->route_count; i++)
        free(t->routes[i].method), free(t->routes[i].path);
    free(t->functions);
    free(t->routes);
    *t = (latch_template){0};
}

size_t latch_template_find(const latch_template *t, const char *name) {
    for (size_t i = 0; i < t->function_count; i++)
        if (strcmp(t->functions[i].id, name) == 0 || strcmp(t->functions[i].name, name) == 0) return i;
    for (size_t i = 0; i < t->function_count; i++)
        if (strcmp(t->functions[i].handler, name) == 0) return i;
    return LATCH_NO_FUNCTION;
}
