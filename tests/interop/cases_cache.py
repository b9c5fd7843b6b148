"""The cache, with npm's toolkit: values, what is undefined, null, times to live, tags, in both directions."""
import time

from world import TOOLKIT, must, ok, same

UNDEFINED = {"$undefined": True}
VALUES = ["text", "grüße \u0001 \"quoted\" 😀", "", 0, -1.5, 1e21, True, None, [], {}, [1, [None, {"a": []}]], {"b": {"c": "d"}, "a": 1}, "__UNDEFINED__"]


def table(w):
    name = w.table("toolkit", TOOLKIT)
    w.once("cache", lambda: w.node.new("cache", "Cache", tableName=name))
    return name


def policy(w, **more):
    return {"name": "shared", "toolkit_table": table(w), "strong": True, **more}


def get(w, key, status="OK", **more):
    return ok(w.latch("cache", "get", policy(w, **more), key), status)["value"]


def set_value(w, key, value, **more):
    ok(w.latch("cache", "set", policy(w, **more), key, value=value))


def set_tagged(w, key, value, tags, **more):
    ok(w.latch("cache", "set_tagged", policy(w, **more), key, value=value, tags=tags))


def peer(w, method, *args):
    table(w)
    return w.node.do("cache", method, *args)


def values_of_ours_are_read(w):
    for value in VALUES:
        key = w.key()
        set_value(w, key, value)
        same(peer(w, "get", key), value)


def values_of_theirs_are_read(w):
    for value in VALUES:
        key = w.key()
        peer(w, "set", key, value, 60)
        same(get(w, key), value)


def their_undefined_is_remembered_as_missing(w):
    key = w.key()
    peer(w, "set", key, UNDEFINED, 60)
    get(w, key, "Missing")
    # loads nothing either: it is known to be missing
    answer = w.latch("cache", "get", policy(w, load=True), key, work={"result": 1})
    must(answer["status"] == "Missing" and answer["out"]["worked"] is None, answer)


def our_missing_is_their_undefined(w):
    key = w.key()
    ok(w.latch("cache", "get", policy(w, load=True, missing_ttl_ms=60000), key, work={"status": "Missing"}), "Missing")
    same(w.item(table(w), pk=f"CACHE#{key}", sk=f"CACHE#{key}")["value"], "__UNDEFINED__")
    same(peer(w, "get", key), UNDEFINED)


def keys_with_separators_are_the_same_keys(w):
    for key in (w.key("a#b"), w.key("50%"), w.key("ü 😀"), w.key("%23")):
        set_value(w, key, key)
        same(peer(w, "get", key), key)
        peer(w, "set", key, [key], 60)
        same(get(w, key), [key])


def ours_that_never_expire_have_no_end_there(w):
    key = w.key()
    set_value(w, key, 1, ttl_ms=-1)
    same(int(w.item(table(w), pk=f"CACHE#{key}", sk=f"CACHE#{key}")["ttl"]), 0)
    same(peer(w, "get", key), 1)


def theirs_with_a_ttl_of_0_never_expire_here(w):
    key = w.key()
    peer(w, "set", key, 1, 0)
    same(get(w, key), 1)


def theirs_with_a_negative_ttl_have_expired_here(w):
    key = w.key()
    peer(w, "set", key, 1, -5)
    get(w, key, "Missing")


def ours_expire_there(w):
    key = w.key()
    set_value(w, key, 1)
    w.set(table(w), {"pk": f"CACHE#{key}", "sk": f"CACHE#{key}"}, ttl=int(time.time()) - 1)
    same(peer(w, "get", key), UNDEFINED)


def theirs_expire_here(w):
    key = w.key()
    peer(w, "set", key, 1, 60)
    w.set(table(w), {"pk": f"CACHE#{key}", "sk": f"CACHE#{key}"}, ttl=int(time.time()) - 1)
    get(w, key, "Missing")
    must(w.item(table(w), pk=f"CACHE#{key}", sk=f"CACHE#{key}") is not None, "a get deleted")


def either_ttl_ends_at_the_same_second(w):
    ours, theirs = w.key(), w.key()
    before = int(time.time())
    set_value(w, ours, 1, ttl_ms=60000)
    peer(w, "set", theirs, 1, 60)
    ends = [int(w.item(table(w), pk=f"CACHE#{key}", sk=f"CACHE#{key}")["ttl"]) for key in (ours, theirs)]
    must(all(before + 60 <= end <= before + 64 for end in ends), ends, before)


def a_fraction_of_a_second_in_their_ttl_is_read(w):
    key = w.key()
    peer(w, "set", key, 1, 60.5)
    same(get(w, key), 1)


def a_deletion_here_shows_there(w):
    key = w.key()
    peer(w, "set", key, 1, 60)
    ok(w.latch("cache", "delete", policy(w), key))
    same(peer(w, "get", key), UNDEFINED)


def a_deletion_there_shows_here(w):
    key = w.key()
    set_value(w, key, 1)
    peer(w, "delete", key)
    get(w, key, "Missing")


def either_overwrites_the_other(w):
    key = w.key()
    set_value(w, key, 1)
    peer(w, "set", key, 2, 60)
    same(get(w, key), 2)
    set_value(w, key, 3)
    same(peer(w, "get", key), 3)


def tags_of_theirs_are_invalidated_here(w):
    tag, keys = w.key("tag"), [w.key() for _ in range(3)]
    for key in keys:
        peer(w, "setWithTags", key, key, 60, [tag, w.key("tag")])
    same(ok(w.latch("cache", "invalidate", policy(w), tags=[tag]))["removed"], 3)
    same([peer(w, "get", key) for key in keys], [UNDEFINED] * 3)


def tags_of_ours_are_invalidated_there(w):
    tag, keys, other = w.key("tag"), [w.key() for _ in range(3)], w.key()
    for key in keys:
        set_tagged(w, key, key, [tag, w.key("tag")])
    set_tagged(w, other, 1, [w.key("tag")])
    same(peer(w, "invalidateByTag", tag), 3)
    for key in keys:
        get(w, key, "Missing")
    same(get(w, other), 1)


def several_tags_of_both_count_each_entry_once(w):
    first, second, ours, theirs = w.key("tag"), w.key("tag"), w.key(), w.key()
    set_tagged(w, ours, 1, [first, second])
    peer(w, "setWithTags", theirs, 2, 60, [first, second])
    same(ok(w.latch("cache", "invalidate", policy(w), tags=[first, second]))["removed"], 2)
    same([peer(w, "get", key) for key in (ours, theirs)], [UNDEFINED] * 2)


def several_tags_of_both_count_once_there_too(w):
    first, second, ours, theirs = w.key("tag"), w.key("tag"), w.key(), w.key()
    set_tagged(w, ours, 1, [first, second])
    peer(w, "setWithTags", theirs, 2, 60, [first, second])
    same(peer(w, "invalidateByTags", [first, second]), 2)
    for key in (ours, theirs):
        get(w, key, "Missing")


def an_entry_without_its_tag_any_more_stays(w):
    tag, key = w.key("tag"), w.key()
    set_tagged(w, key, 1, [tag])
    set_tagged(w, key, 2, [w.key("tag")])
    same(ok(w.latch("cache", "invalidate", policy(w), tags=[tag]))["removed"], 0)
    same(peer(w, "get", key), 2)


def an_unreadable_value_is_a_miss(w):
    key = w.key()
    peer(w, "set", key, 1, 60)
    w.set(table(w), {"pk": f"CACHE#{key}", "sk": f"CACHE#{key}"}, value="{half")
    get(w, key, "Missing")


def too_large_a_value_is_told_and_the_old_one_stays(w):
    key = w.key()
    peer(w, "set", key, "old", 60)
    ok(w.latch("cache", "set", policy(w), key, value="x" * (391 * 1024)), "Misuse")
    same(peer(w, "get", key), "old")


def what_one_loads_the_other_reads(w):
    key = w.key()
    answer = w.latch("cache", "get", policy(w, load=True), key, work={"result": {"n": [1]}})
    must(ok(answer)["worked"]["runs"] == 1, answer)
    same(peer(w, "get", key), {"n": [1]})


def clear_by_scope_takes_both(w):
    scope = w.key("scope")
    set_value(w, f"{scope}/a", 1)
    peer(w, "set", f"{scope}/b", 1, 60)
    outside = w.key()
    peer(w, "set", outside, 1, 60)
    must(ok(w.latch("cache", "clear", policy(w), sweep={"scope": scope + "/"}))["removed"] == 2, "not both were removed")
    same([peer(w, "get", key) for key in (f"{scope}/a", f"{scope}/b", outside)], [UNDEFINED, UNDEFINED, 1])


def their_clear_by_scope_takes_ours(w):
    scope = w.key("scope")
    set_value(w, f"{scope}/a", 1)
    peer(w, "clear", scope)
    get(w, f"{scope}/a", "Missing")


CASES = [values_of_ours_are_read, values_of_theirs_are_read, their_undefined_is_remembered_as_missing, our_missing_is_their_undefined,
         keys_with_separators_are_the_same_keys, ours_that_never_expire_have_no_end_there, theirs_with_a_ttl_of_0_never_expire_here,
         theirs_with_a_negative_ttl_have_expired_here, ours_expire_there, theirs_expire_here, either_ttl_ends_at_the_same_second,
         a_fraction_of_a_second_in_their_ttl_is_read, a_deletion_here_shows_there, a_deletion_there_shows_here, either_overwrites_the_other,
         tags_of_theirs_are_invalidated_here, tags_of_ours_are_invalidated_there, several_tags_of_both_count_each_entry_once,
         several_tags_of_both_count_once_there_too, an_entry_without_its_tag_any_more_stays, an_unreadable_value_is_a_miss,
         too_large_a_value_is_told_and_the_old_one_stays, what_one_loads_the_other_reads, clear_by_scope_takes_both,
         their_clear_by_scope_takes_ours]
COUNT = 25
TWINS = [
    ("value is called val", [('"value"', '"val"')], ["values_of_ours_are_read", "values_of_theirs_are_read"]),
    ("keys begin otherwise", [("CACHE#", "CACHED#")], ["values_of_ours_are_read", "a_deletion_there_shows_here"]),
    ("undefined is written otherwise", [("__UNDEFINED__", "__MISSING__")], ["their_undefined_is_remembered_as_missing", "our_missing_is_their_undefined"]),
    ("ttl is called expires", [('"ttl"', '"expires"')], ["either_ttl_ends_at_the_same_second", "theirs_expire_here"]),
    ("tags are kept elsewhere", [("TAG#", "LABEL#")], ["tags_of_theirs_are_invalidated_here", "tags_of_ours_are_invalidated_there"]),
]
