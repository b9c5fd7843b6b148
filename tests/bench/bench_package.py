#!/usr/bin/env python3
"""bench_package.py RELEASE TEST - bench/package, with few repetitions: it gives figures, and none for a function that does wrong.

RELEASE is a build with bootstrap and bench/. The packaged executable is measured where it was made, RELEASE's where not. Each test_… below is
one entry of ctest.
"""
import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[2]
RELEASE = pathlib.Path(sys.argv[1]).resolve()
PACKAGED = ROOT / "build/package" / ("arm64" if platform.machine() == "aarch64" else "x86_64") / "bootstrap"
FIGURES = ("next_ms", "next_cpu_ms", "answered_ms", "rss_mb", "pss_mb", "p50_us", "p99_us", "cpu_us")


def bench(scratch, bootstrap, rows, status=0, **environment):
    """What it printed, and its figures."""
    only = [word for row in rows for word in ("--only", row)]
    done = subprocess.run([sys.executable, ROOT / "bench/package/run.py", "--starts", "3", "--memory", "1", "--rounds", "1", "--invocations",
                           "50", "--tools", RELEASE / "bench", "--bootstrap", bootstrap, "--json", scratch / "out.json", "--svg",
                           scratch / "out.svg", "--markdown", scratch / "out.md", *only],
                          capture_output=True, text=True, timeout=280, env={**os.environ, **environment})
    assert done.returncode == status, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout, json.loads((scratch / "out.json").read_text())


def check_figures(name, row):
    assert row["fault"] == "", f"{name}: {row['fault']}"
    for key in FIGURES:
        assert row[key] is not None and row[key] > 0, f"{name}: {key} is {row[key]}"
    assert row["next_ms"] <= row["answered_ms"] < 10000, row
    assert row["p50_us"] <= row["p99_us"] < 5e6, row
    assert 0.2 < row["rss_mb"] < 200 and row["pss_mb"] <= row["rss_mb"], row
    assert 10000 < row["zip_bytes"] < row["file_bytes"] < 100e6, row


def test_every_row_has_figures(scratch):
    rows = ["bare sockets", "Latch", "Latch, DynamoDB", "Go"]
    said, figures = bench(scratch, PACKAGED if PACKAGED.is_file() else RELEASE / "bootstrap", rows)
    if "Go: not measured: there is no Go 1.26" in said:
        rows.remove("Go")
    assert sorted(figures["functions"]) == sorted(rows), figures
    for name, row in figures["functions"].items():
        check_figures(name, row)
        assert f"\n  {name} " in said, said
    for what in ("the file", "the file, zip -9", "resident at first /next"):
        goal = next(goal for goal in figures["goals"] if goal["what"] == what)
        assert goal["met"] == (goal["value"] <= goal["at_most"]) and (" met\n" in said or "MISSED" in said), goal
    assert sorted(line.split("|")[1].strip() for line in (scratch / "out.md").read_text().splitlines()[2:]) == sorted(rows)
    drawn = xml.etree.ElementTree.parse(scratch / "out.svg").getroot()
    bars = [element for element in drawn.iter() if element.tag.endswith("rect")]
    assert len(bars) == 4 * len(rows) and (scratch / "out.svg").stat().st_size < 30000, f"{len(bars)} bars"


def script(scratch, name, words):
    path = scratch / name
    path.write_text(f"#!/usr/bin/env python3\nimport http.client, os, sys, time\n{words}\n")
    path.chmod(0o755)
    return path


ASK = ("api = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])\nbase = '/2018-06-01/runtime/invocation/'\n"
       "def ask():\n  api.request('GET', base + 'next')\n  answer = api.getresponse()\n"
       "  return answer.headers['Lambda-Runtime-Aws-Request-Id'], answer.read()\n"
       "def post(path, body):\n  api.request('POST', path, body)\n  api.getresponse().read()\n")

SOON_MS, LATER_MS = "1000", "6000"  # LATER: Python has started meanwhile, on a busy machine too

TWINS = {  # a function that does wrong, and what is said of it in place of figures
    "never polls": ("time.sleep(60)", f"was silent for {SOON_MS} ms before it asked for /next"),
    "ends at once": ("sys.exit(3)", "ended with status 3 before it asked for /next"),
    "is killed": ("os.kill(os.getpid(), 9)", "ended by signal 9 before it asked for /next"),
    "connects and says nothing": (ASK + "api.connect(); time.sleep(60)", f"was silent for {SOON_MS} ms before it asked for /next"),
    "asks for something else": (ASK + "api.request('GET', '/'); time.sleep(60)", "asked for something else than /next"),
    "never answers": (ASK + "ask(); time.sleep(60)", f"was silent for {LATER_MS} ms before it answered an invocation"),
    "reports an error": (ASK + "id, event = ask(); post(base + id + '/error', b'{}'); time.sleep(60)", "did not answer its invocation"),
    "answers something else": (ASK + "id, event = ask(); post(base + id + '/response', b'{}'); time.sleep(60)", "answered without bench-41c7"),
    "ends while it waits": ("import signal\n" + ASK + "signal.signal(signal.SIGALRM, lambda *_: os._exit(5))\n"
                            "signal.setitimer(signal.ITIMER_REAL, 0.4)\nid, event = ask()\nsignal.setitimer(signal.ITIMER_REAL, 0)\n"
                            "post(base + id + '/response', event)\ntime.sleep(60)", "ended with status 5 while its /next was held"),
    "answers once": (ASK + "id, event = ask(); post(base + id + '/response', event)\nif ask(): sys.exit(4)", "ended with status 4"),
}


def test_a_twin_that_does_wrong_has_no_figures(scratch):
    for number, (name, (words, want)) in enumerate(TWINS.items()):
        patience_ms = SOON_MS if f" {SOON_MS} ms" in want else LATER_MS if f" {LATER_MS} ms" in want else "30000"
        said, figures = bench(scratch, script(scratch, f"twin{number}", words), ["Latch"], status=1, LATCH_BENCH_PATIENCE_MS=patience_ms)
        row = figures["functions"]["Latch"]
        assert want in row["fault"] and "NO FIGURES: it " + want in said, f"{name}: {row}\n{said}"
        assert figures["goals"] == [], f"{name}: {figures['goals']}"


def test_a_slower_twin_is_measured_as_slower(scratch):
    """The same function after a nap: the clock that is read starts before its exec."""
    floor = RELEASE / "bench/bench_floor"
    nap = scratch / "nap"
    nap.write_text(f"#!/bin/sh\nsleep 0.2\nexec {floor}\n")
    nap.chmod(0o755)
    _, figures = bench(scratch, nap, ["bare sockets", "Latch"])
    fast, slow = figures["functions"]["bare sockets"], figures["functions"]["Latch"]
    assert slow["next_ms"] - fast["next_ms"] > 100, (fast, slow)


def test_what_is_missing_is_said(scratch):
    """A machine without cargo and go measures the rest, and says what to install."""
    bin_only = scratch / "bin"
    bin_only.mkdir()
    for tool in ("openssl", "git", "sh"):
        (bin_only / tool).symlink_to(shutil.which(tool))
    rows = ["bare sockets", "Rust", "Go", "Go, AWS SDK"]
    said, figures = bench(scratch, RELEASE / "bootstrap", rows, PATH=str(bin_only))
    assert list(figures["functions"]) == ["bare sockets"], figures
    for words in ("Rust: not measured: there is no cargo: install Rust", "Go: not measured: there is no Go 1.26 or later"):
        assert words in said, said
    done = subprocess.run([sys.executable, ROOT / "bench/package/run.py", "--bootstrap", scratch / "none"], capture_output=True, text=True)
    assert done.returncode == 2 and "./dev package makes it" in done.stderr, done.stderr


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        globals()[f"test_{sys.argv[2]}"](pathlib.Path(made))
