/*
 * routes.h - which function answers a request: an HTTP API's routes.
 *
 * {name} is one segment, {proxy+} the rest of the path (one segment or more); the most specific route wins: segment by segment a literal
 * goes before {name} before {proxy+}, then a method before ANY; $default is last. Source: API Gateway's HTTP API routing documentation.
 */
#ifndef LATCH_LOCAL_ROUTES_H
#define LATCH_LOCAL_ROUTES_H

#include "template.h"

#define LATCH_NO_ROUTE SIZE_MAX

/* Its index, and the path's parameters, decoded. `path` is as sent, without the query. */
size_t latch_routes_find(const latch_template *t, const char *method, latch_str path, latch_variables *params);

#endif
