#!/usr/bin/env python3
"""races.py PART [OPTION…] - the proofs of contention, by real processes.

  races            processes × calls on one key, for each store: one holder, one doer, limits kept, nothing lost
  kills            the same while one of them is killed every 100 ms: every key recovers
  late-owner       an owner that is stopped past its lease, then continued: its completion, release and guarded write are refused
  linearizability  histories of lock, counter and register under faults, checked by porcupine
  clocks           processes whose clocks are 2 s apart: no exclusion breaks
  all              one after the other

  --bin DIR        the build with races_worker and latch-local      --store engine|local|both
  --url-file FILE  DynamoDB Local runs already, and this has its URL --only RACE[,RACE]
  --processes N --calls N --seconds N --histories N --operations N   sizes
  --twin           the broken twins instead: each must be reported

Every part prints its counts, and ends with 1 where anything was violated, or where too little happened for that to mean anything."""
import argparse, sys, time

import judge
from stage import Stage, Store

SKEW_MS, LEASE_MS = 100, 300


class Race:
    """`judge(stage, processes)`; the share of calls that must have done something; `twins`: rules broken, each of which must be reported."""

    def __init__(self, name, judge, options, least, twins, kills=True):
        self.name, self.judge, self.options, self.least, self.twins, self.kills = name, judge, options, least, twins, kills


def plain(check):
    return lambda stage, processes: check(processes)


LEASED = {"lease_ms": LEASE_MS, "skew_ms": SKEW_MS}
RACES = [
    Race("lock", plain(judge.lock), {**LEASED, "crash_in": 60}, 0.03,
         [("#expiresAt < :now_minus_skew", "(#expiresAt < :now_minus_skew OR attribute_exists(#expiresAt))")]),
    Race("once", plain(judge.once), LEASED, 0.03,
         [("#in_progress_expiration < :now_ms_minus_skew",
           "(#in_progress_expiration < :now_ms_minus_skew OR attribute_exists(#in_progress_expiration))"),
          ("if_not_exists(#takeovers, :minus_one) + :one", ":minus_one + :one")]),
    Race("attempt", plain(judge.attempt), {"limit": 50}, 0.003,
         [("#attempts < :max", "(#attempts < :max OR attribute_exists(#attempts))")]),
    Race("dedupe", plain(judge.dedupe), {**LEASED, "crash_in": 60}, 0,
         [("#deadlineAt < :now_minus_skew", "(#deadlineAt < :now_minus_skew OR attribute_exists(#deadlineAt))")]),
    Race("dedupe-rerun", plain(judge.dedupe), {**LEASED, "crash_in": 60}, 0.01, []),
]


def line(store, race, verdict, seconds, note=""):
    c = verdict.counts
    rest = "".join(f", {c[name]:,} {name}" for name in ("Held", "Busy", "Limited", "Seen", "Conflict", "replays", "windows", "takeovers", "unknown") if c[name])
    rest += f", longest wait {c['longest_ms']} ms" if c["longest_ms"] else ""
    rest += f", at most {c['most']} in a window of {c['bound']}" if c["most"] else ""
    print(f"{store.name}: {race}: {c['calls']:,} calls in {seconds:.1f} s, {c['did']:,} did{rest}; {len(verdict.violations)} violations{note}", flush=True)
    for violation in verdict.violations[:3]:
        print("    " + violation[:600], flush=True)


def chosen(o):
    return [r for r in RACES if not o.only or r.name in o.only.split(",")]


def run(store, race, processes, calls, **more):
    with Stage(store) as stage:
        begin = time.monotonic()
        for _ in range(processes):
            stage.start(race.name, calls=calls, **{**race.options, **more})
        stage.wait(600)
        took = time.monotonic() - begin
        verdict = race.judge(stage, judge.read(stage.folder.name))
        return verdict, took


def races(store, o):
    good = True
    for race in chosen(o):
        verdict, took = run(store, race, o.processes, o.calls)
        line(store, race.name, verdict, took)
        enough = verdict.counts["calls"] >= o.processes * o.calls * 0.8 and verdict.counts["did"] >= max(1, verdict.counts["calls"] * race.least)
        if not enough:
            print(f"    too little happened: {dict(verdict.counts)}")
        good = good and enough and not verdict.violations
    return good


def twins(store, o):
    good = True
    for race in chosen(o):
        for old, new in race.twins:
            for _ in range(5):
                verdict, took = run(store, race, o.processes, o.calls, **{"from": old, "to": new})
                if verdict.violations:
                    break
            found = bool(verdict.violations)
            what = verdict.violations[0].partition(":")[0] if found else "NOT REPORTED"
            print(f"{store.name}: {race.name}, broken ({new[:60]}…): {what}; {len(verdict.violations)} violations in {verdict.counts['calls']:,} calls", flush=True)
            good = good and found
    return good


PARTS = {"races": races}


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=[*PARTS, "all"])
    parser.add_argument("--bin", required=True)
    parser.add_argument("--store", choices=["engine", "local", "both"], default="both")
    parser.add_argument("--url-file")
    parser.add_argument("--only", default="")
    parser.add_argument("--processes", type=int, default=16)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--histories", type=int, default=100)
    parser.add_argument("--operations", type=int, default=500)
    parser.add_argument("--twin", action="store_true")
    return parser.parse_args()


def main():
    o, good = options(), True
    for kind in ("engine", "local") if o.store == "both" else (o.store,):
        with Store(kind, o.bin, o.url_file) as store:
            for part in PARTS if o.part == "all" else [o.part]:
                good = (twins if o.twin and part == "races" else PARTS[part])(store, o) and good
    print("all of it holds" if good else "NOT ALL OF IT HOLDS", flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
