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
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE.parent))
from endpoint import Stub, check, make_certificates, say  # noqa: E402
from plot import plot  # noqa: E402

BUILT = ROOT / "build/bench"
ARCH = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
PACKAGE = ROOT / "build/package"
MARK = "bench-41c7"
RUST_MUSL = f"{platform.machine()}-unknown-linux-musl"

ECHO, WRITE = "answers with its event", "counts an attempt in DynamoDB"


class Missing(Exception):
    """A function that this machine can't build; the words say what to install."""


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


def cargo(name, target=None):
    tool = shutil.which("cargo")
    if tool is None:
        raise Missing("there is no cargo: install Rust, 1.91 or later, from rustup.rs")
    if target is not None and not (Path(version("rustc", "--print", "sysroot")) / "lib/rustlib" / target).is_dir():
        raise Missing(f"Rust's standard library for musl is missing: rustup target add {target}")
    say(f"building {name}{' for musl' if target else ''} (Rust's takes minutes, once)")
    check([tool, "build", "--quiet", "--release", *(["--target", target] if target else [])], cwd=HERE / name,
          env={**os.environ, "CARGO_TARGET_DIR": str(BUILT / "rust")})
    return BUILT / "rust" / (target or "") / "release" / name


def go(name):
    told = re.match(r"go(\d+)\.(\d+)", version("go", "env", "GOVERSION"))
    if told is None or (int(told[1]), int(told[2])) < (1, 26):
        raise Missing("there is no Go 1.26 or later: install it, from go.dev")
    say(f"building {name}")
    check(["go", "build", "-trimpath", "-tags", "lambda.norpc", "-ldflags=-s -w", "-o", BUILT / name, "."], cwd=HERE / name,
          env={**os.environ, "CGO_ENABLED": "0"})
    return BUILT / name


def floor_of(tools):
    packaged = ROOT / f"build/package-{ARCH}/bench/bench_floor"
    return packaged if packaged.exists() else tools / "bench_floor"


def functions_of(bootstrap, tools):
    """Every row of the table, and how its file comes to be."""
    latch, login = {"_HANDLER": "echo"}, {"_HANDLER": "api", "SHOP_PASSWORD": "opensesame"}
    refused = dict(event="login", expected='"statusCode":401')
    return [
        ("bare sockets", ECHO, lambda: floor_of(tools), {}),
        ("Latch", ECHO, lambda: bootstrap, dict(environment=latch)),
        ("Rust", ECHO, lambda: cargo("rust-hello"), {}),
        ("Rust, musl", ECHO, lambda: cargo("rust-hello", RUST_MUSL), {}),
        ("Go", ECHO, lambda: go("go-hello"), {}),
        ("Latch, DynamoDB", WRITE, lambda: bootstrap, dict(environment=login, **refused)),
        ("Rust, AWS SDK", WRITE, lambda: cargo("rust-sdk"), dict(event="count", expected='"statusCode":401')),
        ("Go, AWS SDK", WRITE, lambda: go("go-sdk"), dict(event="count", expected='"statusCode":401')),
    ]


def make_functions(bootstrap, tools, only):
    made = []
    for name, what, build, more in functions_of(bootstrap, tools):
        if only and name not in only:
            continue
        try:
            made.append(Function(name, what, Path(build()), **{"event": "echo", **more}))
        except (Missing, RuntimeError) as missing:  # no network, say: the others are measured
            print(f"{name}: not measured: {missing}")
    return made


def make_events(scratch):
    login = json.loads((ROOT / "events/api-login-2-function-url.json").read_text())
    login.update(body=json.dumps({"user": MARK, "password": "guess"}), isBase64Encoded=False)
    events = {"echo": {"user": MARK}, "count": {"user": MARK}, "login": login}
    for name, event in events.items():
        (scratch / f"{name}.json").write_text(json.dumps(event))


def environment_of(function, world):
    """As Lambda has it; what logs, logs nothing below a warning, for some log each invocation and some none."""
    base = {
        "PATH": os.environ["PATH"], "HOME": str(world.scratch), "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1", "_HANDLER": "bench",
        "AWS_LAMBDA_FUNCTION_NAME": "bench", "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/bench", "AWS_LAMBDA_LOG_STREAM_NAME": "bench", "AWS_LAMBDA_LOG_LEVEL": "WARN",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand", "LAMBDA_TASK_ROOT": str(function.file.parent), "TZ": ":UTC", "LANG": "en_US.UTF-8",
        "LATCH_BENCH_PATIENCE_MS": os.environ.get("LATCH_BENCH_PATIENCE_MS", "10000"),
    }
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
    for turn in range(count):
        begin = turn % len(functions)
        for function in functions[begin:] + functions[:begin]:
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


def version(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT).stdout.strip().splitlines()[0]
    except (OSError, IndexError):
        return f"no {command[0]}"


def print_machine(load, options):
    cpuinfo = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in cpuinfo if line.startswith("model name")), platform.machine())
    dirty = " and changes" if version("git", "status", "--porcelain", "--untracked-files=no").startswith(("M", " M", "A", "D")) else ""
    print(f"\n{time.strftime('%Y-%m-%d')}, commit {version('git', 'rev-parse', '--short', 'HEAD')}{dirty}; {model}, {os.cpu_count()} cores, "
          f"Linux {platform.release()}")
    print(f"{version('rustc', '--version')}; {version('go', 'version').removeprefix('go version ')}")
    busy = " (BUSY: times are worth little)" if max(load) > 1.5 else ""
    print(f"load before and after: {load[0]:.1f}, {load[1]:.1f}{busy}")
    print(f"{options.starts} starts, {options.memory} times memory, {options.rounds} rounds of {options.invocations} invocations, of each in turn; "
          f"medians [p10 to p90]; MB are 10^6 bytes\n")


def spread(values):
    if not values:
        return "-"
    values = sorted(values)
    return f"{statistics.median(values):.2f} [{values[len(values) // 10]:.2f} to {values[len(values) * 9 // 10]:.2f}]"


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
            print(f"{size}{spread(f.figures['next_ms']):>25}{f.median('next_cpu_ms'):>8.2f} ms{spread(f.figures['answered_ms']):>26}{f.median('rss_mb'):>7.2f} MB"
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


def write_json(path, functions, goals):
    rows = {f.name: {"file_bytes": f.file.stat().st_size, "zip_bytes": zipped_bytes(f.file), "fault": f.fault,
                     **{key: f.median(key) for key in f.figures}} for f in functions}
    goals = [{"what": what, "value": value, "at_most": bound, "met": value <= bound} for what, value, bound, _ in goals]
    path.write_text(json.dumps({"functions": rows, "goals": goals}, indent=1) + "\n")


def options_of():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=200)
    parser.add_argument("--memory", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--invocations", type=int, default=5000)
    parser.add_argument("--bootstrap", type=Path, default=PACKAGE / ARCH / "bootstrap", help="Latch's; default: the packaged one")
    parser.add_argument("--tools", type=Path, default=ROOT / "build/release/bench", help="where bench_lambda, bench_stub and bench_floor are")
    parser.add_argument("--only", action="append", metavar="NAME", help="this row of the table; several times")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the figures, once more")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="README's table")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="a plot of them")
    options = parser.parse_args()
    if min(options.starts, options.memory, options.rounds, options.invocations) < 1:
        parser.error("every count is 1 or more")
    if not options.bootstrap.is_file():
        parser.error(f"there is no {options.bootstrap}: ./dev package makes it")
    return options


def main():
    options = options_of()
    BUILT.mkdir(parents=True, exist_ok=True)
    functions = make_functions(options.bootstrap.resolve(), options.tools, options.only)
    if not functions:
        sys.exit(f"nothing to measure: the rows are {', '.join(name for name, *_ in functions_of(None, None))}")
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as made:
        scratch = Path(made)
        make_certificates(scratch)
        make_events(scratch)
        with Stub(options.tools / "bench_stub", scratch, tls=True) as stub:
            measure_all(functions, World(options.tools, scratch, stub), options)
    print_machine((before, os.getloadavg()[0]), options)
    print_table(functions)
    goals = goals_of(functions)
    print_goals(goals)
    if options.json:
        write_json(options.json, functions, goals)
    if options.markdown:
        options.markdown.write_text(markdown_of(functions))
    if options.svg:
        options.svg.write_text(plot(functions))
    if any(f.fault for f in functions if f.name.startswith("Latch")):
        sys.exit(1)


if __name__ == "__main__":
    try:
        main()
    except RuntimeError as e:
        sys.exit(str(e))
