"""judge.py - what the journals of a race's processes say, put together: each judge gives the violations it found, and what happened.

Times are microseconds of one monotonic clock: t0 before a call, t1 after it. What a call did, it did in between: only what holds for every
such moment is a violation. A process may be killed anywhere: a line may have no successor."""
import bisect, collections, json, pathlib, re

MS = 1000
EARLY = 2 * MS  # a clock read in whole milliseconds, at both ends


class Verdict:
    def __init__(self):
        self.violations, self.counts = [], collections.Counter()
        self.left = []  # of keys whose last owner left them: when its time was over

    def violated(self, what, *events):
        self.violations.append(what + ": " + "; ".join(json.dumps(e) for e in events))


def kind_of(violation):
    """What it is, without its numbers: "two holders at once"."""
    return re.sub(r"\d[\d-]*|None", "…", violation.partition(": ")[0]).removeprefix("… ")


def read(folder):
    """The events of each process, in its own order. A line that its process didn't live to finish isn't one."""
    return [read_file(path) for path in sorted(pathlib.Path(folder).glob("*.jsonl"))]


def read_file(path):
    return [json.loads(line) for line in pathlib.Path(path).read_text().split("\n")[:-1]]


def by_key(items):
    keys = collections.defaultdict(list)
    for item in items:
        keys[item["k"]].append(item)
    return keys.values()


def tally(verdict, events, name):
    for e in events:
        if e["e"] == name:
            verdict.counts["calls"] += 1
            verdict.counts[e["status"]] += 1
            verdict.counts["unknown"] += bool(e.get("maybe"))


def exclusive(verdict, spans, what):
    """No span begins for certain (its t1) while an earlier one's owner owns for certain (until)."""
    spans.sort(key=lambda s: s["t1"])
    latest = None
    for span in spans:
        if latest is not None and span["t1"] < latest["until"]:
            verdict.violated(what, latest, span)
        if latest is None or span["until"] > latest["until"]:
            latest = span


def waits(verdict, spans, left):
    """The longest time between two owners' beginnings on a key; and from the end of a lease that nobody gave back to the next owner."""
    for one, two in zip(spans, spans[1:]):
        verdict.counts["longest_ms"] = max(verdict.counts["longest_ms"], (two["t1"] - one["t1"]) // MS)
        if left(one):
            verdict.counts["left"] += 1
            verdict.counts["recovered_ms"] = max(verdict.counts["recovered_ms"], (two["t1"] - one["until"]) // MS)
    if spans and left(spans[-1]):
        verdict.left.append(spans[-1]["until"])


def stuck(verdict, processes, after_ms):
    """How many keys nobody has had for so long after their last owner's time was over, though others went on asking."""
    end = max((e["t1"] for process in processes for e in process if "t1" in e), default=0)
    return sum(end - until > after_ms * MS for until in verdict.left)


# ── lock ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def holds_of(process):
    holds, last = [], {}
    for e in process:
        if e["e"] == "take" and e["status"] == "OK":
            last[e["k"]] = dict(e, until=e["t0"] + e["lease"] * MS - EARLY, given=False)
            holds.append(last[e["k"]])
        elif e["e"] == "held":
            last[e["k"]]["until"] = max(last[e["k"]]["until"], e["t"])
        elif e["e"] == "giving":
            last[e["k"]].update(until=min(last[e["k"]]["until"], e["t"]), given=True)
    return holds


def lock(processes, tokens=True):
    """One holder at a time: until it gives back, or its lease ends, or as long as it says itself that it holds. Tokens grow."""
    verdict, holds = Verdict(), []
    for process in processes:
        tally(verdict, process, "take")
        holds += holds_of(process)
    for key in by_key(holds):
        exclusive(verdict, key, "two holders at once")
        waits(verdict, key, lambda hold: not hold["given"])
        for one, two in zip(key, key[1:]):
            verdict.counts["takeovers"] += not one["given"]
            if tokens and two["fence"] <= one["fence"]:
                verdict.violated("a token that did not grow", one, two)
    verdict.counts["did"] = verdict.counts["OK"]
    return verdict


# ── do-once ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def works_of(process):
    """Works with their end (`ended`), what they said, and what the call around them said (`outcome`)."""
    works, current = [], None
    for e in process:
        if e["e"] == "work":
            current = dict(e, t1=e["t"], until=e["t0"] + e["lease"] * MS - EARLY, ended=None, says=None, outcome=None)
            works.append(current)
        elif e["e"] == "worked":
            current.update(until=min(current["until"], e["t"]), ended=e["t"], says=e["says"])
        elif e["e"] == "once" and current is not None:
            current.update(outcome=e["status"], over=e["t1"], maybe=e["maybe"])
            current = None
    return works


def told(verdict, one, two, clears):
    """`two` began after `one`: what was left half done must be told, unless it was cleared: forgotten."""
    left = one["ended"] is None or one["says"] not in ("OK", "Limited") or (one["says"] == "OK" and one["outcome"] not in ("OK", None))
    again = one["says"] == "Limited" and one["takeovers"] > 0 and one["outcome"] == "Limited"
    verdict.counts["takeovers"] += two["takeovers"] > 0
    if (left or again) and two["takeovers"] == 0 and not cleared_between(clears, one["t1"], two["t1"]):
        verdict.violated("begun again, and not told", one, two)


def clears_of(process):
    """Those that may have cleared. Of one that its process didn't live to finish, nobody knows when it did."""
    clears = []
    for e in process:
        if e["e"] == "clearing":
            clears.append(dict(e, t1=float("inf"), may=True))
        elif e["e"] == "clear":
            clears[-1].update(t1=e["t1"], may=e["status"] == "OK" or e["maybe"])
    return [c for c in clears if c["may"]]


def cleared_between(clears, since, until):
    return any(c["t1"] >= since and c["t0"] <= until for c in clears)


def once_key(verdict, works, calls, clears):
    exclusive(verdict, works, "two doers at once")
    waits(verdict, works, lambda work: work["ended"] is None)
    done = {}
    for one, two in zip(works, works[1:]):
        told(verdict, one, two, clears)
    for index, work in enumerate(works):
        if work["says"] == "OK" and work["outcome"] == "OK":
            done[work["n"]] = index
            following = works[index + 1] if index + 1 < len(works) else None
            if following is not None and not cleared_between(clears, work["ended"], following["t1"]):
                verdict.violated("done twice" if work["ended"] <= following["t1"] else "completed after another took over", work, following)
    replays(verdict, works, calls, done)


def replays(verdict, works, calls, done):
    """An answer is that of a work that was done, and not of one that another work followed before it was asked for."""
    began = [w["t1"] for w in works]
    numbers = {w["n"]: i for i, w in enumerate(works)}
    for call in calls:
        if call["status"] != "OK" or call["did"]:
            continue
        verdict.counts["replays"] += 1
        index = numbers.get(call["n"])
        if index is None or works[index]["says"] not in ("OK", None):
            verdict.violated("an answer that nobody gave", call)
        elif bisect.bisect_left(began, call["t0"]) > index + 1:
            verdict.violated("an answer that was replaced", works[index], call)


def once(processes):
    """One doer at a time, until it has worked or its in-progress time is over; done once until it is cleared; left work is told."""
    verdict, works, calls, clears = Verdict(), [], [], []
    for process in processes:
        tally(verdict, process, "once")
        verdict.counts["clears"] += sum(e["e"] == "clear" for e in process)
        works += works_of(process)
        calls += [e for e in process if e["e"] == "once"]
        clears += clears_of(process)
    grouped = [{}, {}]
    for at, items in enumerate((calls, clears)):
        for group in by_key(items):
            grouped[at][group[0]["k"]] = group
    for key in by_key(works):
        once_key(verdict, key, grouped[0].get(key[0]["k"], []), grouped[1].get(key[0]["k"], []))
    verdict.counts["did"] = len(works)
    return verdict


# ── dedupe ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def jobs_of(process):
    jobs = {}
    for e in process:
        if e["e"] == "join" and e["status"] == "OK":
            jobs[e["id"]] = dict(e, until=e["t0"] + e["lease"] * MS - EARLY, ended=None)
        elif e["e"] == "ends":
            jobs[e["id"]].update(until=min(jobs[e["id"]]["until"], e["t"]))
        elif e["e"] == "ended":
            jobs[e["id"]].update(ended=e["status"], fails=e["fails"], over=e["t"], maybe=e["maybe"])
    return list(jobs.values())


def dedupe(processes):
    """One owner at a time, until it settles its job or the job's deadline; a completed one isn't done again while its result lives."""
    verdict, jobs, seen = Verdict(), [], []
    for process in processes:
        tally(verdict, process, "join")
        jobs += jobs_of(process)
        seen += [e for e in process if e["e"] == "join" and e["status"] == "Seen"]
    completed = {j["id"] for j in jobs if not j.get("fails", 0)}
    for key in by_key(jobs):
        exclusive(verdict, key, "two owners at once")
        waits(verdict, key, lambda job: job["ended"] is None)
        for one, two in zip(key, key[1:]):
            verdict.counts["takeovers"] += one["ended"] is None
            if one["ended"] == "OK" and not one["fails"] and not one["rerun"] and two["t1"] < one["until"] + one["result"] * MS:
                verdict.violated("done again while its result lives", one, two)
    for e in seen:
        if e["told"] not in completed:
            verdict.violated("a result that nobody gave", e)
    verdict.counts["did"] = verdict.counts["OK"]
    return verdict


# ── limits ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def attempt(processes):
    """Never more than max in a window; windows don't overlap; and a window that refused was full, unless somebody was killed who may have
    counted."""
    verdict, windows = Verdict(), collections.defaultdict(list)
    complete = all(process and process[-1]["e"] == "bye" for process in processes)
    for process in processes:
        tally(verdict, process, "attempt")
        for e in process:
            if e["e"] == "attempt" and e["window"]:
                windows[e["k"], e["window"]].append(e)
    spans = []
    for (key, _), events in windows.items():
        counted = [e for e in events if e["status"] == "OK"]
        if len(counted) > counted[0]["max"] if counted else False:
            verdict.violated(f"{len(counted)} attempts in one window", *counted[:3])
        if len({e["used"] for e in counted}) < len(counted):
            verdict.violated("two attempts have one number", *counted[:3])
        refused = any(e["status"] == "Limited" for e in events)
        if complete and refused and not verdict.counts["unknown"] and len(counted) < events[0]["max"]:
            verdict.violated("refused before it was used up", *events[:3])
        spans.append({"k": key, "t0": events[0]["created"], "t1": events[0]["created"], "until": events[0]["ends"]})
    for key in by_key(spans):
        exclusive(verdict, key, "two windows at once")
    verdict.counts["windows"] = len(windows)
    verdict.counts["did"] = verdict.counts["OK"]
    return verdict


def most_within(grants, window_us):
    """The most grants whose calls lie wholly in one window of time, and where."""
    grants.sort(key=lambda e: e["t0"])
    most, where = 0, None
    for i, first in enumerate(grants):
        end, inside = first["t0"] + window_us, 0
        for e in grants[i:]:
            if e["t0"] >= end:
                break
            inside += e["t1"] < end
        if inside > most:
            most, where = inside, first
    return most, where


def rate(processes):
    """Never more grants than the largest limit in any window; and where it is lowered, none while as many as the lowered limit are in it."""
    verdict, grants = Verdict(), []
    for process in processes:
        tally(verdict, process, "rate")
        grants += [e for e in process if e["e"] == "rate" and e["status"] == "OK"]
    for key in by_key(grants):
        window = key[0]["window"] * MS - EARLY
        bound = max(e["bound"] for e in key)
        most, where = most_within(key, window)
        verdict.counts["most"] = max(verdict.counts["most"], most)
        verdict.counts["bound"] = bound
        if most > bound:
            verdict.violated(f"{most} grants in a window, at most {bound}", where)
        lowered(verdict, key, window)
    verdict.counts["did"] = len(grants)
    return verdict


def lowered(verdict, grants, window):
    """A grant of a sliding window by a lower limit: fewer than that were certainly granted in the window before it."""
    if len({e["limit"] for e in grants}) < 2 or not grants[0].get("exact"):
        return
    for grant in grants:
        before = sum(e["t0"] > grant["t1"] - window and e["t1"] < grant["t0"] for e in grants)
        if before >= grant["limit"]:
            verdict.violated(f"granted by a limit of {grant['limit']} after {before}", grant)


# ── values ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def changes(process, begins, ends):
    """Each change with how it ended; one that its process didn't live to finish may have been applied."""
    found = []
    for e in process:
        if e["e"] == begins:
            found.append(dict(e, status="Killed", maybe=1, value=None))
        elif e["e"] == ends:
            found[-1].update(e)
    return found


def counter(processes, finals):
    """Nothing lost, nothing counted twice: the sum is what was told, and each value was told once."""
    verdict, all_changes = Verdict(), []
    for process in processes:
        tally(verdict, process, "add")
        all_changes += changes(process, "adding", "add")
    for key in by_key(all_changes):
        low = sum(c["by"] for c in key if c["status"] == "OK")
        high = low + sum(c["by"] for c in key if c["status"] != "OK" and c["maybe"])
        if not low <= finals(key[0]["k"]) <= high:
            verdict.violated(f"the counter is {finals(key[0]['k'])}, and {low} to {high} were added")
        told_ = collections.Counter(c["value"] for c in key if c["status"] == "OK" and c["value"] is not None)
        for value, times in told_.items():
            if times > 1:
                verdict.violated(f"{times} additions were told {value}")
    verdict.counts["did"] = verdict.counts["OK"]
    return verdict


def sets(processes, finals):
    """Each process adds and removes elements of its own: the set has exactly those whose last change added them."""
    verdict, all_changes = Verdict(), []
    for process in processes:
        tally(verdict, process, "set")
        all_changes += changes(process, "setting", "set")
    for key in by_key(all_changes):
        final, expected, open_ones = finals(key[0]["k"]), set(), set()
        for c in key:
            if c["status"] == "OK":
                (expected.add if c["add"] else expected.discard)(c["el"])
                open_ones.discard(c["el"])
            elif c["maybe"]:
                open_ones.add(c["el"])
        for el in sorted((expected - final) - open_ones):
            verdict.violated(f"{el} was added, and is not there")
        for el in sorted((final - expected) - open_ones):
            verdict.violated(f"{el} is there, and was removed or never added")
    verdict.counts["did"] = verdict.counts["OK"]
    return verdict


def saga(processes, finals):
    """Each version is one update's, and the last one is how many there were."""
    verdict, all_changes = Verdict(), []
    for process in processes:
        tally(verdict, process, "saga")
        all_changes += changes(process, "updating", "saga")
    for key in by_key(all_changes):
        versions = collections.Counter(c["version"] for c in key if c["status"] == "OK")
        unknown = sum(c["status"] != "OK" and bool(c["maybe"]) for c in key)
        for version, times in versions.items():
            if times > 1:
                verdict.violated(f"version {version} was {times} updates'")
        updates, final = sum(versions.values()), finals(key[0]["k"]) + 1  # the first one has version 0
        if not updates <= final <= updates + unknown:
            verdict.violated(f"the saga was written {final} times by {updates} to {updates + unknown} updates")
    verdict.counts["did"] = verdict.counts["OK"]
    return verdict


# ── histories, for porcupine ────────────────────────────────────────────────────────────────────────────────────────


def operations(processes):
    """The operations of each round. One that failed for certain did nothing; one that may have been applied has no end. A request of a lock
    that came late, though its repeat was answered, may have taken the lock once more: the contract's ghost, bounded by its lease."""
    rounds = collections.defaultdict(list)
    for client, process in enumerate(processes):
        for e in process:
            if e["e"] != "op":
                continue
            op = {"c": client, "op": e["op"], "status": e["status"], "n": e["n"], "by": e.get("by", 0), "lease": e.get("lease", 0) * MS,
                  "skew": e.get("skew", 0) * MS, "t0": e["t0"], "t1": e["t1"], "ended": e["t1"]}
            unknown = {**op, "status": "?", "t1": -1}
            if e["op"] == "take" and e["late"]:
                rounds[e["k"]] += [unknown] * e["late"]
            if e["maybe"]:
                rounds[e["k"]].append(unknown)
            elif e["status"] in ("OK", "Held", "Conflict", "Missing"):
                rounds[e["k"]].append(op)
    return [rounds[k] for k in sorted(rounds)]


def overlapping(history):
    """How many of the operations were under way while another was."""
    spans = sorted((op["t0"], op["ended"]) for op in history)
    count, end = 0, -1
    for i, (begin, finish) in enumerate(spans):
        count += begin < end or (i + 1 < len(spans) and spans[i + 1][0] < finish)
        end = max(end, finish)
    return count
