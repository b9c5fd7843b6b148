"""Adaptive rate limits, with npm's toolkit: the slots of each priority, and users' activity as either side sees it."""
import time

from world import TOOLKIT, must, ok, same

WINDOW_MS = 600000


def table(w):
    return w.table("toolkit", TOOLKIT)


class Limit:
    """One resource on both sides: 30 % of the limit is the users' while nothing is known of them."""

    def __init__(self, w, limit=10, key=None, window_ms=WINDOW_MS):
        self.w, self.limit, self.key = w, limit, key or w.key("api")
        self.policy = {"name": "shared", "limit": limit, "window_ms": window_ms, "recalculation_ms": 1, "known_ms": -1, "toolkit_table": table(w)}
        self.window_ms = window_ms

    def peer(self):
        """Their process loads what happened once: a store of its own for each look."""
        name = self.w.key("adaptive")
        self.w.node.new(name, "Adaptive", tableName=table(self.w), defaultConfig={"limit": self.limit, "windowMs": self.window_ms},
                        adaptiveConfig={"recalculationIntervalMs": 1})
        return name

    def ours(self, do, priority="user", status="OK", **more):
        return ok(self.w.latch("adaptive", do, self.policy, self.key, priority=priority, **more), status)

    def took(self, priority="user"):
        answer = self.w.latch("adaptive", "acquire", self.policy, self.key, priority=priority)
        must(answer["status"] in ("OK", "Limited"), answer)
        return answer["status"] == "OK"

    def theirs(self, method, *args, peer=None):
        return self.w.node.do(peer or self.peer(), method, self.key, *args)

    def slots(self, priority):
        found = self.w.db.Table(table(self.w)).query(KeyConditionExpression="pk = :p",
                                                     ExpressionAttributeValues={":p": f"RATELIMIT_SLOT#{self.key}#{priority}"})
        return sorted(s["sk"] for s in found["Items"])


def users_of_both_take_the_same_slots(w):
    limit = Limit(w)
    granted = [limit.theirs("acquire", "user"), limit.took(), limit.theirs("acquire", "user")]
    same([granted, len(limit.slots("user"))], [[True] * 3, 3])


def background_of_both_takes_the_same_slots(w):
    limit, peer = Limit(w), None
    peer = limit.peer()
    granted = [limit.theirs("acquire", "background", peer=peer), limit.took("background"), limit.took("background")]
    same([granted, len(limit.slots("background"))], [[True] * 3, 3])


def background_ends_for_both(w):
    """5 of 10 are the users' while there are none of them: minUserReserved."""
    limit = Limit(w)
    peer = limit.peer()
    taken = 0
    for _ in range(10):
        taken += limit.took("background") + limit.theirs("acquire", "background", peer=peer)
    must(5 <= taken <= 7, taken)
    same([limit.took("background"), limit.theirs("acquire", "background", peer=peer)], [False, False])


def our_users_are_their_activity(w):
    limit = Limit(w, limit=20)
    for _ in range(4):
        must(limit.took(), "not granted")
    same(limit.theirs("getStatus")["adaptive"]["recentUserActivity"], 4)


def their_users_are_our_activity(w):
    limit = Limit(w, limit=20)
    peer = limit.peer()
    for _ in range(4):
        must(limit.theirs("acquire", "user", peer=peer), "not granted")
    status = limit.ours("status")
    same([status["activity"], status["reserve"] + status["background_max"]], [4, 20])


def records_of_theirs_are_activity(w):
    limit = Limit(w, limit=20)
    peer = limit.peer()
    for _ in range(3):
        limit.theirs("record", "user", peer=peer)
    same(limit.ours("status")["activity"], 3)


def what_we_took_is_not_left_to_them(w):
    limit = Limit(w, limit=10)
    before = limit.theirs("getStatus")["remaining"]
    limit.took("background"), limit.took("background")
    must(limit.theirs("getStatus")["remaining"] == before - 2, before)


def slots_with_fractions_are_tolerated(w):
    limit, now = Limit(w), int(time.time() * 1000)
    w.db.Table(table(w)).put_item(Item={"pk": f"RATELIMIT_SLOT#{limit.key}#background", "sk": "SLOT#0.52", "timestamp": now, "ttl": now // 1000 + 600})
    must(limit.took("background"), "not granted")
    limit.ours("status", "background")


def resets_are_shared(w):
    limit = Limit(w)
    limit.took("background"), limit.theirs("acquire", "user")
    limit.ours("reset")
    same([limit.slots("user"), limit.slots("background")], [[], []])
    limit.took("background")
    limit.theirs("reset")
    same(limit.slots("background"), [])


def each_priority_keeps_its_share(w):
    """Of many of both at once, neither priority has more slots than it may."""
    limit = Limit(w, limit=12)
    peer = limit.peer()
    lines = [w.node.begin(peer, "acquire", limit.key, "background") for _ in range(8)]
    ours = [limit.took("background") for _ in range(8)]
    granted = sum(ours) + sum(w.node.receive(line) for line in lines)
    must(len(limit.slots("background")) == granted <= 12, granted)
    must(not limit.took("background"), "more than the share")


CASES = [users_of_both_take_the_same_slots, background_of_both_takes_the_same_slots, background_ends_for_both, our_users_are_their_activity,
         their_users_are_our_activity, records_of_theirs_are_activity, what_we_took_is_not_left_to_them, slots_with_fractions_are_tolerated,
         resets_are_shared, each_priority_keeps_its_share]
COUNT = 10
TWINS = [
    ("slots of priorities are called otherwise", [("SLOT#api", "SLUT#api")], ["users_of_both_take_the_same_slots", "background_ends_for_both"]),
    ("events are not where they look", [('"RATELIMIT#', '"RATELIMITS#')], ["our_users_are_their_activity", "their_users_are_our_activity"]),
    ("timestamp is called at", [('"timestamp"', '"at"')], ["their_users_are_our_activity"]),
]
