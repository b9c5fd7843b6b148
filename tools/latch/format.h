/* format.h - a table's schema as the text that a template or a tool takes. */
#ifndef LATCH_TOOL_FORMAT_H
#define LATCH_TOOL_FORMAT_H

#include "core/text.h"
#include "store/schema.h"

/* Writes it behind what is there; what fails it (t->failed) is told by whoever ends the text. */
typedef void latch_format_fn(latch_text_writer *t, latch_ctx *cx, const char *table, const latch_dynamodb_schema *schema);

latch_format_fn latch_format_cloudformation; /* a template of its own, YAML; its resource goes into any other */
latch_format_fn latch_format_terraform;
latch_format_fn latch_format_cdk;     /* TypeScript */
latch_format_fn latch_format_aws_cli; /* a shell script */
latch_format_fn latch_format_json;    /* {"CreateTable": request, "UpdateTimeToLive": request, "UpdateContinuousBackups": request} */

/* NULL: there is none of this name; `names` has all of them then, for a message. */
latch_format_fn *latch_format_find(const char *name, const char **names);

/* Texts one after the other, the last is NULL. For the formats. */
void latch_format_put(latch_text_writer *t, ...) __attribute__((sentinel));
void latch_format_quoted(latch_text_writer *t, const char *s); /* as JSON's strings; YAML and TypeScript read those too */

#endif
