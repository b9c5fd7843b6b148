#!/usr/bin/env python3
"""bench_package.py RELEASE TEST - bench/package, with few repetitions: it gives figures, and none for a function that does wrong.

RELEASE is a build with bootstrap and bench/. The packaged executable is measured where it was made, RELEASE's where not. Each test_… below is
one entry of ctest.
"""
import platform

from benched import RELEASE, ROOT, check_missing, check_refused, count_drawn, main, path_with, patience, rows_in_table, run, script

PACKAGED = ROOT / "build/package" / ("arm64" if platform.machine() == "aarch64" else "x86_64") / "bootstrap"
FIGURES = ("next_ms", "next_cpu_ms", "answered_ms", "rss_mb", "pss_mb", "p50_us", "p99_us", "cpu_us")


def bench(scratch, bootstrap, rows, status=0, environment=None):
    small = ["--starts", "3", "--memory", "1", "--rounds", "1", "--invocations", "50"]
    return run("package", scratch, rows, [*small, "--tools", RELEASE / "bench", "--bootstrap", bootstrap], status, environment)


def check_figures(name, row):
    assert row["fault"] == "", f"{name}: {row['fault']}"
    for key in FIGURES:
        assert row[key] is not None and row[key] > 0, f"{name}: {key} is {row[key]}"
    assert row["next_ms"] <= row["answered_ms"] < 10000, row
    assert row["p50_us"] <= row["p99_us"] < 5e6, row
    assert (0.02 if name == "bare sockets" else 0.2) < row["rss_mb"] < 200 and row["pss_mb"] <= row["rss_mb"], row
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
    assert rows_in_table(scratch) == sorted(rows)
    bars = count_drawn(scratch, "rect")
    assert bars == 4 * len(rows) and (scratch / "out.svg").stat().st_size < 30000, f"{bars} bars"


SOON_MS, LATER_MS = "1000", "6000"  # LATER: Python has started meanwhile, on a busy machine too

TWINS = {  # a function that does wrong, and what is said of it in place of figures
    "never polls": ("time.sleep(60)", f"was silent for {SOON_MS} ms before it asked for /next"),
    "ends at once": ("sys.exit(3)", "ended with status 3 before it asked for /next"),
    "is killed": ("os.kill(os.getpid(), 9)", "ended by signal 9 before it asked for /next"),
    "connects and says nothing": ("api.connect(); time.sleep(60)", f"was silent for {SOON_MS} ms before it asked for /next"),
    "asks for something else": ("api.request('GET', '/'); time.sleep(60)", "asked for something else than /next"),
    "never answers": ("ask(); time.sleep(60)", f"was silent for {LATER_MS} ms before it answered an invocation"),
    "reports an error": ("id, event = ask(); post(id + '/error', b'{}'); time.sleep(60)", "did not answer its invocation"),
    "answers something else": ("id, event = ask(); post(id + '/response', b'{}'); time.sleep(60)", "answered without bench-41c7"),
    "ends while it waits": ("import signal\nsignal.signal(signal.SIGALRM, lambda *_: os._exit(5))\n"
                            "signal.setitimer(signal.ITIMER_REAL, 0.4)\nid, event = ask()\nsignal.setitimer(signal.ITIMER_REAL, 0)\n"
                            "post(id + '/response', event)\ntime.sleep(60)", "ended with status 5 while its /next was held"),
    "answers once": ("id, event = ask(); post(id + '/response', event)\nif ask(): sys.exit(4)", "ended with status 4"),
}


def test_a_twin_that_does_wrong_has_no_figures(scratch):
    for number, (name, (words, want)) in enumerate(TWINS.items()):
        said, figures = bench(scratch, script(scratch, f"twin{number}", words), ["Latch"], 1, patience(want))
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
    rows = ["bare sockets", "Rust", "Go", "Go, AWS SDK"]
    check_missing(*bench(scratch, RELEASE / "bootstrap", rows, environment=path_with(scratch, "openssl", "git", "sh")))
    check_refused("package", "--bootstrap", scratch / "none", "./dev package makes it")


if __name__ == "__main__":
    main(globals())
