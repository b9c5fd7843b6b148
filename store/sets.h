/*
 * store/sets.h - sets of JSON values under the keys of store/pkv.h: elements are added, removed and replaced, and none is lost under races.
 *
 *     static const latch_pkv tags = {.name = "tags"};
 *
 *     latch_set_change change;
 *     LATCH_TRY(latch_pkv_add_to_set(cx, &tags, latch_pkv_at(user, LATCH_STR("seen")), sku, NULL, &change));
 *     if (change.added == 0) …                                  it was there already
 *
 * An element is JSON of any kind. Elements are the same where they are equal as JSON: members in any order, numbers by value (1 and 1.0),
 * or where a latch_set_rule says so. The set keeps the order in which they came; an empty one stays, as [].
 *
 * Bound: what a call that returned LATCH_OK added stays until somebody removes it, what it removed is gone until somebody adds it, under
 * any number of callers, lost and late requests. Where the model's own library writes the same item, that holds among Latch's callers and
 * against its set operations, as long as no request of ours comes late: it keeps no `ver`.
 *
 * Item: as in store/pkv.h; `data` is a list. A change is conditioned on the md5 and the ver that were read, and writes new ones. md5 alone
 * would not do: a late request would find the same contents again and bring back what was removed. An item without md5 is conditioned on
 * its data, one that isn't there on that.
 *
 * Requests: 2 a change, 1 where nothing is to be changed; at most 2 more for each time that another comes between, with a pause that
 * grows from the second on, at most LATCH_SET_TRIES_MAX times. 1 to ask. Write units: 1 per KB of the whole set begun, read units 1 per
 * 4 KB. A change takes two round trips, and of those who are at one set at the same time one gets through: it bears as many changes a
 * second as one caller can make one after another, and fewer the more are at it. For counting there is store/counter.h, for many
 * elements a key each.
 *
 * Source: the rule of @paradoxical-io/common-aws PartitionedKeyValueTable (addToSet, removeFromSet, existsInSet, updateInSet), which reads
 * eventually, tries for ever, and goes by md5 alone.
 */
#ifndef LATCH_STORE_SETS_H
#define LATCH_STORE_SETS_H

#include "store/pkv.h"

LATCH_BEGIN_C

#define LATCH_SET_TRIES_MAX 24

/* Whether an element of the set is the one that was given. Called any number of times, also for elements that are another's. */
typedef bool latch_set_same_fn(void *arg, latch_json element, latch_json given);
typedef struct latch_set_rule {
    latch_set_same_fn *same; /* NULL: equal as JSON */
    void *arg;
} latch_set_rule;

typedef bool latch_set_match_fn(void *arg, latch_json element);

typedef struct latch_set_change {
    size_t added, present;  /* of what was to be added: put there, and found there (once each, also where it was given twice) */
    size_t removed, absent; /* elements removed; of what was to be removed, what matched none */
    size_t size;            /* elements in the set now */
    size_t conflicts;       /* how often another came between */
    bool unsure; /* a try of this call got no answer and then another changed the set: it is as asked for, but what counts as present or
                    absent may have been this call's doing */
} latch_set_change;

/*
 * What is given is one element, or many as a list (one that is itself a list goes in a list of one). `rule` may be NULL. `out` is always
 * written; zero but for LATCH_OK.
 *
 * LATCH_OK        it is as asked for: `out` says what was done
 * LATCH_CONFLICT  others changed it each time; with err.maybe_applied, a try got no answer
 * LATCH_E_DATA    what is stored is no list
 * LATCH_E_MISUSE  also: the set would have over 390 KB as JSON
 * Other statuses as in store/kv.h. Whatever isn't LATCH_OK changed nothing, unless err.maybe_applied. Repeating: harmless; a lost reply is
 * repeated inside the call and recognised by `ver`.
 */
#define latch_pkv_add_to_set(cx, pkv, key, given, rule, out) latch_pkv_add_to_set_((cx), (pkv), (key), LATCH_V_(given), (rule), (out))
LATCH_NODISCARD latch_status latch_pkv_add_to_set_(latch_ctx *cx, const latch_pkv *pkv, latch_pkv_key key, latch_value given,
                                                   const latch_set_rule *rule, latch_set_change *out) __attribute__((nonnull(1, 2, 6)));

#define latch_pkv_remove_from_set(cx, pkv, key, given, rule, out)                                                                          \
    latch_pkv_remove_from_set_((cx), (pkv), (key), LATCH_V_(given), (rule), (out))
LATCH_NODISCARD latch_status latch_pkv_remove_from_set_(latch_ctx *cx, const latch_pkv *pkv, latch_pkv_key key, latch_value given,
                                                        const latch_set_rule *rule, latch_set_change *out)
    __attribute__((nonnull(1, 2, 6)));

/* Removes each element that `match` says. */
LATCH_NODISCARD latch_status latch_pkv_remove_from_set_if(latch_ctx *cx, const latch_pkv *pkv, latch_pkv_key key, latch_set_match_fn *match,
                                                          void *arg, latch_set_change *out) __attribute__((nonnull(1, 2, 4, 6)));

/*
 * Removes each element that `match` says (NULL: none) or that equals `given`, and puts `given`, one element, at the end: also where none
 * did. LATCH_MISSING: there is no set; nothing was changed.
 */
#define latch_pkv_update_in_set(cx, pkv, key, given, match, arg, out)                                                                      \
    latch_pkv_update_in_set_((cx), (pkv), (key), LATCH_V_(given), (match), (arg), (out))
LATCH_NODISCARD latch_status latch_pkv_update_in_set_(latch_ctx *cx, const latch_pkv *pkv, latch_pkv_key key, latch_value given,
                                                      latch_set_match_fn *match, void *arg, latch_set_change *out)
    __attribute__((nonnull(1, 2, 7)));

/* Whether `given`, one element, is in the set; false also where there is none. Requests: 1, strongly consistent. */
#define latch_pkv_exists_in_set(cx, pkv, key, given, rule, out) latch_pkv_exists_in_set_((cx), (pkv), (key), LATCH_V_(given), (rule), (out))
LATCH_NODISCARD latch_status latch_pkv_exists_in_set_(latch_ctx *cx, const latch_pkv *pkv, latch_pkv_key key, latch_value given,
                                                      const latch_set_rule *rule, bool *out) __attribute__((nonnull(1, 2, 6)));

LATCH_END_C

#endif
