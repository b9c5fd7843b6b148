/* template_value.h - what a template's value is at a desk: text, a parameter's Default, a pseudo parameter, !Sub over those. */
#ifndef LATCH_LOCAL_TEMPLATE_VALUE_H
#define LATCH_LOCAL_TEMPLATE_VALUE_H

#include "yaml_tree.h"

/* Appends the value to *out. False, and nothing appended, where only a deployment knows it. */
bool latch_template_value(latch_yaml *y, int node, const char *region, latch_buffer *out);

#endif
