"""What bench/package and bench/runtime have in common: functions beside Latch's, where they run, and how figures are told."""
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import time
from pathlib import Path

from endpoint import check, say

ROOT = Path(__file__).resolve().parents[2]
BUILT = ROOT / "build/bench"
ARCH = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())


class Missing(Exception):
    """A function that this machine can't build; the words say what to install."""


def version(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT).stdout.strip().splitlines()[0]
    except (OSError, IndexError):
        return f"no {Path(command[0]).name}"


# ── the functions ───────────────────────────────────────────────────────────────────────────────────────────────────


def cargo(source, name, target=None):
    """The release executable `name` of the crate in the folder `source`."""
    tool = shutil.which("cargo")
    if tool is None:
        raise Missing("there is no cargo: install Rust, 1.91 or later, from rustup.rs")
    if target is not None and not (Path(version("rustc", "--print", "sysroot")) / "lib/rustlib" / target).is_dir():
        raise Missing(f"Rust's standard library for musl is missing: rustup target add {target}")
    say(f"building {name}{' for musl' if target else ''} (Rust's takes minutes, once)")
    check([tool, "build", "--quiet", "--release", "--locked", *(["--target", target] if target else [])], cwd=source,
          env={**os.environ, "CARGO_TARGET_DIR": str(BUILT / "rust")})
    return BUILT / "rust" / (target or "") / "release" / name


def go(source, name):
    """The executable of the module in the folder `source`, as `name`."""
    told = re.match(r"go(\d+)\.(\d+)", version("go", "env", "GOVERSION"))
    if told is None or (int(told[1]), int(told[2])) < (1, 26):
        raise Missing("there is no Go 1.26 or later: install it, from go.dev")
    say(f"building {name}")
    check(["go", "build", "-trimpath", "-tags", "lambda.norpc", "-ldflags=-s -w", "-o", BUILT / name, "."], cwd=source,
          env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly"})
    return BUILT / name


def make(builders, only):
    """What each builder of {name: builder} gives, of the names in `only` where it has any."""
    made = []
    for name, build in builders.items():
        if only and name not in only:
            continue
        try:
            made.append(build())
        except (Missing, RuntimeError) as missing:  # no network, say: the others are measured
            print(f"{name}: not measured: {missing}")
    return made


def in_turns(functions, count):
    """Each `count` times, each turn beginning with another one."""
    for turn in range(count):
        begin = turn % max(1, len(functions))
        yield from functions[begin:] + functions[:begin]


def environment(scratch, patience_ms):
    """As Lambda has it; what logs, logs nothing below a warning, for some log each invocation and some none."""
    return {
        "PATH": os.environ["PATH"], "HOME": str(scratch), "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_LAMBDA_FUNCTION_NAME": "bench", "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/bench", "AWS_LAMBDA_LOG_STREAM_NAME": "bench", "AWS_LAMBDA_LOG_LEVEL": "WARN",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand", "TZ": ":UTC", "LANG": "en_US.UTF-8",
        "LATCH_BENCH_PATIENCE_MS": os.environ.get("LATCH_BENCH_PATIENCE_MS", str(patience_ms)),
    }


# ── what is printed ─────────────────────────────────────────────────────────────────────────────────────────────────


def print_machine(load, tools="", more=""):
    """`tools` behind Rust's and Go's versions; `more` behind the load."""
    cpuinfo = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in cpuinfo if line.startswith("model name")), platform.machine())
    dirty = " and changes" if version("git", "status", "--porcelain", "--untracked-files=no").startswith(("M", " M", "A", "D")) else ""
    print(f"\n{time.strftime('%Y-%m-%d')}, commit {version('git', 'rev-parse', '--short', 'HEAD')}{dirty}; {model}, {os.cpu_count()} cores, "
          f"Linux {platform.release()}")
    print(f"{version('rustc', '--version')}; {version('go', 'version').removeprefix('go version ')}{tools}")
    busy = " (BUSY: times are worth little)" if max(load) > 1.5 else ""
    print(f"load before and after: {load[0]:.1f}, {load[1]:.1f}{busy}{more}")


def spread(values, digits):
    """The median, and p10 to p90."""
    if not values:
        return "-"
    values = sorted(values)
    low, high = values[len(values) // 10], values[len(values) * 9 // 10]
    return f"{statistics.median(values):.{digits}f} [{low:.{digits}f} to {high:.{digits}f}]"


def add_outputs(parser, svg):
    parser.add_argument("--only", action="append", metavar="NAME", help="this row of the tables; several times")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the figures, once more")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="README's table")
    parser.add_argument("--svg", type=Path, metavar="FILE", help=f"a plot of them{svg}")


def write_outputs(options, figures, markdown, svg):
    """Each where it is asked for; `figures` are JSON's, the others functions."""
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    if options.markdown:
        options.markdown.write_text(markdown())
    if options.svg:
        options.svg.write_text(svg())
