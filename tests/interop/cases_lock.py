"""Locks, with amazon-dynamodb-lock-client (Java), dynamolock (Go) and paradoxical-io's DynamoLock: held, released, expired, in both directions."""
import time

import paradoxical
from world import LOCKS, PARADOXICAL_LOCKS, SORTED_LOCKS, must, ok, same

LEASE_MS = 800


class Library:
    """A lock client's table: what its process does, and what Latch's does there."""

    sort = None  # the key's second part: its name and its value

    def __init__(self, world):
        self.w = world
        self.table = world.table("sorted-locks", SORTED_LOCKS) if self.sort else world.table("locks", LOCKS)
        self.locks = 0

    def client(self, lease_ms=LEASE_MS, heartbeat_ms=0):
        name = f"{self.flavour} {lease_ms} {heartbeat_ms} {self.sort}"
        self.w.once(name, lambda: self.peer.new(name, table=self.table, owner="theirs", lease_ms=lease_ms, heartbeat_ms=heartbeat_ms, **self.new_sort()))
        return name

    def theirs(self, key, lease_ms=LEASE_MS, heartbeat_ms=0, **more):
        """The client's name, the lock's, and what acquiring it gave."""
        client, lock = self.client(lease_ms, heartbeat_ms), self.w.key("lock")
        return client, lock, self.peer.acquire(client, lock, key, **self.acquire_sort(), **more)

    def release_theirs(self, client, lock):
        return self.peer.do("release", client, lock=lock)["released"]

    def policy(self, **more):
        sort = {"sk": self.sort[0], "sk_value": self.sort[1]} if self.sort else {}
        return {"name": "shared", "lease_ms": LEASE_MS, "lock_client": {"table": self.table, "flavour": self.flavour, **sort}, **more}

    def take(self, key, session="", status="OK", drive=None, hold="", **more):
        """In a session it is held until the session ends."""
        return ok((drive or self.w.drive).call(store="lock", do="take", policy=self.policy(**more), key=key, session=session, hold=hold), status)

    def ours(self, session, do, status="OK", **more):
        return ok(self.w.drive.call(store="lock", do=do, policy=self.policy(), session=session, **more), status)

    def item(self, key):
        return self.w.item(self.table, key=key, **({self.sort[0]: self.sort[1]} if self.sort else {}))


class ForJava(Library):
    flavour = "java"
    peer = property(lambda self: self.w.java)

    def new_sort(self):
        return {"sort": self.sort[0]} if self.sort else {}

    def acquire_sort(self):
        return {"sort": self.sort[1]} if self.sort else {}


class ForGo(Library):
    flavour = "go"
    peer = property(lambda self: self.w.go)

    def new_sort(self):
        return {"sort": list(self.sort)} if self.sort else {}

    def acquire_sort(self):
        return {}


class ForJavaSorted(ForJava):
    sort = ("sort", "part")


class ForGoSorted(ForGo):
    sort = ("sort", "part")


def held_there_is_held_here(p, w):
    key = w.key()
    client, lock, got = p.theirs(key)
    must(got["acquired"], got)
    must(p.take(key, status="Held")["other"] == "theirs", "another's name")
    must(p.release_theirs(client, lock), "they could not release it")
    same(p.item(key), None)
    p.take(key)


def held_here_is_held_there(p, w):
    key, session = w.key(), w.key("s")
    p.take(key, session)
    must(not p.theirs(key, at_once=True)[2]["acquired"], "two hold it")
    must(p.peer.do("look", p.client(), key=key, **p.acquire_sort()) is not None, "they don't see it")
    p.ours(session, "release")
    client, lock, got = p.theirs(key, at_once=True)
    must(got["acquired"], "not to be had after our release", got)
    p.release_theirs(client, lock)


def released_there_but_kept_is_free_here(p, w):
    key = w.key()
    client, lock, _ = p.theirs(key, keep=True)
    p.release_theirs(client, lock)
    must(p.item(key)["isReleased"] == "1", "it is gone")
    p.take(key)


def the_end_of_a_session_releases_it_there(p, w):
    key, session = w.key(), w.key("s")
    p.take(key, session)
    ok(w.drive.call(do="end", session=session))
    must(p.theirs(key, at_once=True)[2]["acquired"], "still held")


def theirs_that_died_is_taken_over_here(p, w):
    """After its version has stood still for a lease, and not before."""
    key = w.key()
    must(p.theirs(key)[2]["acquired"], "not acquired")
    began = time.monotonic()
    p.take(key, w.key("s"), wait_ms=5000)
    must(time.monotonic() - began > LEASE_MS / 1000, "taken over before its lease had passed")


def theirs_that_died_is_watched_across_invocations(p, w):
    key = w.key()
    p.theirs(key)
    p.take(key, status="Held")
    time.sleep(LEASE_MS / 1000 + 0.1)
    p.take(key)


def ours_that_died_is_taken_over_there(p, w):
    key = w.key()
    crasher = w.another_drive(w.key("crasher"))
    p.take(key, w.key("s"), drive=crasher)
    crasher.kill()
    must(p.theirs(key, wait_ms=3000)[2]["acquired"], "a dead holder's lock was never to be had")


def heartbeats_there_keep_it(p, w):
    key = w.key()
    client, lock, _ = p.theirs(key, heartbeat_ms=150)
    p.take(key, wait_ms=3 * LEASE_MS, status="Held")
    must(p.release_theirs(client, lock), "they lost it")


def extensions_here_keep_it(p, w):
    key, session = w.key(), w.key("s")
    p.take(key, session)
    line = p.peer.send(**{"do": "acquire", "on": p.client(), "as": w.key("lock"), "key": key, "wait_ms": 300, **p.acquire_sort()})
    for _ in range(8):
        time.sleep(LEASE_MS / 4000)
        p.ours(session, "extend", lease_ms=LEASE_MS)
    p.ours(session, "extend", lease_ms=30000)
    must(not p.peer.receive(line)["acquired"], "they took what is held")
    p.ours(session, "release")


def a_late_holder_here_releases_nothing(p, w):
    key, session = w.key(), w.key("s")
    p.take(key, session)
    client, lock, got = p.theirs(key, lease_ms=5000, wait_ms=3000)
    must(got["acquired"], "they could not take over")
    p.ours(session, "extend", "Conflict", lease_ms=LEASE_MS)
    p.ours(session, "release", "Conflict")  # nothing is left to release
    must(p.release_theirs(client, lock), "their lock was released by us")


def a_late_holder_there_releases_nothing(p, w):
    key, session = w.key(), w.key("s")
    client, lock, _ = p.theirs(key)
    p.take(key, session, wait_ms=5000, lease_ms=5000)
    try:
        released = p.release_theirs(client, lock)
    except Exception:  # pylint: disable=broad-except
        released = False
    must(not released or p.item(key) is not None, "they released our lock")
    p.ours(session, "extend", lease_ms=6000)


def leases_are_written_as_they_read_them(p, w):
    for lease_ms in (999, 1000, 1500, 20000, 90000, 3600000):
        key, session = w.key(), w.key("s")
        p.take(key, session, lease_ms=lease_ms)
        must(not p.theirs(key, at_once=True)[2]["acquired"], "taken over from us", lease_ms)
        ok(w.drive.call(do="end", session=session))


def for_library(library, case):
    def run(w):
        case(library(w), w)
    run.__name__ = f"{library.flavour}{'_sorted' if library.sort else ''}_{case.__name__}"
    return run


def each_reads_the_others_lease(w):
    """Latch reads Java's "700" as Go's user, and Go's "700ms" as Java's."""
    for theirs, ours in ((ForJava(w), ForGo(w)), (ForGo(w), ForJava(w))):
        key = w.key()
        theirs.theirs(key)
        ours.take(key, status="Held")
        time.sleep(LEASE_MS / 1000 + 0.1)
        ours.take(key)


# ── paradoxical-io's ──

def dynamo_lock(w):
    name = w.table("paradoxical-locks", PARADOXICAL_LOCKS)
    return paradoxical.DynamoLock(w.db.Table(name)), {"name": "shared", "lease_ms": 20000, "paradoxical_table": name}


def dynamo_lock_held_there_is_held_here(w):
    theirs, policy = dynamo_lock(w)
    key = w.key()
    must(theirs.try_acquire(key, 30), "not acquired")
    ok(w.latch("lock", "take", policy, key), "Held")
    theirs.release(key)
    ok(w.latch("lock", "take", policy, key))


def dynamo_lock_held_here_is_held_there(w):
    theirs, policy = dynamo_lock(w)
    key, session = w.key(), w.key("s")
    ok(w.latch("lock", "take", policy, key, session=session))
    must(not theirs.try_acquire(key, 30), "two hold it")
    ok(w.drive.call(do="end", session=session))
    must(theirs.try_acquire(key, 30), "still held after our release")


def dynamo_lock_expired_is_free(w):
    theirs, policy = dynamo_lock(w)
    key = w.key()
    theirs.try_acquire(key, 30)
    w.set(policy["paradoxical_table"], {"key": key}, expiresAt=int(time.time()) - 10)
    ok(w.latch("lock", "take", policy, key, session=w.key("s")))
    w.set(policy["paradoxical_table"], {"key": key}, expiresAt=int(time.time()) - 10)
    must(theirs.try_acquire(key, 30), "ours never ends")


def dynamo_lock_taken_over_is_not_released_by_us(w):
    theirs, policy = dynamo_lock(w)
    key, session = w.key(), w.key("s")
    ok(w.latch("lock", "take", policy, key, session=session))
    w.set(policy["paradoxical_table"], {"key": key}, expiresAt=int(time.time()) - 10)
    theirs.try_acquire(key, 30)
    ok(w.drive.call(store="lock", do="release", session=session), "Conflict")
    must(not theirs.try_acquire(key, 30), "we released their lock")


EITHER = [held_there_is_held_here, held_here_is_held_there, released_there_but_kept_is_free_here, the_end_of_a_session_releases_it_there,
          theirs_that_died_is_taken_over_here, theirs_that_died_is_watched_across_invocations, ours_that_died_is_taken_over_there, heartbeats_there_keep_it,
          extensions_here_keep_it, a_late_holder_here_releases_nothing, a_late_holder_there_releases_nothing, leases_are_written_as_they_read_them]
SORTED = [held_there_is_held_here, held_here_is_held_there, theirs_that_died_is_watched_across_invocations]
CASES = [for_library(library, case) for library in (ForJava, ForGo) for case in EITHER] + \
        [for_library(library, case) for library in (ForJavaSorted, ForGoSorted) for case in SORTED] + \
        [each_reads_the_others_lease, dynamo_lock_held_there_is_held_here, dynamo_lock_held_here_is_held_there, dynamo_lock_expired_is_free,
         dynamo_lock_taken_over_is_not_released_by_us]
COUNT = 2 * 12 + 2 * 3 + 5
TWINS = [
    ("recordVersionNumber is called version", [('"recordVersionNumber"', '"version"')], ["java_held_there_is_held_here", "go_held_there_is_held_here"]),
    ("isReleased is called released", [('"isReleased"', '"released"')], ["java_released_there_but_kept_is_free_here", "go_held_here_is_held_there"]),
    ("leaseDuration is called lease", [('"leaseDuration"', '"lease"')], ["java_theirs_that_died_is_watched_across_invocations", "go_theirs_that_died_is_watched_across_invocations"]),
    ("expiresAt is called until", [('"expiresAt"', '"until"')], ["dynamo_lock_held_there_is_held_here", "dynamo_lock_held_here_is_held_there"]),
]
