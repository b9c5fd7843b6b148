#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <yyjson.h>

#include "api_private.h"

#define EXTENSION "/2020-01-01/extension/"
#define RESTORE "/2018-06-01/runtime/restore/"
#define CREDENTIALS_S 3600

/* The caller's to free. */
static char *write_json(yyjson_mut_doc *doc) {
    char *text = yyjson_mut_write(doc, YYJSON_WRITE_ALLOW_INVALID_UNICODE, NULL);
    yyjson_mut_doc_free(doc);
    return text != NULL ? text : latch_copy(LATCH_STR("{}"));
}

static yyjson_mut_doc *start_json(yyjson_mut_val **root) {
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    *root = yyjson_mut_obj(doc);
    yyjson_mut_doc_set_root(doc, *root);
    return doc;
}

static void reply_json_with(latch_exchange *x, const latch_field *more, char *text) {
    const latch_field headers[] = {{"Content-Type", "application/json"}, *more};
    latch_exchange_reply(x, &(latch_reply){.status = 200, .headers = headers, .header_count = 2, .body = latch_str_of(text)});
    free(text);
}

/* ── extensions ── */

/* Of {"events":[…]}: false, and it is refused. */
static bool read_events(latch_exchange *x, bool *invoke) {
    latch_buffer body = latch_exchange_take_body(x);
    yyjson_doc *doc = body.len > 0 ? yyjson_read(body.ptr, body.len, YYJSON_READ_NOFLAG) : NULL;
    yyjson_val *events = yyjson_obj_get(yyjson_doc_get_root(doc), "events"), *event;
    size_t i, n;
    const char *wrong = NULL;
    bool is_object = yyjson_is_obj(yyjson_doc_get_root(doc));
    *invoke = false;
    yyjson_arr_foreach(events, i, n, event) {
        if (yyjson_equals_str(event, "INVOKE"))
            *invoke = true;
        else
            wrong = yyjson_equals_str(event, "SHUTDOWN") ? "SHUTDOWN: ShutdownEventNotSupportedForInternalExtension"
                                                         : "an event that there isn't: ErrorInvalidEventType";
    }
    if (!is_object)
        latch_api_refuse(x, 403, "InvalidRequestFormat", "the body is no JSON object");
    else if (wrong != NULL)
        latch_api_refuse(x, 403, "Extension.InvalidEventType", wrong);
    yyjson_doc_free(doc);
    latch_buffer_clean_up(&body);
    return is_object && wrong == NULL;
}

static bool is_registered(const latch_api *api, const char *name) {
    for (size_t i = 0; i < api->extension_count; i++)
        if (strcmp(api->extensions[i].name, name) == 0) return true;
    return false;
}

static void on_register(latch_api *api, latch_exchange *x) {
    const char *name = latch_exchange_header(x, "Lambda-Extension-Name");
    bool invoke;
    if (name == NULL || *name == '\0') {
        latch_api_refuse(x, 403, "Extension.InvalidExtensionName", "Empty extension name");
        return;
    }
    if (api->served) {
        latch_api_refuse(x, 403, "Extension.RegistrationClosed", "Extension registration closed already");
        return;
    }
    if (is_registered(api, name)) {
        latch_api_refuse(x, 403, "Extension.InvalidExtensionState", "Extension with this name already registered");
        return;
    }
    if (api->extension_count == LATCH_API_EXTENSIONS) {
        latch_api_refuse(x, 403, "Extension.TooManyExtensions", "Extension limit (10) reached");
        return;
    }
    if (!read_events(x, &invoke)) return;
    latch_api_extension *e = &api->extensions[api->extension_count++];
    *e = (latch_api_extension){.name = latch_copy(latch_str_of(name)), .invoke = invoke};
    latch_api_uuid(e->id);
    yyjson_mut_val *root;
    yyjson_mut_doc *doc = start_json(&root);
    yyjson_mut_obj_add_str(doc, root, "functionName", api->config.function_name);
    yyjson_mut_obj_add_str(doc, root, "functionVersion", "$LATEST");
    yyjson_mut_obj_add_str(doc, root, "handler", api->config.handler);
    reply_json_with(x, &(latch_field){"Lambda-Extension-Identifier", e->id}, write_json(doc));
    api->config.on_registered(api->config.arg, e->name);
}

static latch_api_extension *find_extension(latch_api *api, const char *id) {
    for (size_t i = 0; i < api->extension_count; i++)
        if (strcmp(api->extensions[i].id, id) == 0) return &api->extensions[i];
    return NULL;
}

static void on_event_next(latch_api *api, latch_exchange *x) {
    const char *id = latch_exchange_header(x, "Lambda-Extension-Identifier");
    if (id == NULL) {
        latch_api_refuse(x, 403, "Extension.MissingExtensionIdentifier", "Missing Lambda-Extension-Identifier header");
        return;
    }
    latch_api_extension *e = find_extension(api, id);
    if (e == NULL) {
        latch_api_refuse(x, 403, strlen(id) == 36 ? "Extension.UnknownExtensionIdentifier" : "Extension.InvalidExtensionIdentifier",
                         "no extension has this identifier");
        return;
    }
    if (e->waiting != NULL) latch_api_refuse(e->waiting, 403, LATCH_API_INVALID_STATE, "a later request took the place of this one");
    e->waiting = x;
    e->asked = true;
    latch_api_announce(api);
}

void latch_api_life_tell(latch_api *api, const latch_invocation *inv) {
    for (size_t i = 0; i < api->extension_count; i++) {
        latch_api_extension *e = &api->extensions[i];
        if (!e->invoke || e->waiting == NULL) continue;
        yyjson_mut_val *root;
        yyjson_mut_doc *doc = start_json(&root);
        char event_id[37];
        latch_exchange *x = e->waiting;
        e->waiting = NULL;
        latch_api_uuid(event_id);
        yyjson_mut_obj_add_str(doc, root, "eventType", "INVOKE");
        yyjson_mut_obj_add_int(doc, root, "deadlineMs", inv->deadline_at_ms);
        yyjson_mut_obj_add_str(doc, root, "requestId", inv->id);
        yyjson_mut_obj_add_str(doc, root, "invokedFunctionArn", api->config.function_arn);
        reply_json_with(x, &(latch_field){"Lambda-Extension-Event-Identifier", event_id}, write_json(doc));
    }
}

bool latch_api_life_is_ready(const latch_api *api) {
    for (size_t i = 0; i < api->extension_count; i++)
        if (!api->extensions[i].asked) return false;
    return true;
}

bool latch_api_has_extension(const latch_api *api) { return api->extension_count > 0; }

void latch_api_life_begin(latch_api *api) {
    for (size_t i = 0; i < api->extension_count; i++) {
        if (api->extensions[i].waiting != NULL) latch_exchange_hang_up(api->extensions[i].waiting);
        free(api->extensions[i].name);
    }
    api->extension_count = 0;
    if (api->snapshot != NULL) latch_exchange_hang_up(api->snapshot);
    api->snapshot = NULL;
    api->restored = false;
}

/* ── SnapStart ── */

static void on_restore_next(latch_api *api, latch_exchange *x) {
    if (api->snapshot != NULL || api->restored || api->asked || api->init_failed) {
        latch_api_refuse(x, 403, LATCH_API_INVALID_STATE, "the snapshot is taken once, before the first request for an event");
        return;
    }
    api->snapshot = x;
    api->config.on_snapshot(api->config.arg);
}

void latch_api_restore(latch_api *api) {
    latch_exchange *x = api->snapshot;
    if (x == NULL) return;
    api->snapshot = NULL;
    api->restored = true;
    latch_exchange_reply(x, &(latch_reply){.status = 200});
}

static void on_restore_error(latch_api *api, latch_exchange *x) {
    if (!api->restored || api->asked || api->init_failed) {
        latch_api_refuse(x, 403, LATCH_API_INVALID_STATE, "nothing is being restored");
        return;
    }
    latch_api_take_failure(api, x, api->config.on_restore_error);
}

/* Our own, where there are any: a function at a desk that has been restored may go where we may. */
static void on_credentials(latch_api *api, latch_exchange *x) {
    const char *given = latch_exchange_header(x, "Authorization"), *key = getenv("AWS_ACCESS_KEY_ID");
    const char *secret = getenv("AWS_SECRET_ACCESS_KEY"), *session = getenv("AWS_SESSION_TOKEN");
    bool own = key != NULL && secret != NULL && *key != '\0' && *secret != '\0';
    char until[32];
    time_t end = time(NULL) + CREDENTIALS_S;
    struct tm t;
    if (given == NULL || strcmp(given, api->token) != 0) {
        latch_api_refuse(x, 403, "AccessDenied", "Authorization is not AWS_CONTAINER_AUTHORIZATION_TOKEN");
        return;
    }
    gmtime_r(&end, &t);
    strftime(until, sizeof until, "%Y-%m-%dT%H:%M:%SZ", &t);
    yyjson_mut_val *root;
    yyjson_mut_doc *doc = start_json(&root);
    yyjson_mut_obj_add_str(doc, root, "AccessKeyId", own ? key : "local");
    yyjson_mut_obj_add_str(doc, root, "SecretAccessKey", own ? secret : "local");
    yyjson_mut_obj_add_str(doc, root, "Token", own ? (session != NULL ? session : "") : "local");
    yyjson_mut_obj_add_str(doc, root, "Expiration", until);
    char *text = write_json(doc);
    latch_api_json(x, 200, text);
    free(text);
}

/* ── the paths ── */

typedef struct path {
    const char *target;
    bool is_post, snapstart;
    void (*fn)(latch_api *api, latch_exchange *x);
} path;

bool latch_api_life(latch_api *api, latch_exchange *x, const char *target, bool is_post) {
    static const path paths[] = {
        {EXTENSION "register", true, false, on_register},     {EXTENSION "event/next", false, false, on_event_next},
        {RESTORE "next", false, true, on_restore_next},       {RESTORE "error", true, true, on_restore_error},
        {LATCH_API_CREDENTIALS, false, true, on_credentials},
    };
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        if (strcmp(target, paths[i].target) != 0) continue;
        if (paths[i].snapstart && !api->config.snapstart)
            latch_api_no_such_path(x);
        else if (paths[i].is_post != is_post)
            latch_api_wrong_method(x);
        else
            paths[i].fn(api, x);
        return true;
    }
    return false;
}
