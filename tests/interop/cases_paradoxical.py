"""Key-value tables, sets, counters, attempts, do-once and locks, in the tables of @paradoxical-io/common-aws, in both directions. The library is
on no registry: paradoxical.py makes its requests."""
import time
from concurrent.futures import ThreadPoolExecutor

import paradoxical
from world import PARADOXICAL_KEYS, PARADOXICAL_PARTITIONED, must, ok, same

VALUES = ["text ü 😀", 0, -1.5, True, [], {}, {"b": [1, {"c": None}], "a": "x"}]


def keys(w):
    return w.table("keys", PARADOXICAL_KEYS)


def partitioned(w):
    return w.table("partitioned", PARADOXICAL_PARTITIONED)


def kv(w, do, key="", status="OK", name="global", **more):
    return ok(w.latch("kv", do, {"name": name, "paradoxical_table": keys(w)}, key, **more), status)


def pkv(w, do, partition, sort="", status="OK", name="", **more):
    return ok(w.latch("pkv", do, {"name": name, "paradoxical_table": partitioned(w)}, partition, sort=sort, **more), status)


def counter(w, do, key, status="OK", policy=None, **more):
    return ok(w.latch("counter", do, {"name": "stock", "paradoxical_table": keys(w), **(policy or {})}, key, **more), status)


def pcounter(w, do, partition, sort, status="OK", **more):
    return ok(w.latch("pcounter", do, {"name": "", "paradoxical_table": partitioned(w)}, partition, sort=sort, **more), status)


def their_kv(w, namespace="global"):
    return paradoxical.KeyValueTable(w.db.Table(keys(w)), namespace)


def their_pkv(w, namespace=""):
    return paradoxical.PartitionedKeyValueTable(w.db.Table(partitioned(w)), namespace)


# ── key-value ──

def kv_both_ways(w):
    for value in VALUES:
        ours, theirs = w.key(), w.key()
        kv(w, "set", ours, value=value)
        same(their_kv(w).get(ours), value)
        their_kv(w).set(theirs, value)
        same(kv(w, "get", theirs)["value"], value)


def kv_without_a_namespace_has_bare_keys(w):
    ours, theirs = w.key("a#b%"), w.key("a.b")
    kv(w, "set", ours, name="", value=1)
    same(their_kv(w, "").get(ours), 1)
    their_kv(w, "").set(theirs, 2)
    same(kv(w, "get", theirs, name="")["value"], 2)


def kv_deleted_either_way(w):
    ours, theirs = w.key(), w.key()
    kv(w, "set", ours, value=1)
    their_kv(w).delete(ours)
    kv(w, "get", ours, "Missing")
    their_kv(w).set(theirs, 1)
    kv(w, "delete", theirs)
    same(their_kv(w).get(theirs), None)


def kv_batch_of_both_in_order(w):
    ours, theirs, none = w.key(), w.key(), w.key()
    kv(w, "set", ours, value=1)
    their_kv(w).set(theirs, 2)
    found = kv(w, "get_batch", keys=[theirs, none, ours, theirs])
    same([(e["found"], e["value"]) for e in found], [(True, 2), (False, None), (True, 1), (True, 2)])


def kv_list_is_of_its_namespace(w):
    name = w.key("ns")
    kv(w, "set", "ours", name=name, value=1)
    their_kv(w, name).set("theirs", 2)
    their_kv(w, name + "x").set("other", 3)
    found = kv(w, "list", name=name)["entries"]
    same({e["key"]: e["value"] for e in found}, {"ours": 1, "theirs": 2})
    same(their_kv(w, name).list_all()[f"{name}.ours"], 1)


# ── partitioned ──

def pkv_both_ways(w):
    for name in ("", "ns"):
        for value in VALUES:
            partition, ours, theirs = w.key("p"), w.key(), w.key()
            pkv(w, "set", partition, ours, name=name, value=value)
            same(their_pkv(w, name).get(partition, ours), value)
            their_pkv(w, name).set(partition, theirs, value)
            same(pkv(w, "get", partition, theirs, name=name)["value"], value)


def pkv_set_if_not_exists_either_way(w):
    partition, ours, theirs = w.key("p"), w.key(), w.key()
    pkv(w, "set_if_not_exists", partition, ours, value=1)
    same(their_pkv(w).set_if_not_exists(partition, ours, 2), False)
    same(their_pkv(w).set_if_not_exists(partition, theirs, 1), True)
    pkv(w, "set_if_not_exists", partition, theirs, "Conflict", value=2)
    same([their_pkv(w).get(partition, k) for k in (ours, theirs)], [1, 1])


def pkv_lists_hold_both(w):
    partition = w.key("p")
    pkv(w, "set", partition, "ours", value=[1])
    their_pkv(w).set(partition, "theirs", [2])
    their_pkv(w).incr(partition, "visits", 3)
    same({e["key"]: e["value"] for e in pkv(w, "list", partition)["entries"]}, {"ours": [1], "theirs": [2], "visits": 3})
    same(their_pkv(w).list_all(partition), {"ours": "[1]", "theirs": "[2]", "visits": "3"})
    same(pkv(w, "clear", partition)["deleted"], 3)
    same(their_pkv(w).list_all(partition), {})


def pkv_exists_and_is_deleted_either_way(w):
    partition, ours, theirs = w.key("p"), w.key(), w.key()
    pkv(w, "set", partition, ours, value=1)
    same(their_pkv(w).exists(partition, ours), True)
    their_pkv(w).delete(partition, ours)
    same(pkv(w, "exists", partition, ours)["exists"], False)
    their_pkv(w).set(partition, theirs, 1)
    same(pkv(w, "exists", partition, theirs)["exists"], True)
    pkv(w, "delete", partition, theirs)
    same(their_pkv(w).exists(partition, theirs), False)


# ── sets ──

def sets_grow_from_both_sides(w):
    partition, key = w.key("p"), w.key()
    same(their_pkv(w).add_to_set(partition, key, "a", {"x": 1, "y": 2}), True)
    change = pkv(w, "add_to_set", partition, key, value=["b", {"y": 2, "x": 1}])
    same([change["added"], change["present"], change["size"]], [1, 1, 3])
    same(their_pkv(w).add_to_set(partition, key, "b"), False)
    same(their_pkv(w).add_to_set(partition, key, "c"), True)
    same(their_pkv(w).get(partition, key), ["a", {"x": 1, "y": 2}, "b", "c"])
    same(pkv(w, "exists_in_set", partition, key, value="c")["exists"], True)


def sets_shrink_from_both_sides(w):
    partition, key = w.key("p"), w.key()
    pkv(w, "add_to_set", partition, key, value=["a", "b", "c"])
    same(their_pkv(w).remove_from_set(partition, key, "b"), True)
    change = pkv(w, "remove_from_set", partition, key, value=["c", "b"])
    same([change["removed"], change["absent"], change["size"]], [1, 1, 1])
    same([their_pkv(w).exists_in_set(partition, key, e) for e in "abc"], [True, False, False])


def sets_are_updated_from_both_sides(w):
    partition, key = w.key("p"), w.key()
    their_pkv(w).add_to_set(partition, key, {"id": "1", "n": 1}, {"id": "2", "n": 1})
    pkv(w, "update_in_set", partition, key, value={"id": "1", "n": 2})
    same(their_pkv(w).get(partition, key), [{"id": "2", "n": 1}, {"id": "1", "n": 2}])
    their_pkv(w).update_in_set(partition, key, {"id": "2", "n": 2}, lambda e: e["id"] == "2")
    same(pkv(w, "get", partition, key)["value"], [{"id": "1", "n": 2}, {"id": "2", "n": 2}])
    pkv(w, "update_in_set", partition, w.key(), "Missing", value={"id": "1"})


def sets_without_a_hash_are_taken_over(w):
    """What their plain set wrote has no md5."""
    partition, key = w.key("p"), w.key()
    their_pkv(w).set(partition, key, ["a"])
    same(pkv(w, "add_to_set", partition, key, value="b")["size"], 2)
    same(their_pkv(w).add_to_set(partition, key, "c"), True)
    same(their_pkv(w).get(partition, key), ["a", "b", "c"])


def sets_lose_nothing_between_both(w):
    """Of elements that both add at the same time none is lost."""
    partition, key, each = w.key("p"), w.key(), 25
    their_pkv(w).add_to_set(partition, key, "first")

    def add_theirs():
        for i in range(each):
            their_pkv(w).add_to_set(partition, key, f"theirs {i}")

    with ThreadPoolExecutor(1) as pool:
        theirs = pool.submit(add_theirs)
        for i in range(each):
            while w.latch("pkv", "add_to_set", {"name": "", "paradoxical_table": partitioned(w)}, partition, sort=key,
                          value=f"ours {i}")["status"] == "Conflict":
                pass
        theirs.result()
    found = their_pkv(w).get(partition, key)
    same([len(found), len(set(found))], [2 * each + 1, 2 * each + 1])


# ── counters ──

def counters_count_together(w):
    key, theirs = w.key(), paradoxical.KeyValueCounter(w.db.Table(keys(w)), "stock")
    same(theirs.incr(key, 5), 5)
    same(counter(w, "add", key, by=-2)["count"], 3)
    same(counter(w, "add", key, by=4, policy={"exact": True})["count"], 7)
    same(theirs.get(key), 7)
    same(counter(w, "get", key), {"count": 7, "found": True})


def counters_keep_their_bounds(w):
    key, theirs = w.key(), paradoxical.KeyValueCounter(w.db.Table(keys(w)), "stock")
    theirs.incr(key, 2)
    least = {"has_least": True, "least": 0}
    counter(w, "add", key, "Limited", by=-3, policy=least)
    same(counter(w, "add", key, by=-2, policy=least)["count"], 0)
    same(theirs.incr(key, -1), -1)  # they know no bound
    counter(w, "add", key, "Limited", by=-1, policy=least)
    same(counter(w, "add", key, by=1, policy=least)["count"], 0)


def partitioned_counters_count_together(w):
    partition, key = w.key("p"), w.key()
    same(pcounter(w, "add", partition, key, by=2)["count"], 2)
    same(their_pkv(w).incr(partition, key, 3), 5)
    same(pcounter(w, "get", partition, key), {"count": 5, "found": True})
    pcounter(w, "delete", partition, key)
    same(their_pkv(w).exists(partition, key), False)


def a_value_under_a_counter_keeps_it(w):
    key = w.key()
    kv(w, "set", key, name="stock", value={"a": 1})
    counter(w, "add", key, by=3)
    kv(w, "set", key, name="stock", value={"a": 2})
    theirs = paradoxical.KeyValueCounter(w.db.Table(keys(w)), "stock")
    same([theirs.get(key), their_kv(w, "stock").get(key)], [3, {"a": 2}])


# ── do-once ──

def once(w, user, action, status="OK", do="do", **work):
    return ok(w.latch("once", do, {"name": "once", "work": True, "paradoxical_table": partitioned(w)}, f"{user}#{action}", payload=None, work=work), status)


def manager(w):
    return paradoxical.DoOnceManager(w.db.Table(partitioned(w)))


def done_here_is_done_there(w):
    user = w.key("user")
    before = int(time.time() * 1000)
    same(once(w, user, "welcome", result=1)["did"], True)
    same(manager(w).do_once(user, "welcome", lambda: must(False, "done twice"))["did"], False)
    must(before - 5000 < manager(w).have_already_done(user, "welcome") < before + 10000, "the marker is no time")


def done_there_is_done_here(w):
    user = w.key("user")
    same(manager(w).do_once(user, "welcome", lambda: 1)["did"], True)
    out = once(w, user, "welcome", result=2)
    must(not out["did"] and out["worked"] is None, out)
    same(once(w, user, "other", result=2)["did"], True)


def cleared_either_way(w):
    user = w.key("user")
    once(w, user, "welcome", result=1)
    manager(w).clear(user, "welcome")
    same(once(w, user, "welcome", result=1)["did"], True)
    once(w, user, "welcome", do="clear")
    same(manager(w).do_once(user, "welcome", lambda: 1)["did"], True)


# ── limited attempt ──

def attempt(w, partition, sort, status="OK", most=3, window_ms=60000, name="login", **more):
    return ok(w.latch("attempts", "take", {"name": name, "max": most, "window_ms": window_ms, "paradoxical_table": partitioned(w)},
                      f"{partition}#{sort}", **more), status)


def their_attempt(w, partition, sort, most=3, validity_ms=60000, name="login", context=None):
    try:
        return paradoxical.LimitedAttempt(their_pkv(w, name)).attempt(partition, sort, most, validity_ms, context)
    except paradoxical.AttemptsError:
        return "refused"


def attempts_count_together(w):
    user = w.key("user")
    same(their_attempt(w, user, "pin", context="first"), "first")
    out = attempt(w, user, "pin", context="second")
    same([out["used"], out["context"]], [2, "first"])
    same(their_attempt(w, user, "pin"), "first")
    attempt(w, user, "pin", "Limited")
    same(their_attempt(w, user, "pin"), "refused")
    attempt(w, w.key("user"), "pin")


def attempts_of_ours_are_refused_there(w):
    user = w.key("user")
    for i in range(3):
        same(attempt(w, user, "pin", context={"n": 1})["used"], i + 1)
    same(their_attempt(w, user, "pin"), "refused")
    same(their_attempt(w, user, "pin", most=4), {"n": 1})


def windows_of_theirs_end_here(w):
    user = w.key("user")
    their_pkv(w, "login").set(user, "pin", {"created": int(time.time() * 1000) - 61000, "attempts": 3})
    same(attempt(w, user, "pin")["used"], 1)
    their_pkv(w, "login").set(user, "pin", {"created": int(time.time() * 1000) - 61000, "attempts": 3})
    same(their_attempt(w, user, "pin", context="new"), "new")
    same(attempt(w, user, "pin")["context"], "new")


def a_window_of_theirs_is_cleared_here(w):
    user = w.key("user")
    for _ in range(3):
        out = attempt(w, user, "pin")
    ok(w.latch("attempts", "clear", {"name": "login", "max": 3, "window_ms": 60000, "paradoxical_table": partitioned(w)}, f"{user}#pin",
               window=out["window"], created_at_ms=out["created_at_ms"]))
    same(their_attempt(w, user, "pin", context="again"), "again")


CASES = [kv_both_ways, kv_without_a_namespace_has_bare_keys, kv_deleted_either_way, kv_batch_of_both_in_order, kv_list_is_of_its_namespace,
         pkv_both_ways, pkv_set_if_not_exists_either_way, pkv_lists_hold_both, pkv_exists_and_is_deleted_either_way, sets_grow_from_both_sides,
         sets_shrink_from_both_sides, sets_are_updated_from_both_sides, sets_without_a_hash_are_taken_over, sets_lose_nothing_between_both,
         counters_count_together, counters_keep_their_bounds, partitioned_counters_count_together, a_value_under_a_counter_keeps_it,
         done_here_is_done_there, done_there_is_done_here, cleared_either_way, attempts_count_together, attempts_of_ours_are_refused_there,
         windows_of_theirs_end_here, a_window_of_theirs_is_cleared_here]
COUNT = 25
RACES = ["sets_lose_nothing_between_both"]
TWINS = [
    ("data is called value", [('"data"', '"value"')], ["kv_both_ways", "pkv_both_ways"]),
    ("keys have no namespace", [("global.", "globe.")], ["kv_both_ways", "kv_deleted_either_way"]),
    ("count is called n", [('"count"', '"n"')], ["counters_count_together", "partitioned_counters_count_together"]),
    ("md5 is not written", [('"md5"', '"md6"')], ["sets_lose_nothing_between_both"]),
    ("attempts is called tries", [('\\"attempts\\"', '\\"tries\\"')], ["attempts_count_together", "attempts_of_ours_are_refused_there"]),
    ("the marker is another", [("do_once.", "once.")], ["done_here_is_done_there", "done_there_is_done_here"]),
]
