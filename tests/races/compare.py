#!/usr/bin/env python3
"""compare.py --bin DIR [--processes N] [--calls N] [--only ROW] [--readme FILE] - the races of the libraries that the stores are modelled on,
beside the stores' own: the same calls of as many processes on one key of DynamoDB Local, judged by the same judges (judge.py).

Owners overrun their time now and then, as a frozen sandbox does; limits are lowered and raised; of the counter's answers one in twenty is
lost, which the SDK repeats. A violation is what no order of events can excuse. --readme writes the table between the markers of FILE."""
import argparse, json, pathlib, shutil, sys, time

import judge
from stage import KEYS, ROOT, Stage, Store
from races import plain, with_finals

sys.path.insert(0, str(ROOT / "tests/faults"))
import proxy as P

PEERS = ROOT / "build/tools/peers"
SAGA_KEYS, PARTITIONED = [("PK", "HASH"), ("SK", "RANGE")], [("partitionKey", "HASH"), ("sortKey", "RANGE")]
BEGIN, END = "<!-- ./dev compare races: begin -->", "<!-- end -->"


def without_tokens(processes):
    return judge.lock(processes, tokens=False)


def stored(check, pk_name, pk, sk_name, sk, read):
    """A judge that looks at what a model's own table has in the end."""
    def finals(stage, _):
        key = {pk_name: {"S": pk}, **({sk_name: {"S": sk}} if sk_name else {})}
        return read(stage.ask("GetItem", {"ConsistentRead": True, "Key": key})["Item"])
    return lambda stage, processes: check(processes, lambda k: finals(stage, k))


def of_json(item):
    return set(json.loads(item["data"]["S"]))


NODE, PYTHON = "node", "python"
LOCKED = {"lease_ms": 1000}
ROWS = [  # store, race of ours, its options, judge; library, language, race, judge, keys of its table
    ("lock", "lock-overrun", LOCKED, plain(judge.lock),
     "common-aws DynamoLock¹", PYTHON, "dynamo-lock", plain(without_tokens), [("key", "HASH")]),
    ("lock", "lock-overrun", LOCKED, plain(judge.lock),
     "dynamodb-lock-client 1.4.0", PYTHON, "lock-client", plain(without_tokens), [("key", "HASH")]),
    ("do-once", "once-overrun", {"lease_ms": 200}, plain(judge.once),
     "Powertools for Python", PYTHON, "powertools", plain(judge.once), [("id", "HASH")]),
    ("do-once", "once-overrun", {"lease_ms": 200}, plain(judge.once),
     "common-aws DoOnceManager¹", PYTHON, "do-once-manager", plain(judge.once), PARTITIONED),
    ("limited attempt", "attempt", {"limit": 20}, plain(judge.attempt),
     "common-aws LimitedAttempt¹", PYTHON, "limited-attempt", plain(judge.rate), PARTITIONED),
    ("dedupe", "dedupe-overrun", {"lease_ms": 200}, plain(judge.dedupe),
     "store-dynamodb 4.2.0 dedupe", NODE, "dedupe-overrun", plain(judge.dedupe), KEYS),
    ("rate limit, moved", "rate-moved", {"limit": 20}, plain(judge.rate),
     "store-dynamodb 4.2.0 rate limit", NODE, "rate-moved", plain(judge.rate), KEYS),
    ("saga", "saga", {}, with_finals(judge.saga, "SAGA#race#k%d", "STATE", lambda item: int(item["version"]["N"])),
     "saga-bus store 0.2.2", NODE, "saga", stored(judge.saga, "PK", "race", "SK", "k0", lambda item: int(item["version"]["N"])), SAGA_KEYS),
    ("set", "set", {}, with_finals(judge.sets, "PKV#race#k%d", "KEY#set", of_json),
     "common-aws sets¹", PYTHON, "set", stored(judge.sets, "partitionKey", "k0", "sortKey", "set", of_json), PARTITIONED),
    ("counter, answers lost", "counter", {}, with_finals(judge.counter, "COUNTER#race#k%d", "COUNTER", lambda item: int(item["count"]["N"])),
     "common-aws counter¹", PYTHON, "counter", stored(judge.counter, "key", "k0", None, None, lambda item: int(item["count"]["N"])), [("key", "HASH")]),
]


def command(language):
    if language == PYTHON:
        return [PEERS / "python/bin/python", pathlib.Path(__file__).parent / "models/model.py"]
    shutil.copy(pathlib.Path(__file__).parent / "models/model.mjs", PEERS / "node/model.mjs")  # node looks for libraries beside it
    return [ROOT / "build/tools/sdk/bin/node", PEERS / "node/model.mjs"]


def race(store, o, name, check, keys, options, words=None, lossy=False):
    """The verdict, and calls a second: from the first call to the last, so that a language's start isn't counted."""
    calls = o.calls // 4 if "overrun" in str(name) or name in ("dynamo-lock", "lock-client", "powertools", "do-once-manager") else o.calls
    plan = lambda number, operation: P.RESET_AFTER if number % 20 == 19 else P.PASS
    endpoint = P.Proxy(store.url, plan) if lossy else None
    try:
        with Stage(store, keys=keys, url=endpoint.url if lossy else None, access_key="peer" if name == "lock-client" else "local") as stage:
            for _ in range(o.processes):
                stage.start(name, command=words, calls=max(5, calls), **{**options, "skew_ms": None if words else 100})
            stage.wait(900)
            processes = judge.read(stage.folder.name)
            verdict = check(stage, processes)
            times = [e[t] for process in processes for e in process for t in ("t0", "t1") if t in e]
            return verdict, verdict.counts["calls"] / max(1e-6, (max(times) - min(times)) / 1e6)
    finally:
        if endpoint is not None:
            endpoint.__exit__()


def shown(verdict):
    """How many, and of which kinds."""
    if len(verdict.violations) == 1:
        return "**1**: " + verdict.violations[0].partition(": ")[0]
    kinds = {}
    for violation in verdict.violations:
        kind = judge.kind_of(violation)
        kinds[kind] = kinds.get(kind, 0) + 1
    what = ", ".join(f"{kind} ({n:,})" for kind, n in sorted(kinds.items(), key=lambda item: -item[1])[:2])
    return f"**{len(verdict.violations):,}**: {what}" if kinds else "none"


def table(rows, o):
    lines = [f"{o.processes} processes on one key of DynamoDB Local; `./dev compare races`.", "",
             "| store | library | calls | its violations | calls/s | Latch: calls | violations | calls/s |", "|---|---|---|---|---|---|---|---|"]
    for store, library, theirs, their_speed, ours, our_speed in rows:
        lines.append(f"| {store} | {library} | {theirs.counts['calls']:,} | {shown(theirs)} | {their_speed:,.0f} | {ours.counts['calls']:,} | "
                     f"{shown(ours)} | {our_speed:,.0f} |")
    return lines + ["", "¹ `@paradoxical-io/common-aws` is in no registry: its requests are made by `tests/interop/paradoxical.py`."]


def write_between(path, lines):
    text = pathlib.Path(path).read_text()
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    if not rest or not tail:
        raise SystemExit(f"{path} has no {BEGIN} … {END}")
    pathlib.Path(path).write_text(head + BEGIN + "\n" + "\n".join(lines) + "\n" + END + tail)


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--url-file")
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--calls", type=int, default=400)
    parser.add_argument("--only", default="")
    parser.add_argument("--readme")
    return parser.parse_args()


def main():
    o, rows, clean = options(), [], True
    with Store("local", o.bin, o.url_file) as store:
        for name, our_race, our_options, our_check, library, language, their_race, their_check, keys in ROWS:
            if o.only and o.only not in (name, their_race):
                continue
            lossy, begin = "lost" in name, time.monotonic()
            theirs, their_speed = race(store, o, their_race, their_check, keys, our_options, command(language), lossy)
            ours, our_speed = race(store, o, our_race, our_check, KEYS, our_options, None, lossy)
            clean = clean and not ours.violations
            rows.append((name, library, theirs, their_speed, ours, our_speed))
            print(f"{name}: {library}: {shown(theirs)}; Latch: {shown(ours)} ({time.monotonic() - begin:.0f} s)", file=sys.stderr, flush=True)
            for violation in ours.violations[:3]:
                print("    " + violation[:700], file=sys.stderr)
    lines = table(rows, o)
    print("\n".join(lines))
    if o.readme:
        write_between(o.readme, lines)
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main())
