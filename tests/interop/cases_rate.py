"""Rate limits, with npm's toolkit: slots that both take, what either sees, cooldowns, in both directions."""
import time

from world import TOOLKIT, must, ok, same

UNDEFINED = {"$undefined": True}
WINDOW_MS = 60000


def table(w):
    return w.table("toolkit", TOOLKIT)


class Limit:
    """One resource with one limit, on both sides."""

    def __init__(self, w, limit=5, window_ms=WINDOW_MS, key=None):
        self.w, self.limit, self.key = w, limit, key or w.key("api")
        self.policy = {"name": "shared", "limit": limit, "window_ms": window_ms, "toolkit_table": table(w)}
        self.store = f"rate {limit} {window_ms}"
        w.once(self.store, lambda: w.node.new(self.store, "RateLimit", tableName=table(w), defaultConfig={"limit": limit, "windowMs": window_ms}))

    def ours(self, do, status="OK", **more):
        return ok(self.w.latch("rate", do, self.policy, self.key, **more), status)

    def took(self, **more):
        """Whether Latch was granted."""
        answer = self.w.latch("rate", "acquire", self.policy, self.key, **more)
        must(answer["status"] in ("OK", "Limited"), answer)
        return answer["status"] == "OK"

    def theirs(self, method, *args):
        return self.w.node.do(self.store, method, self.key, *args)


def both_take_from_one_limit(w):
    limit = Limit(w)
    granted = [limit.theirs("acquire"), limit.took(), limit.theirs("acquire"), limit.took(), limit.took()]
    same(granted, [True] * 5)
    same([limit.theirs("acquire"), limit.took()], [False, False])
    slots = w.db.Table(table(w)).query(KeyConditionExpression="pk = :p", ExpressionAttributeValues={":p": f"RATELIMIT_SLOT#{limit.key}"})["Items"]
    same(sorted(s["sk"] for s in slots), [f"SLOT#{i}" for i in range(5)])


def ours_count_in_what_they_see(w):
    limit = Limit(w)
    same([limit.took() for _ in range(3)], [True] * 3)
    same(limit.theirs("getStatus")["remaining"], 2)
    limit.took(), limit.took()
    same([limit.theirs("canProceed"), limit.theirs("getStatus")["remaining"]], [False, 0])
    must(0 < limit.theirs("getWaitTime") <= WINDOW_MS, "they would not wait")


def theirs_count_in_what_we_see(w):
    limit = Limit(w)
    same([limit.theirs("acquire") for _ in range(3)], [True] * 3)
    same(limit.ours("status")["remaining"], 2)
    limit.theirs("acquire"), limit.theirs("acquire")
    same([limit.ours("can_proceed")["can_proceed"], limit.ours("status")["remaining"]], [False, 0])
    must(WINDOW_MS - 10000 < limit.ours("wait_time")["wait_ms"] <= WINDOW_MS, "not until the first of theirs is over")


def several_at_once_leave_them_the_rest(w):
    limit = Limit(w)
    must(limit.took(n=3), "not granted")
    same([limit.theirs("acquire") for _ in range(3)], [True, True, False])
    same([limit.took(n=2)], [False])


def slots_come_back_after_the_window(w):
    limit = Limit(w, limit=2, window_ms=600)
    same([limit.theirs("acquire"), limit.took(), limit.took()], [True, True, False])
    time.sleep(0.65)
    same([limit.took(), limit.theirs("acquire"), limit.theirs("acquire")], [True, True, False])


def a_slot_of_the_other_comes_back(w):
    limit = Limit(w, limit=1, window_ms=400)
    same([limit.took(), limit.theirs("acquire")], [True, False])
    time.sleep(0.45)
    same([limit.theirs("acquire"), limit.took()], [True, False])
    time.sleep(0.45)
    same([limit.took(), limit.theirs("acquire")], [True, False])


def our_record_is_seen_there(w):
    limit = Limit(w, limit=2)
    limit.ours("record"), limit.ours("record")
    same([limit.theirs("canProceed"), limit.theirs("acquire")], [False, False])


def our_reset_is_theirs(w):
    limit = Limit(w, limit=2)
    limit.theirs("acquire"), limit.theirs("acquire")
    limit.ours("reset")
    same([limit.theirs("getStatus")["remaining"], limit.theirs("acquire"), limit.took()], [2, True, True])


def their_reset_is_ours(w):
    limit = Limit(w, limit=2)
    limit.took(), limit.took()
    limit.theirs("reset")
    same([limit.ours("status")["remaining"], limit.took(), limit.theirs("acquire")], [2, True, True])


def a_lowered_limit_counts_their_slots(w):
    """5 slots are taken; whoever has a limit of 3 by then gets nothing, whichever slots are in its range."""
    limit = Limit(w, limit=5)
    same([limit.theirs("acquire") for _ in range(5)], [True] * 5)
    lowered = Limit(w, limit=3, key=limit.key)
    w.db.Table(table(w)).delete_item(Key={"pk": f"RATELIMIT_SLOT#{limit.key}", "sk": "SLOT#0"})
    w.db.Table(table(w)).delete_item(Key={"pk": f"RATELIMIT_SLOT#{limit.key}", "sk": "SLOT#1"})
    same(lowered.took(), False)


def slots_with_fractions_are_tolerated(w):
    """Their adaptive store makes some."""
    limit = Limit(w, limit=2)
    now = int(time.time() * 1000)
    w.db.Table(table(w)).put_item(Item={"pk": f"RATELIMIT_SLOT#{limit.key}", "sk": "SLOT#0.52", "timestamp": now, "ttl": now // 1000 + 60})
    granted = [limit.took() for _ in range(3)]
    must(granted in ([True, True, False], [True, False, False]), granted)


def keys_with_separators_are_the_same_keys(w):
    for key in (w.key("a#b"), w.key("50%"), w.key("ü 😀")):
        limit = Limit(w, limit=2, key=key)
        same([limit.theirs("acquire"), limit.took(), limit.theirs("acquire"), limit.took()], [True, True, False, False])


def of_many_at_once_never_more_than_the_limit(w):
    for _ in range(5):
        limit = Limit(w, limit=8)
        lines = [w.node.begin(limit.store, "acquire", limit.key) for _ in range(6)]
        ours = [w.drive.send(store="rate", do="acquire", policy={**limit.policy, "known_ms": -1}, key=limit.key) for _ in range(6)]
        granted = [w.node.receive(line) for line in lines] + [w.drive.receive(line)["status"] == "OK" for line in ours]
        must(sum(granted) <= 8, granted)
        while limit.theirs("acquire"):
            granted.append(True)
        same([sum(granted), limit.took()], [8, False])


# ── cooldowns ──

def cooldowns_of_ours_are_seen_there(w):
    limit, origin, until = Limit(w), w.key("https://a#b"), int(time.time() * 1000) + 60000
    cooldown(w, "set", origin, until_ms=until)
    same(w.node.do(limit.store, "getCooldown", origin), until)
    cooldown(w, "clear", origin)
    same(w.node.do(limit.store, "getCooldown", origin), UNDEFINED)


def cooldowns_of_theirs_are_seen_here(w):
    limit, origin, until = Limit(w), w.key("https://a"), int(time.time() * 1000) + 60000
    w.node.do(limit.store, "setCooldown", origin, until)
    same(cooldown(w, "get", origin)["until_ms"], until)
    cooldown(w, "set", origin, until_ms=until - 30000)
    same(w.node.do(limit.store, "getCooldown", origin), until)  # the longer one stays
    w.node.do(limit.store, "clearCooldown", origin)
    cooldown(w, "get", origin, "Missing")


def cooldowns_end(w):
    limit, origin = Limit(w), w.key("https://a")
    w.node.do(limit.store, "setCooldown", origin, int(time.time() * 1000) - 1000)
    cooldown(w, "get", origin, "Missing")
    cooldown(w, "set", origin, until_ms=int(time.time() * 1000) + 150)
    time.sleep(0.2)
    same(w.node.do(limit.store, "getCooldown", origin), UNDEFINED)


def cooldown(w, do, origin, status="OK", **more):
    return ok(w.latch("cooldown", do, {"name": "shared", "toolkit_table": table(w)}, origin, **more), status)


CASES = [both_take_from_one_limit, ours_count_in_what_they_see, theirs_count_in_what_we_see, several_at_once_leave_them_the_rest,
         slots_come_back_after_the_window, a_slot_of_the_other_comes_back, our_record_is_seen_there, our_reset_is_theirs, their_reset_is_ours, a_lowered_limit_counts_their_slots,
         slots_with_fractions_are_tolerated, keys_with_separators_are_the_same_keys, of_many_at_once_never_more_than_the_limit,
         cooldowns_of_ours_are_seen_there, cooldowns_of_theirs_are_seen_here, cooldowns_end]
COUNT = 16
TWINS = [
    ("timestamp is called at", [('"timestamp"', '"at"')], ["a_slot_of_the_other_comes_back"]),
    ("slots are called otherwise", [("SLOT#", "SLUT#")], ["both_take_from_one_limit", "theirs_count_in_what_we_see"]),
    ("events are not where they look", [('"RATELIMIT#', '"RATELIMITS#')], ["ours_count_in_what_they_see"]),
    ("cooldownUntil is called until", [('"cooldownUntil"', '"until"')], ["cooldowns_of_ours_are_seen_there", "cooldowns_of_theirs_are_seen_here"]),
]
