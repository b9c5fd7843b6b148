#!/usr/bin/env python3
"""metrics.py WRITER compare|twins - the same metrics by Latch and by Powertools for AWS Lambda (Python), document by document.

Each round draws dimensions, sets and metrics; both write them; the two documents must say the same, and follow CloudWatch's specification
of the embedded metric format. `twins` changes what Latch wrote, in one place each, and each change must be found.
"""
import copy, io, json, os, random, subprocess, sys, contextlib

ROUNDS = 200
UNITS = ["Seconds", "Microseconds", "Milliseconds", "Bytes", "Kilobytes", "Megabytes", "Gigabytes", "Terabytes", "Bits", "Kilobits", "Megabits",
         "Gigabits", "Terabits", "Percent", "Count", "Bytes/Second", "Kilobytes/Second", "Megabytes/Second", "Gigabytes/Second",
         "Terabytes/Second", "Bits/Second", "Kilobits/Second", "Megabits/Second", "Gigabits/Second", "Terabits/Second", "Count/Second", "None"]
NAMESPACE = "Shop/Web"


def draw(dice):
    names = [f"dim{i}" for i in range(8)]
    dimensions = {n: dice.choice(["berlin", "a b", "ä\"x\"", "0"]) for n in dice.sample(names, dice.randint(0, 3))}
    sets = [{n: dice.choice(["x", "y z"]) for n in dice.sample([n for n in names if n not in dimensions], dice.randint(1, 2))}
            for _ in range(dice.randint(0, 2))]
    if len(sets) == 2 and any(n in sets[1] and sets[1][n] != v for n, v in sets[0].items()):
        sets.pop()  # one name has one value in a document
    metrics = [(f"metric{i} {dice.choice('abé')}", dice.choice(UNITS), dice.choice([1, 60]),
                [dice.choice([1, 0, -3, 2.5, 1e-9, 123456789012, 0.1]) for _ in range(dice.randint(1, 5))]) for i in range(dice.randint(1, 6))]
    return dimensions, sets, metrics


def commands(drawn):
    dimensions, sets, metrics = drawn
    yield from (f"dimension\t{n}\t{v}" for n, v in dimensions.items())
    yield from ("set\t" + "\t".join(f"{n}\t{v}" for n, v in s.items()) for s in sets)
    for name, unit, resolution, values in metrics:
        yield from (f"metric\t{name}\t{unit}\t{value!r}\t{'high' if resolution == 1 else 'standard'}" for value in values)
    yield "end"


def by_latch(writer, rounds):
    env = {**os.environ, "LATCH_METRICS_NAMESPACE": NAMESPACE}
    text = "".join(line + "\n" for drawn in rounds for line in commands(drawn))
    done = subprocess.run([writer], input=text, capture_output=True, text=True, env=env, timeout=60, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def by_powertools(drawn):
    from aws_lambda_powertools.metrics import EphemeralMetrics
    dimensions, sets, metrics = drawn
    m = EphemeralMetrics(namespace=NAMESPACE)
    for name, value in dimensions.items():
        m.add_dimension(name=name, value=value)
    for s in sets:
        m.add_dimensions(**dimensions, **s)  # its sets have no dimensions in common, ours do
    for name, unit, resolution, values in metrics:
        for value in values:
            m.add_metric(name=name, unit=unit, value=value, resolution=resolution)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        m.flush_metrics()
    return json.loads(said.getvalue())


def canonical(doc):
    """What a document means: one value and a list of one are the same, the order of sets and metrics is none."""
    directive, = doc["_aws"]["CloudWatchMetrics"]
    sets = sorted(sorted(s) for s in directive["Dimensions"])
    metrics = {}
    for m in directive["Metrics"]:
        value = doc[m["Name"]]
        values = value if isinstance(value, list) else [value]
        metrics[m["Name"]] = (m["Unit"], m.get("StorageResolution", 60), [float(v) for v in values])
    return directive["Namespace"], sets, metrics, {n: doc[n] for s in sets for n in s}


def follows_specification(doc):
    """The rules of the specification's schema."""
    aws = doc["_aws"]
    assert isinstance(aws["Timestamp"], int) and aws["Timestamp"] > 0
    for directive in aws["CloudWatchMetrics"]:
        assert set(directive) == {"Namespace", "Dimensions", "Metrics"} and 1 <= len(directive["Namespace"]) <= 1024
        assert len(directive["Dimensions"]) >= 1
        for s in directive["Dimensions"]:
            assert len(s) <= 30 and len(set(s)) == len(s)
            for name in s:
                assert 1 <= len(name) <= 250 and isinstance(doc[name], str)
        assert 1 <= len(directive["Metrics"]) <= 100
        for m in directive["Metrics"]:
            assert set(m) <= {"Name", "Unit", "StorageResolution"} and 1 <= len(m["Name"]) <= 1024
            assert m["Unit"] in UNITS and m.get("StorageResolution", 1) in (1, 60)
            values = doc[m["Name"]] if isinstance(doc[m["Name"]], list) else [doc[m["Name"]]]
            assert 1 <= len(values) <= 100 and all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)


def differs(latch, powertools):
    try:
        follows_specification(latch)
        return canonical(latch) != canonical(powertools)
    except (AssertionError, KeyError, TypeError, ValueError):
        return True


def twins(doc):
    """The document with one thing changed each."""
    def changed(change):
        twin = copy.deepcopy(doc)
        change(twin, twin["_aws"]["CloudWatchMetrics"][0])
        return twin
    name = doc["_aws"]["CloudWatchMetrics"][0]["Metrics"][0]["Name"]
    yield "namespace", changed(lambda d, c: c.update(Namespace="Other"))
    yield "timestamp", changed(lambda d, c: d["_aws"].update(Timestamp="now"))
    yield "unit", changed(lambda d, c: c["Metrics"][0].update(Unit="Fortnights"))
    yield "resolution", changed(lambda d, c: c["Metrics"][0].update(StorageResolution=61 - c["Metrics"][0].get("StorageResolution", 60)))
    yield "value", changed(lambda d, c: d.update({name: 4711}))
    yield "lost value", changed(lambda d, c: d.pop(name))
    yield "metric", changed(lambda d, c: c["Metrics"].pop())
    yield "set", changed(lambda d, c: c["Dimensions"].append(["Nobody"]))
    yield "no sets", changed(lambda d, c: c.pop("Dimensions"))


def main():
    writer, verb = sys.argv[1:]
    dice = random.Random(7)
    rounds = [draw(dice) for _ in range(ROUNDS)]
    latch = by_latch(writer, rounds)
    assert len(latch) == ROUNDS, f"{len(latch)} documents, want {ROUNDS}"
    if verb == "twins":
        powertools = by_powertools(rounds[0])
        for what, twin in twins(latch[0]):
            if not differs(twin, powertools):
                sys.exit(f"another {what} isn't found")
            print(f"finds another {what}")
        return
    for n, (drawn, doc) in enumerate(zip(rounds, latch)):
        powertools = by_powertools(drawn)
        if differs(doc, powertools):
            sys.exit(f"round {n}: {drawn}\nLatch      {json.dumps(doc)}\nPowertools {json.dumps(powertools)}")
    print(f"{ROUNDS} documents say what those of Powertools say, {sum(len(d[2]) for d in rounds)} metrics")


main()
