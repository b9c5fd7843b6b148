#!/usr/bin/env python3
"""run.py [--operations N] [--rounds N] [--starts N] [--items N] - DynamoDB clients beside each other, against one stub that answers at once.

Each client runs as a process of its own, in turn (Latch, Rust, Go, JavaScript, boto3, Latch, …), so that what disturbs the machine disturbs
all alike. Nothing is pinned: on a virtual machine, waking another core costs more than the whole request, and that would be measured.
Printed is the median over the rounds; a ratio is Latch's figure by the other's. A client whose tools this machine hasn't is named with the
reason, and not measured.
"""
import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "common"))
from endpoint import Stub, check, make_certificates, say

ROOT = HERE.parent.parent
BUILT = ROOT / "build/bench"
RELEASE = ROOT / "build/release/bench"
STATIC = ROOT / f"build/package-{'arm64' if platform.machine() == 'aarch64' else 'x86_64'}/bench"


# ── the clients ─────────────────────────────────────────────────────────────────────────────────────────────────────


def rust():
    cargo = shutil.which("cargo")
    if cargo is None:
        return None, "there is no cargo: install Rust, 1.91 or later"
    say("building the Rust client (some minutes, once)")
    check([cargo, "build", "--quiet", "--release"], cwd=HERE / "rust", env={**os.environ, "CARGO_TARGET_DIR": str(BUILT / "rust")})
    return [BUILT / "rust/release/peer"], None


def go():
    tool = shutil.which("go")
    if tool is None:
        return None, "there is no go: install Go, 1.24 or later"
    check([tool, "build", "-trimpath", "-ldflags=-s -w", "-o", BUILT / "go", "."], cwd=HERE / "go")
    return [BUILT / "go"], None


def javascript():
    node, modules = ROOT / "build/tools/sdk/bin/node", ROOT / "build/tools/js/node_modules"
    if not node.exists() or not modules.exists():
        return None, "build/tools/js is missing: tools/deps js"
    target = BUILT / "javascript"
    target.mkdir(parents=True, exist_ok=True)
    shutil.copy(HERE / "javascript/peer.mjs", target)
    link = target / "node_modules"
    if not link.is_symlink():
        link.symlink_to(modules)
    return [node, target / "peer.mjs"], None


def boto3():
    python = ROOT / "build/tools/sdk/bin/python"
    if not python.exists():
        return None, "build/tools/sdk is missing: tools/deps sdk"
    return [python, HERE / "peer.py"], None


def latch():
    """As it is deployed: one static executable."""
    return [STATIC / "bench_dynamodb"], None


CLIENTS = {"Latch": latch, "Rust": rust, "Go": go, "JavaScript v3": javascript, "boto3": boto3}


# ── measuring ───────────────────────────────────────────────────────────────────────────────────────────────────────


def environment_of(stub, scratch):
    return {**stub.environment(scratch), "NODE_EXTRA_CA_CERTS": str(stub.ca), "GOMAXPROCS": "1"}


def loop(command, environment, mode, count):
    done = subprocess.run([*command, mode, str(count)], env=environment, capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} {mode}: {done.stderr[-1000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def first(command, environment):
    """Milliseconds from the process's start to its first answered PutItem."""
    done = subprocess.run([RELEASE / "bench_first", *command, "first"], env=environment, capture_output=True, text=True,
                          timeout=60)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} first: {done.stderr[-1000:]}")
    return float(done.stdout) / 1000


def rounds(clients, stub, scratch, options):
    figures = {name: {"cpu_us": [], "p50_us": [], "p99_us": []} for name in clients}
    environment = environment_of(stub, scratch)
    for turn in range(options.rounds):
        for name, command in clients.items():
            say(f"round {turn + 1} of {options.rounds}: {name}, {options.operations} PutItem over HTTP")
            measured = loop(command, environment, "loop", options.operations)
            for key, values in figures[name].items():
                values.append(measured[key])
    return figures


def starts(clients, stub, scratch, count):
    figures = {name: [] for name in clients}
    environment = environment_of(stub, scratch)
    say(f"{count} starts of each, {stub.url.split(':')[0]}")
    for _ in range(count):
        for name, command in clients.items():
            figures[name].append(first(command, environment))
    return figures


# ── the table ───────────────────────────────────────────────────────────────────────────────────────────────────────


def print_table(names, figures, first_http, first_tls):
    print(f"\n{'':<16}{'CPU per PutItem':>18}{'p50 over HTTP':>18}{'p99':>12}{'exec to first':>18}{'over TLS':>14}")
    for name in names:
        median = {key: statistics.median(values) for key, values in figures[name].items()}
        print(f"{name:<16}{median['cpu_us']:>15.1f} µs{median['p50_us']:>15.1f} µs{median['p99_us']:>9.0f} µs"
              f"{statistics.median(first_http[name]):>15.2f} ms{statistics.median(first_tls[name]):>11.2f} ms")


def target(what, value, bound):
    """`bound` is the most; a ratio."""
    verdict = "met" if value <= bound else "MISSED"
    print(f"  {what:<58}{value:>8.3f}   at most {bound:<5} {verdict}")


def print_targets(names, figures, first_http, first_tls):
    def ratio(key, other):
        return statistics.median(figures["Latch"][key]) / statistics.median(figures[other][key])

    def start(at, other):
        return statistics.median(at["Latch"]) / statistics.median(at[other])

    print("\nratios, Latch by the other:")
    if "Rust" in names:
        target("CPU per PutItem, by Rust's SDK", ratio("cpu_us", "Rust"), 0.30)
        target("p50 over HTTP, by Rust's SDK", ratio("p50_us", "Rust"), 0.60)
        target("exec to first answered PutItem over HTTP, by Rust's SDK", start(first_http, "Rust"), 0.25)
    if "JavaScript v3" in names:
        target("CPU per PutItem, by the JavaScript SDK", ratio("cpu_us", "JavaScript v3"), 0.05)
    if "Go" in names:
        target("exec to first answered PutItem over TLS, by Go's SDK", start(first_tls, "Go"), 0.8)


def print_batch(stub, scratch, options):
    environment = environment_of(stub, scratch)
    single, batch, small = [], [], []
    for turn in range(options.rounds):
        say(f"round {turn + 1} of {options.rounds}: {options.items} items one by one, and by one batch call, over one connection")
        single.append(loop(latch()[0], environment, "single", options.items))
        batch.append(loop(latch()[0], environment, "batch", options.items))
        small.append(loop(latch()[0], environment, "batch", max(options.items // 10, 1)))
    one, many = (statistics.median(f["ms"] for f in of) for of in (single, batch))
    print(f"\n{options.items} items over one connection: one by one {one:.0f} ms, by one batch call {many:.0f} ms: {one / many:.1f} × as fast "
          f"(at least 3: {'met' if one / many >= 3 else 'MISSED'})")
    grown = statistics.median(f["peak_kib"] for f in batch), statistics.median(f["peak_kib"] for f in small)
    print(f"peak memory of the batch's process: {grown[0]:.0f} KiB with {options.items} items, {grown[1]:.0f} KiB with "
          f"{max(options.items // 10, 1)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--operations", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--starts", type=int, default=30)
    parser.add_argument("--items", type=int, default=25000)
    options = parser.parse_args()
    BUILT.mkdir(parents=True, exist_ok=True)
    clients = {}
    for name, make in CLIENTS.items():
        command, why = make()
        if command is None:
            print(f"{name}: not measured: {why}")
        else:
            clients[name] = command
    with tempfile.TemporaryDirectory() as made:
        scratch = Path(made)
        make_certificates(scratch)
        with Stub(RELEASE / "bench_stub", scratch, tls=False) as stub:
            figures = rounds(clients, stub, scratch, options)
            first_http = starts(clients, stub, scratch, options.starts)
            with Stub(RELEASE / "bench_stub", scratch, tls=True) as over_tls:
                first_tls = starts(clients, over_tls, scratch, options.starts)
            print(f"{options.rounds} rounds of {options.operations} PutItem (5 attributes, 250 bytes), {options.starts} starts, medians")
            print_table(clients, figures, first_http, first_tls)
            print_targets(clients, figures, first_http, first_tls)
            print_batch(stub, scratch, options)


if __name__ == "__main__":
    try:
        main()
    except RuntimeError as e:
        sys.exit(str(e))
