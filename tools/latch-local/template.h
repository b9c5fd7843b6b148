/*
 * template.h - what latch-local needs of a SAM or CloudFormation template: functions, their settings and their routes.
 *
 * Values are what they are at a desk: plain text, a parameter's Default, AWS::Region and its like, and !Sub over those. What only a
 * deployment knows (!Ref of a resource, !GetAtt, !ImportValue …) is left out, so that a table's name isn't made up.
 * Globals.Function is merged in. Source: AWS SAM's specification of AWS::Serverless::Function, HttpApi and FunctionUrlConfig.
 */
#ifndef LATCH_LOCAL_TEMPLATE_H
#define LATCH_LOCAL_TEMPLATE_H

#include "buffer.h"
#include "core/status.h"

typedef struct latch_variable {
    char *name, *value;
} latch_variable;

typedef struct latch_variables {
    latch_variable *items;
    size_t count;
} latch_variables;

void latch_variables_set(latch_variables *list, latch_str name, latch_str value); /* copies; replaces one of that name */
void latch_variables_remove(latch_variables *list, const char *name);             /* nothing where there is none */
const char *latch_variables_get(const latch_variables *list, const char *name);   /* NULL where there is none */
void latch_variables_clean_up(latch_variables *list);

typedef struct latch_function {
    char *id;      /* of the resource: "Api" */
    char *name;    /* FunctionName, else id */
    char *handler; /* what _HANDLER gets; Handler, else id */
    int64_t timeout_ms;
    int64_t memory_mb;
    latch_variables variables;
    bool has_url; /* FunctionUrlConfig */
    bool streams; /* its InvokeMode: RESPONSE_STREAM */
} latch_function;

typedef struct latch_route {
    char *method;    /* "GET"; "ANY" */
    char *path;      /* "/products/{sku}"; NULL: $default */
    size_t function; /* its index */
} latch_route;

typedef struct latch_template {
    latch_function *functions;
    size_t function_count;
    latch_route *routes;
    size_t route_count;
} latch_template;

#define LATCH_NO_FUNCTION SIZE_MAX

/*
 * LATCH_E_INPUT: it can't be read, is no YAML or no template: "template.yaml:3:7: …". clean_up either way.
 * region: what AWS::Region is.
 */
latch_status latch_template_load(latch_template *t, const char *path, const char *region, latch_err *err);
latch_status latch_template_parse(latch_template *t, const char *path, latch_str text, const char *region, latch_err *err);
void latch_template_clean_up(latch_template *t);

/* A function with the defaults of Lambda, whose id, name and handler are `name`. Its index. */
size_t latch_template_add_function(latch_template *t, const char *name);

/* By id, name or handler; LATCH_NO_FUNCTION. */
size_t latch_template_find(const latch_template *t, const char *name);

#endif
