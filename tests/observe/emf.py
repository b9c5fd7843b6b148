#!/usr/bin/env python3
"""emf.py OBSERVED compare|twins - what a function counts, written by Latch and by Powertools for AWS Lambda (Python), line by line.

OBSERVED: observed.c's program. A row's steps are counted by a whole invocation of each, and what it wrote is compared: how many lines, in which
order, and each line whole, after alike_… made equal what means the same. `twins` changes Latch's lines, one place at a time, and
each change must be found. (tests/runtime/metrics.py compares what is drawn at random, a flush at a time.)
"""
import contextlib
import io
import json
import os
import sys
import time
import warnings

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))
os.environ.update(POWERTOOLS_METRICS_DISABLED="false", POWERTOOLS_DEV="true")
from aws_lambda_powertools.metrics import Metrics, MetricUnit  # noqa: E402  pylint: disable=wrong-import-position
from aws_lambda_powertools.metrics.provider.cold_start import reset_cold_start_flag  # noqa: E402  pylint: disable=wrong-import-position
from changed import each_change  # noqa: E402  pylint: disable=wrong-import-position
from service import Function  # noqa: E402  pylint: disable=wrong-import-position

NAMESPACES = ["Shop", "Shop/Web.eu-1_#a:b c", "x" * 255]
FUNCTION = "counted"


def metric(name, *values, unit="Count", high=False):
    return [{"metric": name, "unit": unit, "value": value, "high": high} for value in values]


def dimension(name, value):
    return [{"dimension": name, "value": value}]


def metrics(count, first=0):
    return [step for i in range(first, first + count) for step in metric(f"m{i}", i)]


ROWS = [  # name, steps; the first of a process is its cold start
    ("nothing but a cold start", []),
    ("nothing", []),
    ("a metric", metric("Orders", 1)),
    ("its values", metric("Orders", 1, 0, -3, 2.5, 0.1, 1e-9, 123456789012)),
    ("each unit", [step for unit in MetricUnit for step in metric(f"in {unit.name}", 1, unit=unit.value)]),
    ("second by second", metric("Fast", 1, 2, high=True) + metric("Slow", 3)),
    ("text that JSON escapes", dimension("Ort", "ä \"x\" \\ \u2028") + metric("Umsätze é", 1)),
    ("a dimension", dimension("Shop", "berlin") + metric("Orders", 1)),
    ("a dimension of the one before isn't there", metric("Orders", 1)),
    ("a dimension said later", metric("Orders", 1) + dimension("Shop", "berlin")),
    ("a dimension said twice", dimension("Shop", "berlin") + dimension("Shop", "bonn") + metric("Orders", 1)),
    ("as many dimensions as there may be", [step for i in range(29) for step in dimension(f"d{i}", f"v{i}")] + metric("Orders", 1)),
    ("a set of dimensions", [{"set": "Till", "value": "7"}] + metric("Orders", 1)),
    ("sets beside a dimension", dimension("Shop", "berlin") + [{"set": "Till", "value": "7"}, {"set": "Lane", "value": "a"}] + metric("Orders", 1)),
    ("99 metrics", metrics(99)),
    ("100 metrics", metrics(100)),
    ("101 metrics", metrics(101)),
    ("250 metrics and their dimension", dimension("Shop", "berlin") + metrics(250)),
    ("100 values of one", metric("Lap", *range(100))),
    ("250 values of one", metric("Lap", *range(250))),
    ("100 values of one, among others", metric("Other", 1) + metric("Lap", *range(101)) + metric("Other", 2)),
    # (said right behind the 100th it is a dimension of these, too: Latch's line goes out when the 101st comes, Powertools' with the 100th)
    ("a dimension between the splits", metrics(101) + dimension("Shop", "berlin") + metrics(20, first=101)),
]


class Counted(Function):
    """Its lines go by the id of the invocation that wrote them: .request_id is the last one's."""

    def next_request(self):
        request = super().next_request()
        if request[0] == "POST":
            self.request_id = request[1].split("/")[-2]
        return request

    def lines(self, request_id):
        self.drain()
        found = [json.loads(line) for line in self.output.decode().split("\n") if line.startswith('{"_aws"')]
        return [line for line in found if line.get("requestId") == request_id]


def by_latch(observed, namespace):
    """(the id, the lines) of each row's invocation."""
    ids = []
    with Counted(observed, FUNCTION, {"LATCH_METRICS_NAMESPACE": namespace, "LATCH_METRICS_COLD_START": "1"}) as function:
        for name, steps in ROWS + [("the last one's lines are out when this one is asked for", [])]:
            kind, _, body = function.invoke(json.dumps({"steps": steps}).encode())
            assert kind == "response", f"{name}: {body}"
            ids.append(function.request_id)
            function.drain()
        return [(request_id, function.lines(request_id)) for request_id in ids[:-1]]


class Context:
    function_name = FUNCTION


def count(counter, steps):
    """Latch's sets have the common dimensions in them, Powertools' only what is said."""
    common = {}
    for step in steps:
        if "metric" in step:
            counter.add_metric(name=step["metric"], unit=step["unit"], value=step["value"], resolution=1 if step["high"] else 60)
        elif "set" in step:
            counter.add_dimensions(**common, **{step["set"]: step["value"]})
        else:
            common[step["dimension"]] = step["value"]
            counter.add_dimension(name=step["dimension"], value=step["value"])


def by_powertools(namespace):
    reset_cold_start_flag()
    counter = Metrics(namespace=namespace)
    rows = []
    for _, steps in ROWS:
        @counter.log_metrics(capture_cold_start_metric=True)
        def handler(event, _context):
            count(counter, event)
        said = io.StringIO()
        with contextlib.redirect_stdout(said), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            handler(steps, Context())
        rows.append([json.loads(line) for line in said.getvalue().splitlines()])
    return rows


# ── what means the same ──────────────────────────────────────────────────────────────────────────────────────────────


def names_of(line):
    directive, = line["_aws"]["CloudWatchMetrics"]
    return [m["Name"] for m in directive["Metrics"]]


def is_cold_start(line):
    return names_of(line) == ["ColdStart"]


def alike(line):
    """A value alone is a list of it; Python writes all of them with a fraction; when it was said is the minute in which the test runs."""
    line = json.loads(json.dumps(line))
    for name in names_of(line):
        values = line[name] if isinstance(line[name], list) else [line[name]]
        assert values and all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)
        line[name] = [float(v) for v in values]
    stamp = line["_aws"].pop("Timestamp")
    assert isinstance(stamp, int) and abs(stamp - time.time() * 1000) < 600000
    return line


def alike_of_latch(request_id, lines):
    """Each has the request's id, for CloudWatch Logs Insights: with Powertools it would be metadata, where an author asks for it."""
    lines = [alike(line) for line in lines]
    assert all(line.pop("requestId") == request_id for line in lines)
    return lines


def alike_of_powertools(lines):
    """ColdStart goes by FunctionName, as Powertools for TypeScript, Java and .NET name it; Python's is function_name. Latch says it first."""
    lines = [alike(line) for line in lines]
    for line in filter(is_cold_start, lines):
        line["FunctionName"] = line.pop("function_name")
        line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] = [["FunctionName"]]
    return sorted(lines, key=lambda line: not is_cold_start(line))


def difference(request_id, latch, powertools):
    """None: they say the same."""
    try:
        ours = alike_of_latch(request_id, latch)
    except (AssertionError, KeyError, TypeError, ValueError, AttributeError) as e:
        return f"Latch's lines are none of the format: {e!r}"
    its = alike_of_powertools(powertools)
    if len(ours) != len(its):
        return f"{len(ours)} lines, Powertools has {len(its)}"
    for n, (a, b) in enumerate(zip(ours, its)):
        if a != b:
            return f"line {n}:\nLatch      {json.dumps(a)}\nPowertools {json.dumps(b)}"
    return None


# ── the two verbs ────────────────────────────────────────────────────────────────────────────────────────────────────


def compare(observed):
    lines = 0
    for namespace in NAMESPACES:
        for (name, _), (request_id, latch), powertools in zip(ROWS, by_latch(observed, namespace), by_powertools(namespace)):
            why = difference(request_id, latch, powertools)
            if why:
                sys.exit(f"{namespace}: {name}: {why}")
            lines += len(latch)
    print(f"{len(NAMESPACES)} times {len(ROWS)} invocations, {lines} lines that say what those of Powertools say")


def twins(observed):
    found = 0
    for (name, _), (request_id, latch), powertools in zip(ROWS, by_latch(observed, "Shop"), by_powertools("Shop")):
        if difference(request_id, latch, powertools):
            sys.exit(f"{name}: differs without a change")
        for n, line in enumerate(latch):
            for what, _, twin in each_change(line):
                if not difference(request_id, latch[:n] + [twin] + latch[n + 1:], powertools):
                    sys.exit(f"{name}: isn't found: line {n}: {what}")
                found += 1
            if not difference(request_id, latch[:n] + latch[n + 1:], powertools) or not difference(request_id, [line] + latch, powertools):
                sys.exit(f"{name}: isn't found: line {n} lost or twice")
    print(f"{found} changed lines found")


def main():
    observed, verb = sys.argv[1:]
    {"compare": compare, "twins": twins}[verb](observed)


main()
