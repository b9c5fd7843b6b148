#!/usr/bin/env python3
"""run.py [--starts N] [--rounds N] … - what a deployed function costs: Latch's packaged bootstrap beside Rust's and Go's, in one run.

Measured are the file and its zip; the time from exec to the first GET /next (and the CPU in it, which a busy machine changes least) and to the
first answered invocation; memory while that /next is held; a warm invocation. Each language has a function that answers with its event, and
one that counts an attempt in DynamoDB over TLS (one UpdateItem; the endpoint answers at once): Latch's are the shop's `echo` and `POST /login`,
of the same file. The floor is bare sockets, by the compiler that the package has.

The functions start in turn, each turn beginning with another one, so that what disturbs the machine disturbs all alike. Printed are medians,
and p10 to p90 in brackets. A ratio is Latch's median by the other's. A goal that isn't met is printed as MISSED, and is no failure; a function
that doesn't do its work has no figures but its misdeed, and where it is Latch's, the exit status is 1.

On a machine that others keep busy, `chrt -r 10` before it (as root) gives starts that vary by a tenth; warm invocations are slower by it.
"""
import argparse
import io
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "common")]
from endpoint import Stub, make_certificates, say  # noqa: E402
from functions import ARCH, BUILT, ROOT, add_outputs, cargo, environment, go, in_turns, make, print_machine, spread, write_outputs  # noqa: E402
from plot import plot  # noqa: E402

PACKAGE = ROOT / "build/package"
MARK = "bench-41c7"
RUST_MUSL = f"{platform.machine()}-unknown-linux-musl"

ECHO, WRITE = "answers with its event", "counts an attempt in DynamoDB"


@dataclass
class Function:
    name: str
    what: str  # ECHO or WRITE
    file: Path
    environment: dict = field(default_factory=dict)
    event: str = ""  # a name of main's events
    expected: str = MARK
    fault: str = ""  # why it has no figures
    figures: dict = field(default_factory=lambda: {"next_ms": [], "next_cpu_ms": [], "answered_ms": [], "rss_mb": [], "pss_mb": [],
                                                   "anonymous_mb": [], "p50_us": [], "p99_us": [], "cpu_us": []})

    def median(self, key):
        return statistics.median(self.figures[key]) if self.figures[key] else None


@dataclass
class World:
    """What functions are measured in."""
    tools: Path  # where bench_lambda is
    scratch: Path
    stub: Stub = None


# ── the functions ───────────────────────────────────────────────────────────────────────────────────────────────────


def floor_of(tools):
    packaged = ROOT / f"build/package-{ARCH}/bench/bench_floor"
    return packaged if packaged.exists() else tools / "bench_floor"


def builders_of(bootstrap, tools):
    """Every row of the table, and how it comes to be."""
    builders, latch, login = {}, {"_HANDLER": "echo"}, {"_HANDLER": "api", "SHOP_PASSWORD": "opensesame"}
    refused = '"statusCode":401'

    def row(name, what, build, **more):
        builders[name] = lambda: Function(name, what, Path(build()), **{"event": "echo", **more})

    row("bare sockets", ECHO, lambda: floor_of(tools))
    row("Latch", ECHO, lambda: bootstrap, environment=latch)
    row("Rust", ECHO, lambda: cargo(HERE / "rust-hello", "rust-hello"))
    row("Rust, musl", ECHO, lambda: cargo(HERE / "rust-hello", "rust-hello", RUST_MUSL))
    row("Go", ECHO, lambda: go(HERE / "go-hello", "go-hello"))
    row("Latch, DynamoDB", WRITE, lambda: bootstrap, environment=login, event="login", expected=refused)
    row("Rust, AWS SDK", WRITE, lambda: cargo(HERE / "rust-sdk", "rust-sdk"), event="count", expected=refused)
    row("Go, AWS SDK", WRITE, lambda: go(HERE / "go-sdk", "go-sdk"), event="count", expected=refused)
    return builders


def make_events(scratch):
    login = json.loads((ROOT / "events/api-login-2-function-url.json").read_text())
    login.update(body=json.dumps({"user": MARK, "password": "guess"}), isBase64Encoded=False)
    events = {"echo": {"user": MARK}, "count": {"user": MARK}, "login": login}
    for name, event in events.items():
        (scratch / f"{name}.json").write_text(json.dumps(event))


def environment_of(function, world):
    base = {**environment(world.scratch, 10000), "_HANDLER": "bench", "LAMBDA_TASK_ROOT": str(function.file.parent)}
    return {**base, **(world.stub.environment(world.scratch) if function.what == WRITE else {}), **function.environment}


# ── measuring ───────────────────────────────────────────────────────────────────────────────────────────────────────


def measure(function, mode, world):
    """One line of lambda.c's; a function that does wrong isn't asked again."""
    with open(world.scratch / "said", "w+") as said:
        done = subprocess.run([world.tools / "bench_lambda", mode, world.scratch / f"{function.event}.json", function.expected, function.file],
                              env=environment_of(function, world), stdout=subprocess.PIPE, stderr=said, text=True, timeout=600)
        said.seek(0)
        words = said.read()[-1500:].strip()
    if done.returncode != 0:
        function.fault = words.rpartition("lambda: ")[2] or f"bench_lambda ended with {done.returncode}"
        say(f"{function.name}: {words}")
        return {}
    return json.loads(done.stdout)


def keep(function, measured):
    for key, value in measured.items():
        if key in ("next_us", "next_cpu_us", "answered_us"):
            function.figures[key.replace("_us", "_ms")].append(value / 1e3)
        elif key.endswith("_kib"):
            function.figures[key.replace("_kib", "_mb")].append(value * 1024 / 1e6)
        elif key in function.figures:
            function.figures[key].append(value)


def take_turns(functions, count, mode, world):
    for function in in_turns(functions, count):
        if not function.fault:
            keep(function, measure(function, mode, world))


def measure_all(functions, world, options):
    say(f"one start of each, unmeasured, then {options.starts} of each in turn")
    for function in functions:
        measure(function, "start", world)
    take_turns(functions, options.starts, "start", world)
    say(f"memory, {options.memory} times each")
    take_turns(functions, options.memory, "memory", world)
    say(f"{options.rounds} rounds of {options.invocations} warm invocations")
    take_turns(functions, options.rounds, f"warm:{options.invocations}", world)


def zipped_bytes(file):
    """The executable alone, deflated as hard as zlib can, for all alike."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as z:
        z.write(file, "bootstrap")
    return len(out.getvalue())


# ── the tables ──────────────────────────────────────────────────────────────────────────────────────────────────────


def print_head(load, options):
    print_machine(load)
    print(f"{options.starts} starts, {options.memory} times memory, {options.rounds} rounds of {options.invocations} invocations, of each in turn; "
          f"medians [p10 to p90]; MB are 10^6 bytes\n")


def print_table(functions):
    print(f"{'':<17}{'file':>9}{'zip -9':>9}{'exec to /next, ms':>25}{'CPU of it':>11}{'to first answer, ms':>26}{'resident':>10}{'of it shared':>14}"
          f"{'warm p50':>11}{'p99':>9}{'CPU':>9}")
    for what in (ECHO, WRITE):
        print(f"a function that {what}{' over TLS' if what == WRITE else ''}:")
        for f in (f for f in functions if f.what == what):
            size = f"  {f.name:<15}{f.file.stat().st_size / 1e6:>6.2f} MB{zipped_bytes(f.file) / 1e6:>6.2f} MB"
            if f.fault:
                print(f"{size}   NO FIGURES: it {f.fault.split(' ', 1)[-1]}")
                continue
            print(f"{size}{spread(f.figures['next_ms'], 2):>25}{f.median('next_cpu_ms'):>8.2f} ms{spread(f.figures['answered_ms'], 2):>26}{f.median('rss_mb'):>7.2f} MB"
                  f"{f.median('rss_mb') - f.median('pss_mb'):>11.2f} MB{f.median('p50_us'):>8.0f} µs{f.median('p99_us'):>6.0f} µs"
                  f"{f.median('cpu_us'):>6.0f} µs")


def goals_of(functions):
    """(what, value, at most, unit) of each that this run can tell."""
    by_name = {f.name: f for f in functions if not f.fault}
    latch, writing = by_name.get("Latch"), by_name.get("Latch, DynamoDB")
    rust, sdk = by_name.get("Rust"), by_name.get("Go, AWS SDK")
    goals = []
    if latch:
        shipped = PACKAGE / f"bootstrap-{ARCH}.zip"
        goals.append(("the file", latch.file.stat().st_size / 1e6, 2.8, "MB"))
        goals.append(("the file, zip -9", zipped_bytes(latch.file) / 1e6, 1.3, "MB"))
        if latch.file.parent.parent == PACKAGE and shipped.exists():
            goals.append(("the zip that ships, with licences and bill of materials", shipped.stat().st_size / 1e6, 1.3, "MB"))
        goals.append(("resident at first /next", latch.median("rss_mb"), 2.5, "MB"))
    if latch and rust:
        goals.append(("exec to first /next, by Rust's", latch.median("next_ms") / rust.median("next_ms"), 0.6, "×"))
    if writing and sdk:
        goals.append(("exec to first answered write over TLS, by Go's SDK", writing.median("answered_ms") / sdk.median("answered_ms"), 0.8, "×"))
    return goals


def print_goals(goals):
    print("\ngoals:")
    for what, value, bound, unit in goals:
        print(f"  {what:<58}{value:>7.2f} {unit:<2}  at most {bound:<4} {'met' if value <= bound else 'MISSED'}")


def markdown_of(functions):
    """README's table."""
    lines = ["| function | file | zip -9 | exec to `/next` | CPU of it | to first answer | resident | warm p50 | CPU |", "|---" * 9 + "|"]
    for f in (f for f in functions if not f.fault):
        lines.append(f"| {f.name} | {f.file.stat().st_size / 1e6:.1f} MB | {zipped_bytes(f.file) / 1e6:.1f} MB | {f.median('next_ms'):.1f} ms | "
                     f"{f.median('next_cpu_ms'):.1f} ms | {f.median('answered_ms'):.1f} ms | {f.median('rss_mb'):.1f} MB | "
                     f"{f.median('p50_us'):.0f} µs | {f.median('cpu_us'):.0f} µs |")
    return "\n".join(lines) + "\n"


def figures_of(functions, goals):
    rows = {f.name: {"file_bytes": f.file.stat().st_size, "zip_bytes": zipped_bytes(f.file), "fault": f.fault,
                     **{key: f.median(key) for key in f.figures}} for f in functions}
    goals = [{"what": what, "value": value, "at_most": bound, "met": value <= bound} for what, value, bound, _ in goals]
    return {"functions": rows, "goals": goals}


def options_of():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=200)
    parser.add_argument("--memory", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--invocations", type=int, default=5000)
    parser.add_argument("--bootstrap", type=Path, default=PACKAGE / ARCH / "bootstrap", help="Latch's; default: the packaged one")
    parser.add_argument("--tools", type=Path, default=ROOT / "build/release/bench", help="where bench_lambda, bench_stub and bench_floor are")
    add_outputs(parser, "")
    options = parser.parse_args()
    if min(options.starts, options.memory, options.rounds, options.invocations) < 1:
        parser.error("every count is 1 or more")
    if not options.bootstrap.is_file():
        parser.error(f"there is no {options.bootstrap}: ./dev package makes it")
    return options


def main():
    options = options_of()
    BUILT.mkdir(parents=True, exist_ok=True)
    builders = builders_of(options.bootstrap.resolve(), options.tools)
    functions = make(builders, options.only)
    if not functions:
        sys.exit(f"nothing to measure: the rows are {', '.join(builders)}")
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as made:
        scratch = Path(made)
        make_certificates(scratch)
        make_events(scratch)
        with Stub(options.tools / "bench_stub", scratch, tls=True) as stub:
            measure_all(functions, World(options.tools, scratch, stub), options)
    print_head((before, os.getloadavg()[0]), options)
    print_table(functions)
    goals = goals_of(functions)
    print_goals(goals)
    write_outputs(options, figures_of(functions, goals), lambda: markdown_of(functions), lambda: plot(functions))
    if any(f.fault for f in functions if f.name.startswith("Latch")):
        sys.exit(1)


if __name__ == "__main__":
    try:
        main()
    except RuntimeError as e:
        sys.exit(str(e))
