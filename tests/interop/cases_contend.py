"""Processes of Latch and of other libraries at the same time, for as long as world.seconds: for one lock, as they come; for one idempotency key
after another. `./dev prove interop` gives them a minute each."""
import os
import random
import tempfile
import threading
import time

import cases_lock
import cases_powertools
from peers import PeerError
from world import must, ok, same


class Contender(threading.Thread):
    """Latch's process: takes, makes the witness file, waits, removes it, releases."""

    def __init__(self, library, drive, key, witness, seconds):
        super().__init__()
        self.library, self.drive, self.key, self.witness, self.seconds = library, drive, key, witness, seconds
        self.held, self.overlaps, self.failure = 0, 0, None

    def run(self):
        try:
            self.contend()
        except Exception as e:  # pylint: disable=broad-except
            self.failure = e

    def contend(self):
        end = time.monotonic() + self.seconds
        while time.monotonic() < end:
            answer = self.drive.call(store="lock", do="take", policy=self.library.policy(wait_ms=1000), key=self.key, session="contend")
            must(answer["status"] in ("OK", "Held"), answer)
            if answer["status"] == "OK":
                self.held += 1
                self.hold()
                ok(self.drive.call(do="end", session="contend"))
                time.sleep(random.uniform(0, 0.02))  # so that the other comes to it

    def hold(self):
        try:
            os.close(os.open(self.witness, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            self.overlaps += 1
            return
        time.sleep(0.003)
        os.unlink(self.witness)


def contend(p, w):
    """Their process and ours take turns, as they come: never two at once, and both have theirs."""
    with tempfile.TemporaryDirectory() as folder:
        key, witness = w.key(), os.path.join(folder, "witness")
        client, lock, _ = p.theirs(w.key())  # their process is up
        p.release_theirs(client, lock)
        ok(w.drive.call(do="hello"))
        line = p.peer.send(do="contend", on=p.client(), key=key, ms=int(w.seconds * 1000), hold_ms=3, refresh_ms=5, witness=witness, wait_ms=0, **p.acquire_sort())
        ours = Contender(p, w.drive, key, witness, w.seconds)
        ours.start()
        ours.join()
        theirs = p.peer.receive(line, timeout_s=w.seconds + 60)
    print(f"       {p.flavour}: in {w.seconds:g} s held {ours.held} times by Latch, {theirs['held']} times by the other; two at once {ours.overlaps + theirs['overlaps']} times")
    must(ours.failure is None, ours.failure)
    same([ours.overlaps, theirs["overlaps"], theirs["lost"]], [0, 0, 0])
    must(min(ours.held, theirs["held"]) >= 1, "one of them never came to it:", ours.held, theirs["held"])


class Race:
    """A process of the library and one of Latch, for one key after another: one does it, the other replays."""

    def __init__(self, p, w, witness):
        self.p, self.w, self.prefix, self.witness = p, w, w.key("fn"), witness
        self.did, self.keys, self.overlaps, self.waited = {"theirs": 0, "ours": 0}, 0, 0, 0

    def begin(self, side, event):
        make = self.p.begin if side == "theirs" else self.p.begin_ours
        return make(self.prefix, event, sleep_ms=random.choice((0, 3)), result={"by": side, "n": self.keys}, **({"witness": self.witness} if self.p.witnesses else {}))

    def end(self, side, line):
        """Whether it did it, and the response; None: another is at it."""
        if side == "ours":
            answer = self.w.drive.receive(line)
            must(answer["status"] in ("OK", "Busy"), answer)
            self.overlaps += (answer["out"]["worked"] or {"overlaps": 0})["overlaps"]
            return None if answer["status"] == "Busy" else (answer["out"]["did"], answer["out"]["response"])
        try:
            answer = self.p.end(line)
        except PeerError as e:
            must(e.name == self.p.in_progress, e)
            return None
        self.overlaps += answer.get("overlaps", 0)
        return answer["did"], answer["response"]

    def run_one(self):
        self.keys += 1
        event = cases_powertools.event_of(self.w)
        sides = random.sample(("theirs", "ours"), 2)
        answers = {}
        lines = {sides[0]: self.begin(sides[0], event)}
        time.sleep(random.uniform(0, 0.02))  # the slower one gets a start, now and then
        lines[sides[1]] = self.begin(sides[1], event)
        while lines:
            for side, line in list(lines.items()):
                answers[side] = self.end(side, line)
                lines.pop(side)
                if answers[side] is None:
                    self.waited += 1
                    lines[side] = self.begin(side, event)
        did = [side for side in sides if answers[side][0]]
        must(len(did) == 1, "done by", did, event)
        self.did[did[0]] += 1
        same(answers["theirs"][1], answers["ours"][1])
        same(answers["ours"][1], {"by": did[0], "n": self.keys})


def race(p, w):
    with tempfile.TemporaryDirectory() as folder:
        r = Race(p, w, os.path.join(folder, "witness"))
        r.run_one()  # starts the processes
        end = time.monotonic() + w.seconds
        while time.monotonic() < end:
            r.run_one()
    print(f"       {p.flavour}: {r.keys} keys in {w.seconds:g} s, done by Latch {r.did['ours']}, by the other {r.did['theirs']}, asked again {r.waited} times, two at once {r.overlaps} times")
    same(r.overlaps, 0)
    must(min(r.did.values()) >= 1, "one of them never came first")


CASES = [cases_lock.for_library(cases_lock.ForJava, contend), cases_lock.for_library(cases_lock.ForGo, contend),
         cases_powertools.for_library(cases_powertools.ForPython, race), cases_powertools.for_library(cases_powertools.ForTypeScript, race)]
COUNT = 4
RACES = ["java_contend", "go_contend", "python_race", "typescript_race"]
TWINS = [
    ("another lock is taken", [('"k-', '"K-')], ["java_contend", "go_contend"]),
    ("another key is claimed", [("fn-", "nf-")], ["python_race", "typescript_race"]),
]
