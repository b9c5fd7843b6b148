#!/usr/bin/env python3
"""run.py [--rounds N] [--invocations N] … - what the runtime adds to a handler: Latch beside AWS's clients for Rust, Go, Node.js and Python.

Every function asks the same Runtime API (service.c: one thread, plain sockets), in turn, each turn beginning with another one, so that what
disturbs the machine disturbs all alike. Measured are

  echo      from writing an event until the whole answer is read, CPU, and how soon it asks again; each parses its event and writes it again
  stream    a streamed answer of 100 MB, and by how much resident memory grew at most
  big       an event of 6 MB, parsed and answered with, and by how many copies of it memory grew at most
  workers   Latch's throughput by AWS_LAMBDA_MAX_CONCURRENCY: a handler that waits 2 ms, as for a table, and one that doesn't

Latch's functions are compiled as what is deployed. The floor is bare sockets by the same compiler. Printed are medians of the rounds, and p10
to p90 in brackets; MB are 10^6 bytes. A ratio is Latch's median by the other's, its spread that of the rounds' own ratios. A goal that isn't
met is printed as MISSED, and is no failure; a function that doesn't do its work has no figures but its misdeed, and where it is Latch's, the
exit status is 1.

Nothing is pinned: on a virtual machine, waking another core may cost more than the whole invocation, and that is measured with it. With
--core N all of them share one, which gives figures that vary less.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "common")]
from chart import chart  # noqa: E402
from endpoint import say  # noqa: E402
from functions import ARCH, BUILT, ROOT, Missing, add_outputs, cargo, environment, go, in_turns, make, print_machine, spread, version, write_outputs  # noqa: E402

RUNTIMES = ROOT / "build/tools/runtimes"
KINDS = ("echo", "stream", "big")
MAX_WORKERS = 64


@dataclass
class Function:
    name: str
    command: list
    kinds: tuple = KINDS
    module: str = ""  # in front of the handler's name
    environment: dict = field(default_factory=dict)
    fault: dict = field(default_factory=dict)  # by kind: why it has no figures
    figures: dict = field(default_factory=dict)  # by kind and key: a value for each round

    def values(self, kind, key):
        return self.figures.get((kind, key), [])

    def median(self, kind, key):
        values = self.values(kind, key)
        return statistics.median(values) if values else None


# ── the functions ───────────────────────────────────────────────────────────────────────────────────────────────────


def node():
    client, program = RUNTIMES / "node/node_modules/aws-lambda-ric/index.mjs", ROOT / "build/tools/sdk/bin/node"
    if not client.exists() or not program.exists():
        raise Missing("build/tools/runtimes/node is missing: tools/deps runtimes")
    return Function("Node.js", [program, client, "functions.HANDLER"], module="functions.", environment={"LAMBDA_TASK_ROOT": str(HERE / "node")})


def python():
    program = RUNTIMES / "python/bin/python"
    if not program.exists():
        raise Missing("build/tools/runtimes/python is missing: tools/deps runtimes")
    return Function("Python", [program, "-m", "awslambdaric", "functions.HANDLER"], ("echo", "big"), "functions.",
                    {"LAMBDA_TASK_ROOT": str(HERE / "python"), "PYTHONPATH": str(HERE / "python"), "PYTHONDONTWRITEBYTECODE": "1"})


def builders_of(options):
    return {
        "bare sockets": lambda: Function("bare sockets", [options.static / "bench_floor"], ("echo", "big")),
        "Latch": lambda: Function("Latch", [options.latch]),
        "Rust": lambda: Function("Rust", [cargo(HERE / "rust", "bench-runtime")]),
        "Go": lambda: Function("Go", [go(HERE / "go", "go-runtime")]),
        "Node.js": node,
        "Python": python,
    }


def environment_of(function, handler, scratch):
    return {**environment(scratch, 20000), "LAMBDA_TASK_ROOT": str(scratch), **function.environment, "_HANDLER": function.module + handler}


# ── measuring ───────────────────────────────────────────────────────────────────────────────────────────────────────


def measure(function, kind, mode, scratch, options, handler=None, **more):
    """service.c's line; a function that does wrong isn't asked again."""
    handler = handler or {"stream": "stream"}.get(kind, "echo")
    command = [str(word).replace("HANDLER", handler) for word in function.command]
    pinned = ["taskset", "-c", str(options.core)] if options.core is not None else []
    done = subprocess.run([*pinned, options.tools / "bench_service", mode, *command], env={**environment_of(function, handler, scratch), **more},
                          capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        words = " ".join(done.stderr[-2000:].rpartition("service: ")[2].split())
        function.fault[kind] = words.partition(" ")[2] or f"bench_service ended with {done.returncode}"
        say(f"{function.name}: {done.stderr[-2000:].strip()}")
        return {}
    return json.loads(done.stdout)


def take_turns(functions, kind, count, mode, scratch, options):
    for f in in_turns([f for f in functions if kind in f.kinds], count):
        for key, value in measure(f, kind, mode, scratch, options).items() if kind not in f.fault else ():
            f.figures.setdefault((kind, key), []).append(value)


def measure_workers(latch, scratch, options):
    """{handler: {workers: [per_s, …]}}, the counts in turn; a worker is one that asked."""
    counts = [n for n in (1, 2, 4, 8, 16, 32, MAX_WORKERS) if n <= options.workers]
    curves = {handler: {n: [] for n in counts} for handler in ("wait", "echo")}
    for _ in range(options.worker_rounds):
        for handler in curves:
            for n in counts if "workers" not in latch.fault else ():
                measured = measure(latch, "workers", f"workers:{options.worker_ms}", scratch, options, handler, AWS_LAMBDA_MAX_CONCURRENCY=str(n),
                                   LATCH_STORE="embedded")
                if measured and measured["connections"] != n:
                    latch.fault["workers"] = f"had {measured['connections']} connections with AWS_LAMBDA_MAX_CONCURRENCY={n}"
                elif measured:
                    curves[handler][n].append(measured["per_s"])
    return {} if "workers" in latch.fault else {handler: {n: statistics.median(v) for n, v in curve.items()} for handler, curve in curves.items()}


def measure_all(functions, scratch, options):
    say(f"{options.rounds} rounds of {options.invocations} invocations")
    take_turns(functions, "echo", options.rounds, f"echo:{options.invocations}", scratch, options)
    say(f"{options.streams} streams of {options.stream_bytes / 1e6:g} MB each")
    take_turns(functions, "stream", options.streams, f"stream:{options.stream_bytes}", scratch, options)
    say(f"{options.events} events of {options.event_bytes / 1e6:g} MB each")
    take_turns(functions, "big", options.events, f"big:{options.event_bytes}", scratch, options)
    latch = next((f for f in functions if f.name == "Latch"), None)
    if latch is None or options.workers == 0:
        return {}
    say(f"workers, {options.worker_rounds} times {options.worker_ms} ms each")
    return measure_workers(latch, scratch, options)


# ── the tables ──────────────────────────────────────────────────────────────────────────────────────────────────────


def print_head(load, options):
    print_machine(load, f"; node {version(ROOT / 'build/tools/sdk/bin/node', '--version')}; {version(RUNTIMES / 'python/bin/python', '--version')}; "
                  "versions of the clients: bench/runtime's lock files", f"; {'on core ' + str(options.core) if options.core is not None else 'nothing pinned'}")
    print("medians of the rounds [p10 to p90]; MB are 10^6 bytes")


def print_fault(f, kind):
    print(f"  {f.name:<14}NO FIGURES: it {f.fault[kind][:300]}")


def scaled(f, kind, key, by=1, digits=1):
    return spread([value / by for value in f.values(kind, key)], digits)


def print_echo(functions):
    counted = any(f.values("echo", "instructions") for f in functions)
    print(f"\nan event, parsed and answered with:\n  {'':<14}{'p50, µs':>24}{'p99, µs':>26}{'ready again, µs':>24}{'CPU, µs':>24}"
          f"{'instructions' if counted else '':>16}")
    for f in (f for f in functions if "echo" in f.kinds):
        if "echo" in f.fault:
            print_fault(f, "echo")
            continue
        words = f"{f.median('echo', 'instructions'):>16.0f}" if f.values("echo", "instructions") else ""
        print(f"  {f.name:<14}{scaled(f, 'echo', 'p50_us'):>24}{scaled(f, 'echo', 'p99_us', digits=0):>26}"
              f"{scaled(f, 'echo', 'ready_us'):>24}{scaled(f, 'echo', 'cpu_us'):>24}{words}")
    if not counted:
        print("  (no instructions: this machine's counters can't be read)")


def copies(function, event_bytes):
    """Of the event's bytes; its parsed document, of some hundred nodes, is within the rounding."""
    grown = function.median("big", "grown_bytes")
    return None if grown is None else grown / event_bytes


def print_large(functions, options):
    print(f"\na streamed answer of {options.stream_bytes / 1e6:g} MB:\n  {'':<14}{'ms':>24}{'CPU, ms':>24}{'memory grew by, MB':>28}")
    for f in (f for f in functions if "stream" in f.kinds):
        if "stream" in f.fault:
            print_fault(f, "stream")
            continue
        print(f"  {f.name:<14}{scaled(f, 'stream', 'took_us', 1e3):>24}{scaled(f, 'stream', 'cpu_us', 1e3):>24}{scaled(f, 'stream', 'grown_bytes', 1e6, 2):>28}")
    print(f"\nan event of {options.event_bytes / 1e6:g} MB, parsed and answered with:\n  {'':<14}{'ms':>24}{'CPU, ms':>24}{'memory grew by, copies of it':>32}")
    for f in (f for f in functions if "big" in f.kinds):
        if "big" in f.fault:
            print_fault(f, "big")
            continue
        print(f"  {f.name:<14}{scaled(f, 'big', 'took_us', 1e3):>24}{scaled(f, 'big', 'cpu_us', 1e3):>24}"
              f"{scaled(f, 'big', 'grown_bytes', options.event_bytes, 2):>32}")


def print_workers(latch, curves):
    if latch is not None and "workers" in latch.fault:
        print("\nworkers:")
        print_fault(latch, "workers")
    if not curves:
        return
    counts = list(next(iter(curves.values())))
    print(f"\nLatch's workers, invocations/s:\n  {'AWS_LAMBDA_MAX_CONCURRENCY':<30}" + "".join(f"{n:>9}" for n in counts))
    for handler, words in (("wait", "a handler that waits 2 ms"), ("echo", "one that doesn't wait")):
        print(f"  {words:<30}" + "".join(f"{curves[handler][n]:>9.0f}" for n in counts))


def ratio(latch, other, kind, key):
    """Latch's median by the other's, and the spread of the rounds' own ratios."""
    return latch.median(kind, key) / other.median(kind, key), [a / b for a, b in zip(latch.values(kind, key), other.values(kind, key)) if b > 0]


def goals_of(functions, options):
    """(what, value, at most, unit, spread) of each that this run can tell."""
    by_name = {f.name: f for f in functions}
    latch, rust_, go_ = (by_name.get(name) for name in ("Latch", "Rust", "Go"))
    goals = []

    def beside(what, other, kind, key, bound):
        if latch and other and latch.values(kind, key) and other.values(kind, key):
            value, ratios = ratio(latch, other, kind, key)
            goals.append((what, value, bound, "×", spread(ratios, 2).partition(" ")[2]))

    beside("p50 per invocation, by Rust's", rust_, "echo", "p50_us", 0.9)
    beside("CPU per invocation, by Rust's", rust_, "echo", "cpu_us", 0.8)
    beside("instructions per invocation, by Rust's", rust_, "echo", "instructions", 0.8)
    beside(f"a stream of {options.stream_bytes / 1e6:g} MB, by Go's", go_, "stream", "took_us", 1.0)
    if latch and latch.values("stream", "grown_bytes"):
        goals.append(("memory that a stream takes", latch.median("stream", "grown_bytes") / 1e6, 4, "MB", ""))
    if latch and latch.values("big", "grown_bytes"):
        goals.append((f"copies of an event of {options.event_bytes / 1e6:g} MB", copies(latch, options.event_bytes), 3, "×", ""))
    return goals


def is_met(value, bound):
    return round(value, 2) <= bound


def print_goals(goals):
    if goals:
        print("\ngoals:")
    for what, value, bound, unit, how in goals:
        print(f"  {what:<42}{value:>7.2f} {unit:<2} {how:<16}  at most {bound:<4} {'met' if is_met(value, bound) else 'MISSED'}")


def markdown_of(functions, options):
    """README's table."""
    def cell(f, kind, key, by, unit, digits=0):
        value = f.median(kind, key)
        return "" if value is None else f"{value / by:.{digits}f} {unit}"

    lines = [f"| function on | p50 | p99 | CPU | {options.stream_bytes / 1e6:g} MB streamed | its memory | {options.event_bytes / 1e6:g} MB event | its memory |",
             "|---" * 8 + "|"]
    for f in (f for f in functions if not f.fault):
        lines.append(f"| {f.name} | {cell(f, 'echo', 'p50_us', 1, 'µs')} | {cell(f, 'echo', 'p99_us', 1, 'µs')} | {cell(f, 'echo', 'cpu_us', 1, 'µs')} | "
                     f"{cell(f, 'stream', 'took_us', 1e3, 'ms')} | {cell(f, 'stream', 'grown_bytes', 1e6, 'MB', 1)} | {cell(f, 'big', 'took_us', 1e3, 'ms')} | "
                     f"{cell(f, 'big', 'grown_bytes', options.event_bytes, '×', 1)} |")
    return "\n".join(lines) + "\n"


def figures_of(functions, curves, goals):
    rows = {f.name: {"fault": f.fault, **{kind: {key: f.median(kind, key) for k, key in f.figures if k == kind} for kind in f.kinds}} for f in functions}
    goals = [{"what": what, "value": value, "at_most": bound, "met": is_met(value, bound)} for what, value, bound, *_ in goals]
    return {"functions": rows, "workers": curves, "goals": goals}


# ── main ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def options_of():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=21, help="of small events")
    parser.add_argument("--invocations", type=int, default=3000, help="in each")
    parser.add_argument("--streams", type=int, default=9)
    parser.add_argument("--stream-bytes", type=int, default=100_000_000)
    parser.add_argument("--events", type=int, default=7, help="large ones")
    parser.add_argument("--event-bytes", type=int, default=6_000_000)
    parser.add_argument("--workers", type=int, default=MAX_WORKERS, help="at most so many; 0: none")
    parser.add_argument("--worker-rounds", type=int, default=3)
    parser.add_argument("--worker-ms", type=int, default=1000)
    parser.add_argument("--core", type=int, help="all on this one")
    static = ROOT / f"build/package-{ARCH}/bench"
    parser.add_argument("--static", type=Path, default=static, help="where bench_floor is, compiled as what is deployed")
    parser.add_argument("--latch", type=Path, help="Latch's functions; default: bench_runtime there")
    parser.add_argument("--tools", type=Path, default=ROOT / "build/release/bench", help="where bench_service is")
    add_outputs(parser, ": docs/bench-runtime.svg")
    options = parser.parse_args()
    options.latch = (options.latch or options.static / "bench_runtime").resolve()
    counts = (options.rounds, options.invocations, options.stream_bytes, options.event_bytes, options.worker_rounds, options.worker_ms)
    if min(counts) < 1 or min(options.streams, options.events) < 0 or not 0 <= options.workers <= MAX_WORKERS:
        parser.error(f"every count is 1 or more, but --streams and --events may be 0; workers are 0 to {MAX_WORKERS}")
    if not options.latch.is_file():
        parser.error(f"there is no {options.latch}: ./dev bench runtime makes it")
    return options


def main():
    options = options_of()
    BUILT.mkdir(parents=True, exist_ok=True)
    functions = make(builders_of(options), options.only)
    if not functions:
        sys.exit(f"nothing to measure: the rows are {', '.join(builders_of(options))}")
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as scratch:
        curves = measure_all(functions, Path(scratch), options)
    print_head((before, os.getloadavg()[0]), options)
    print_echo(functions)
    print_large(functions, options)
    print_workers(next((f for f in functions if f.name == "Latch"), None), curves)
    goals = goals_of(functions, options)
    print_goals(goals)
    write_outputs(options, figures_of(functions, curves, goals), lambda: markdown_of(functions, options), lambda: chart(functions, curves, options))
    if any(f.fault for f in functions if f.name == "Latch"):
        sys.exit(1)


if __name__ == "__main__":
    try:
        main()
    except RuntimeError as e:
        sys.exit(str(e))
