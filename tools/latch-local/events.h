/*
 * events.h - the events to be played, and the functions they are for.
 *
 * An event is a file, a folder of *.json (in the order of their names), "-" for standard input, or a name: NAME is events/NAME.json.
 * Its function is the one whose handler begins the file's name, "api-checkout.json" that of the handler "api"; the longest wins.
 */
#ifndef LATCH_LOCAL_EVENTS_H
#define LATCH_LOCAL_EVENTS_H

#include "expect.h"
#include "template.h"

typedef struct latch_event {
    char *path;
    char *name; /* "api-checkout" */
    latch_buffer bytes;
    latch_expect expect; /* .doc is NULL where nothing is expected */
    size_t function;     /* in the template */
} latch_event;

typedef struct latch_events {
    latch_event *items;
    size_t count;
} latch_events;

typedef struct latch_events_from {
    char *const *paths;
    size_t path_count;
    const char *folder;   /* where a NAME is looked for */
    const char *expect;   /* folder of expectations; NULL: expect/ beside each event */
    const char *function; /* for all of them; NULL: by their names */
} latch_events_from;

/* LATCH_E_INPUT, LATCH_E_MISUSE: what is wrong with which, and what to do. clean_up either way. */
latch_status latch_events_load(latch_events *events, const latch_events_from *from, const latch_template *t, latch_err *err);
void latch_events_clean_up(latch_events *events);

/* The function that a file of this name is for; LATCH_NO_FUNCTION. A template's only function gets everything. */
size_t latch_events_function(const latch_template *t, const char *name);

#endif
